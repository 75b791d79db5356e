//! What the assistant's tools compute, and how their arguments are declared and checked: no state and no effects, so that
//! the assistant runs it and the generator of training conversations computes its answers with it.

pub mod arguments;
pub mod calculator;
mod rational;
pub mod units;

use serde_json::Value;

pub use rational::Rational;

/// The `calculate` tool: an expression and its value, as a statement.
///
/// # Errors
/// A sentence that says why it has none.
pub fn calculate(expression: &str) -> Result<String, String> {
    let value = calculator::evaluate(expression).map_err(|e| e.to_string())?;
    let rounded = if value.is_short() { "" } else { " (rounded)" };
    Ok(format!("{expression} = {value}{rounded}"))
}

/// The `convert` tool: a number of one unit in another, as a statement.
///
/// # Errors
/// A sentence: an unknown unit, two units of different quantities, a number too large.
pub fn convert(value: &Value, from: &str, to: &str) -> Result<String, String> {
    let text = value.to_string();
    let number = Rational::parse(&text).ok_or_else(|| format!("{text} is too large"))?;
    let result = units::convert(&number, from, to)?;
    Ok(format!("{text} {from} = {result} {to}"))
}

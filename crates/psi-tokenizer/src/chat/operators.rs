//! Python's `~`, `+`, `*`, `%` and slices, charged to the budget before they allocate.

use std::sync::Arc;

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use super::budget::Budget;
use super::python::to_text;

type Result<T> = std::result::Result<T, Error>;

pub(super) fn invalid(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.into())
}

fn operands(operator: &str, left: &Value, right: &Value) -> Error {
    let (left, right) = (left.kind(), right.kind());
    invalid(format!("unsupported operand types for {operator}: {left} and {right}"))
}

/// `left ~ right`: the texts of both.
pub(super) fn concat(budget: &Arc<Budget>) -> Value {
    let budget = budget.clone();
    Value::from_function(move |left: &Value, right: &Value| -> Result<Value> {
        let (left, right) = (to_text(left)?, to_text(right)?);
        budget.charge(left.len() + right.len())?;
        Ok(Value::from([left, right].concat()))
    })
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

/// A number, with booleans as 0 and 1.
#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

fn number(value: &Value) -> Option<Number> {
    match value.kind() {
        ValueKind::Bool => Some(Number::Int(value.is_true().into())),
        ValueKind::Number if value.is_integer() => {
            i128::try_from(value.clone()).ok().map(Number::Int)
        }
        ValueKind::Number => f64::try_from(value.clone()).ok().map(Number::Float),
        _ => None,
    }
}

impl Number {
    fn as_float(self) -> f64 {
        match self {
            Self::Int(i) => i as f64,
            Self::Float(f) => f,
        }
    }
}

fn arithmetic(
    operator: &str,
    left: &Value,
    right: &Value,
    int: impl Fn(i128, i128) -> Option<i128>,
    float: impl Fn(f64, f64) -> Option<f64>,
) -> Result<Value> {
    let out_of_range = || invalid(format!("{operator}: the result is out of range"));
    match (number(left), number(right)) {
        (Some(Number::Int(a)), Some(Number::Int(b))) => {
            int(a, b).map(Value::from).ok_or_else(out_of_range)
        }
        (Some(a), Some(b)) => {
            float(a.as_float(), b.as_float()).map(Value::from).ok_or_else(out_of_range)
        }
        _ => Err(operands(operator, left, right)),
    }
}

/// `left + right`: texts, lists, tuples or numbers.
pub(super) fn add(budget: &Arc<Budget>) -> Value {
    let budget = budget.clone();
    Value::from_function(move |left: &Value, right: &Value| -> Result<Value> {
        if let (Some(a), Some(b)) = (left.as_str(), right.as_str()) {
            budget.charge(a.len() + b.len())?;
            return Ok(Value::from([a, b].concat()));
        }
        if is_list(left) && is_list(right) && left.is_tuple() == right.is_tuple() {
            let n = left.len().unwrap_or(0).saturating_add(right.len().unwrap_or(0));
            budget.charge_list(n)?;
            let items: Vec<Value> = left.try_iter()?.chain(right.try_iter()?).collect();
            return Ok(list_like(left, items));
        }
        arithmetic("+", left, right, i128::checked_add, |a, b| Some(a + b))
    })
}

fn list_like(model: &Value, items: Vec<Value>) -> Value {
    if model.is_tuple() { Value::from(Tuple::from(items)) } else { Value::from(items) }
}

/// `left * right`: numbers, or a text or list repeated.
pub(super) fn multiply(budget: &Arc<Budget>) -> Value {
    let budget = budget.clone();
    Value::from_function(move |left: &Value, right: &Value| -> Result<Value> {
        let (repeated, count) = if number(left).is_some() { (right, left) } else { (left, right) };
        let count = match number(count) {
            Some(Number::Int(n)) => usize::try_from(n.max(0)).unwrap_or(usize::MAX),
            _ => 0,
        };
        let is_repetition = number(left).is_some() != number(right).is_some();
        if let (true, Some(text)) = (is_repetition, repeated.as_str()) {
            budget.charge(text.len().saturating_mul(count))?;
            return Ok(Value::from(text.repeat(count)));
        }
        if is_repetition && is_list(repeated) {
            let items: Vec<Value> = repeated.try_iter()?.collect();
            budget.charge_list(items.len().saturating_mul(count))?;
            let n = items.len() * count;
            return Ok(list_like(repeated, items.into_iter().cycle().take(n).collect()));
        }
        arithmetic("*", left, right, i128::checked_mul, |a, b| Some(a * b))
    })
}

/// `left % right`: numbers with Python's sign, or a text formatted as by `printf`.
pub(super) fn remainder(budget: &Arc<Budget>) -> Value {
    let budget = budget.clone();
    Value::from_function(move |left: &Value, right: &Value| -> Result<Value> {
        if let Some(format) = left.as_str() {
            let args: Vec<Value> = match right.is_tuple() {
                true => right.try_iter()?.collect(),
                false => vec![right.clone()],
            };
            return format_percent(format, &args, &budget).map(Value::from);
        }
        let floored = |a: i128, b: i128| {
            a.checked_rem(b).map(|r| if r != 0 && (r < 0) != (b < 0) { r + b } else { r })
        };
        let float = |a: f64, b: f64| (b != 0.0).then(|| a - b * (a / b).floor());
        arithmetic("%", left, right, floored, float)
    })
}

/// `printf` formatting with `%s`, `%d`, `%i`, `%r`, `%f` (with a precision) and `%%`.
pub(super) fn format_percent(format: &str, args: &[Value], budget: &Budget) -> Result<String> {
    let mut out = String::new();
    let mut args = args.iter();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let spec = &rest[at + 1..];
        let len = spec.find(|c: char| !matches!(c, '.' | '0'..='9')).unwrap_or(spec.len());
        let (modifier, conversion) = spec.split_at(len);
        let kind = conversion.chars().next().ok_or_else(|| invalid("incomplete format"))?;
        rest = &conversion[kind.len_utf8()..];
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value = args.next().ok_or_else(|| invalid("not enough arguments for format string"))?;
        let text = match (kind, modifier) {
            ('s', "") => to_text(value)?.into_owned(),
            ('d' | 'i', "") => match number(value) {
                Some(n) => {
                    format!("{}", if let Number::Int(i) = n { i } else { n.as_float() as i128 })
                }
                None => return Err(operands("%", &Value::from(format), value)),
            },
            ('f', _) => {
                let precision = modifier.strip_prefix('.').map_or(Ok(6), str::parse::<usize>);
                match (number(value), precision) {
                    (Some(n), Ok(p)) if p <= 100 => format!("{:.p$}", n.as_float()),
                    _ => return Err(invalid(format!("the format %{modifier}f is not supported"))),
                }
            }
            _ => return Err(invalid(format!("the format %{modifier}{kind} is not supported"))),
        };
        budget.charge(text.len())?;
        out.push_str(&text);
    }
    if args.next().is_some() {
        return Err(invalid("not all arguments converted during string formatting"));
    }
    out.push_str(rest);
    Ok(out)
}

/// `value[start:stop:step]` of texts (by character), lists and tuples.
pub(super) fn slice(budget: &Arc<Budget>) -> Value {
    let budget = budget.clone();
    Value::from_function(
        move |value: &Value, start: &Value, stop: &Value, step: &Value| -> Result<Value> {
            let bound = |v: &Value| match number(v) {
                _ if v.is_none() => Ok(None),
                Some(Number::Int(i)) => Ok(Some(i.clamp(i64::MIN.into(), i64::MAX.into()) as i64)),
                _ => Err(invalid("slice indices must be integers or None")),
            };
            let (start, stop, step) = (bound(start)?, bound(stop)?, bound(step)?.unwrap_or(1));
            if step == 0 {
                return Err(invalid("slice step cannot be zero"));
            }
            if let Some(text) = value.as_str() {
                budget.charge(text.len())?;
                if text.is_ascii() {
                    let picked = indices(text.len(), start, stop, step).map(|i| text.as_bytes()[i]);
                    return Ok(Value::from(
                        String::from_utf8(picked.collect()).unwrap_or_default(),
                    ));
                }
                let chars: Vec<char> = text.chars().collect();
                let picked = indices(chars.len(), start, stop, step).map(|i| chars[i]);
                return Ok(Value::from(picked.collect::<String>()));
            }
            if value.is_undefined() {
                return Err(Error::new(ErrorKind::UndefinedError, "cannot slice undefined"));
            }
            if !is_list(value) {
                return Err(invalid(format!("{} is not subscriptable", value.kind())));
            }
            let items: Vec<Value> = value.try_iter()?.collect();
            budget.charge_list(items.len())?;
            let picked = indices(items.len(), start, stop, step).map(|i| items[i].clone());
            Ok(list_like(value, picked.collect()))
        },
    )
}

/// The indices of a slice (Python reference, 6.3.3 and `slice.indices`).
fn indices(
    len: usize,
    start: Option<i64>,
    stop: Option<i64>,
    step: i64,
) -> impl Iterator<Item = usize> {
    let len = len as i64;
    let (lowest, highest) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |i: i64| (if i < 0 { i.saturating_add(len) } else { i }).clamp(lowest, highest);
    let first = start.map_or(if step > 0 { lowest } else { highest }, clamp);
    let end = stop.map_or(if step > 0 { highest } else { lowest }, clamp);
    let mut at = first;
    std::iter::from_fn(move || {
        let inside = if step > 0 { at < end } else { at > end };
        let here = inside.then_some(at as usize);
        at = at.saturating_add(step);
        here
    })
}

/// `range`, at most 100,000 long as in Jinja's sandbox.
pub(super) fn range() -> Value {
    Value::from_function(minijinja::functions::range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_pick_what_python_picks() {
        type Case = (Option<i64>, Option<i64>, i64, &'static [usize]);
        let cases: [Case; 8] = [
            (None, None, 1, &[0, 1, 2, 3, 4]),
            (Some(1), None, 1, &[1, 2, 3, 4]),
            (Some(-2), None, 1, &[3, 4]),
            (None, Some(-1), 2, &[0, 2]),
            (None, None, -1, &[4, 3, 2, 1, 0]),
            (Some(3), Some(0), -2, &[3, 1]),
            (Some(9), Some(i64::MIN), -1, &[4, 3, 2, 1, 0]),
            (Some(2), Some(1), 1, &[]),
        ];
        for (start, stop, step, expected) in cases {
            let found: Vec<usize> = indices(5, start, stop, step).collect();
            assert_eq!(found, expected, "{start:?}:{stop:?}:{step}");
        }
    }
}

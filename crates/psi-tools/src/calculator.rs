//! Arithmetic that is exact as long as it can be: what the `calculate` tool answers.

use std::fmt;

use num_integer::Integer;
use num_traits::ToPrimitive;

use crate::Rational;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CalculatorError {
    /// The text is not an expression; holds the byte where reading stopped.
    Syntax(usize),
    /// A name that is neither a function nor a constant.
    UnknownName(String),
    /// A function got another number of values than it takes.
    Arity(&'static str),
    /// A function has no value there.
    Domain(&'static str),
    /// A comma between digits.
    Comma,
    /// Something is divided by zero.
    DivisionByZero,
    /// A number is too large, or a power too high.
    TooLarge,
}

impl fmt::Display for CalculatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(at) => write!(f, "the expression cannot be read at position {}", at + 1),
            Self::UnknownName(name) => write!(f, "there is no function called {name}"),
            Self::Arity(usage) => write!(f, "the function is used as {usage}"),
            Self::Domain(what) => write!(f, "{what} has no value there"),
            Self::Comma => f.write_str("write numbers without commas: 1234.5"),
            Self::DivisionByZero => f.write_str("division by zero"),
            Self::TooLarge => f.write_str("the number is too large"),
        }
    }
}

impl std::error::Error for CalculatorError {}

type Outcome = Result<Rational, CalculatorError>;

/// Longest expression in bytes.
const MAX_LENGTH: usize = 4096;

/// Deepest nesting of parentheses, signs and powers.
const MAX_DEPTH: usize = 64;

/// Largest number whose factorial is computed.
const MAX_FACTORIAL: u32 = 1000;

/// The value of an expression: `+ - * / ^ !`, `%` after a number, parentheses, decimals, the constants `pi` and `e`, and
/// functions by name: `sqrt(x)`, `round(x, places)`, `log(x, base)` and others.
///
/// # Errors
/// [`CalculatorError`].
pub fn evaluate(expression: &str) -> Outcome {
    if expression.len() > MAX_LENGTH {
        return Err(CalculatorError::TooLarge);
    }
    let mut reader = Reader { text: expression, at: 0, depth: 0 };
    let value = reader.sum()?;
    match reader.peek() {
        None => Ok(value),
        Some(',') => Err(CalculatorError::Comma),
        Some(_) => Err(CalculatorError::Syntax(reader.at)),
    }
}

/// A function: its name, how it is used, how many values it takes at least and at most, and what it computes.
struct Function {
    name: &'static str,
    usage: &'static str,
    arity: (usize, usize),
    compute: fn(&[Rational]) -> Outcome,
}

const fn function(
    name: &'static str,
    usage: &'static str,
    arity: (usize, usize),
    compute: fn(&[Rational]) -> Outcome,
) -> Function {
    Function { name, usage, arity, compute }
}

/// Most values of a function.
const MANY: usize = 64;

/// Every function; angles are in radians.
const FUNCTIONS: &[Function] = &[
    function("abs", "abs(x)", (1, 1), |v| {
        Ok(if v[0].is_negative() { v[0].negated() } else { v[0].clone() })
    }),
    function("acos", "acos(x)", (1, 1), |v| float("acos", f64::acos, &v[0])),
    function("asin", "asin(x)", (1, 1), |v| float("asin", f64::asin, &v[0])),
    function("atan", "atan(x)", (1, 1), |v| float("atan", f64::atan, &v[0])),
    function("cbrt", "cbrt(x)", (1, 1), |v| float("cbrt", f64::cbrt, &v[0])),
    function("ceil", "ceil(x)", (1, 1), |v| Ok(v[0].negated().floor().negated())),
    function("cos", "cos(x)", (1, 1), |v| float("cos", f64::cos, &v[0])),
    function("exp", "exp(x)", (1, 1), |v| float("exp", f64::exp, &v[0])),
    function("floor", "floor(x)", (1, 1), |v| Ok(v[0].floor())),
    function("gcd", "gcd(a, b)", (2, 2), |v| whole_pair(v, |a, b| a.gcd(b))),
    function("lcm", "lcm(a, b)", (2, 2), |v| whole_pair(v, |a, b| a.lcm(b))),
    function("ln", "ln(x)", (1, 1), |v| float("ln", f64::ln, &v[0])),
    function("log", "log(x) or log(x, base)", (1, 2), logarithm),
    function("log2", "log2(x)", (1, 1), |v| float("log2", f64::log2, &v[0])),
    function("max", "max(a, b, ...)", (1, MANY), |v| extreme(v, false)),
    function("min", "min(a, b, ...)", (1, MANY), |v| extreme(v, true)),
    function("mod", "mod(a, b)", (2, 2), remainder),
    function("round", "round(x) or round(x, places)", (1, 2), round),
    function("sin", "sin(x)", (1, 1), |v| float("sin", f64::sin, &v[0])),
    function("sqrt", "sqrt(x)", (1, 1), |v| v[0].root().ok_or(CalculatorError::Domain("sqrt"))),
    function("tan", "tan(x)", (1, 1), |v| float("tan", f64::tan, &v[0])),
];

fn too_large<T>(value: Option<T>) -> Result<T, CalculatorError> {
    value.ok_or(CalculatorError::TooLarge)
}

fn float(name: &'static str, f: fn(f64) -> f64, x: &Rational) -> Outcome {
    Rational::rounded(f(too_large(x.to_f64())?)).ok_or(CalculatorError::Domain(name))
}

fn whole_pair(
    values: &[Rational],
    f: fn(&num_bigint::BigInt, &num_bigint::BigInt) -> num_bigint::BigInt,
) -> Outcome {
    let whole = |x: &Rational| x.to_whole().cloned().ok_or(CalculatorError::Domain("a fraction"));
    too_large(Rational::new(f(&whole(&values[0])?, &whole(&values[1])?), 1.into()))
}

fn logarithm(values: &[Rational]) -> Outcome {
    let top = float("log", f64::ln, &values[0])?;
    let base = values
        .get(1)
        .map_or(Ok(std::f64::consts::LN_10), |b| too_large(b.to_f64()).map(f64::ln))?;
    let exact_tens = values.len() == 1 && !values[0].is_zero();
    if let (true, Some(n)) = (exact_tens, power_of_ten(&values[0])) {
        return Ok(Rational::whole(n));
    }
    let base = Rational::rounded(base).filter(|b| !b.is_zero());
    base.and_then(|b| top.over(&b)).ok_or(CalculatorError::Domain("log"))
}

/// n where `x` is 10^n.
fn power_of_ten(x: &Rational) -> Option<i64> {
    let guess = x.to_f64()?.log10().round() as i64;
    (Rational::whole(10).power(guess)? == *x).then_some(guess)
}

fn extreme(values: &[Rational], smallest: bool) -> Outcome {
    let mut best = &values[0];
    for x in &values[1..] {
        let less = too_large(x.minus(best))?.is_negative();
        if less == smallest {
            best = x;
        }
    }
    Ok(best.clone())
}

/// `a - b floor(a / b)`: the sign of the divisor.
fn remainder(values: &[Rational]) -> Outcome {
    let n = over(&values[0], &values[1])?.floor();
    too_large(n.times(&values[1]).and_then(|whole| values[0].minus(&whole)))
}

fn round(values: &[Rational]) -> Outcome {
    let places = values.get(1).map_or(Some(0), |p| p.to_whole()?.to_u32());
    let places = places.filter(|&p| p <= 100).ok_or(CalculatorError::Domain("round"))?;
    too_large(values[0].round(places))
}

fn over(a: &Rational, b: &Rational) -> Outcome {
    if b.is_zero() {
        return Err(CalculatorError::DivisionByZero);
    }
    too_large(a.over(b))
}

fn power(base: &Rational, exponent: &Rational) -> Outcome {
    if let Some(n) = exponent.to_whole() {
        if base.is_zero() && exponent.is_negative() {
            return Err(CalculatorError::DivisionByZero);
        }
        return too_large(n.to_i64().and_then(|n| base.power(n)));
    }
    if *exponent == Rational::ratio(1, 2) {
        return base.root().ok_or(CalculatorError::Domain("sqrt"));
    }
    let value = too_large(base.to_f64())?.powf(too_large(exponent.to_f64())?);
    Rational::rounded(value).ok_or(CalculatorError::Domain("the power"))
}

fn factorial(x: &Rational) -> Outcome {
    let n = x.to_whole().and_then(ToPrimitive::to_u32);
    let n = n.ok_or(CalculatorError::Domain("the factorial"))?;
    if n > MAX_FACTORIAL {
        return Err(CalculatorError::TooLarge);
    }
    let product = (1..=n).fold(num_bigint::BigInt::from(1), |product, k| product * k);
    too_large(Rational::new(product, 1.into()))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, any: &[char]) -> bool {
        let found = self.peek().filter(|c| any.contains(c));
        self.at += found.map_or(0, char::len_utf8);
        found.is_some()
    }

    fn deeper(&mut self, read: fn(&mut Self) -> Outcome) -> Outcome {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(CalculatorError::Syntax(self.at));
        }
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn sum(&mut self) -> Outcome {
        let mut value = self.product()?;
        loop {
            if self.take(&['+']) {
                value = too_large(value.plus(&self.product()?))?;
            } else if self.take(&['-', '−', '–']) {
                value = too_large(value.minus(&self.product()?))?;
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Outcome {
        let mut value = self.deeper(Self::signed)?;
        loop {
            if self.take(&['*', '×', '·']) {
                value = too_large(value.times(&self.deeper(Self::signed)?))?;
            } else if self.take(&['/', '÷']) {
                value = over(&value, &self.deeper(Self::signed)?)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn signed(&mut self) -> Outcome {
        if self.take(&['-', '−', '–']) {
            return Ok(self.deeper(Self::signed)?.negated());
        }
        self.raised()
    }

    fn raised(&mut self) -> Outcome {
        let mut base = self.atom()?;
        loop {
            if self.take(&['%']) {
                base = over(&base, &Rational::whole(100))?;
            } else if self.take(&['!']) {
                base = factorial(&base)?;
            } else {
                break;
            }
        }
        let starred = self.peek().is_some() && self.text[self.at..].starts_with("**");
        if starred {
            self.at += 2;
        }
        let raised = starred || self.take(&['^']);
        if raised { power(&base, &self.deeper(Self::signed)?) } else { Ok(base) }
    }

    fn atom(&mut self) -> Outcome {
        if self.take(&['(']) {
            let value = self.sum()?;
            return self.close(value);
        }
        match self.peek() {
            Some(c) if c.is_ascii_alphabetic() => self.named(),
            Some('π') => {
                self.at += 'π'.len_utf8();
                constant("pi")
            }
            _ => self.number(),
        }
    }

    fn close<T>(&mut self, value: T) -> Result<T, CalculatorError> {
        if self.take(&[')']) { Ok(value) } else { Err(CalculatorError::Syntax(self.at)) }
    }

    fn named(&mut self) -> Outcome {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        self.at += end;
        if !self.take(&['(']) {
            return constant(&name);
        }
        let function = FUNCTIONS.iter().find(|f| f.name == name);
        let function = function.ok_or(CalculatorError::UnknownName(name))?;
        let mut values = vec![self.sum()?];
        while self.take(&[',']) {
            values.push(self.sum()?);
        }
        let values = self.close(values)?;
        let (least, most) = function.arity;
        if !(least..=most).contains(&values.len()) {
            return Err(CalculatorError::Arity(function.usage));
        }
        (function.compute)(&values)
    }

    fn number(&mut self) -> Outcome {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let digits = &rest[..end];
        if digits.is_empty() || digits.starts_with('.') || digits.ends_with('.') {
            return Err(CalculatorError::Syntax(self.at));
        }
        if let Some(second) = digits.match_indices('.').nth(1) {
            return Err(CalculatorError::Syntax(self.at + second.0));
        }
        let value = too_large(Rational::parse(digits))?;
        self.at += end;
        Ok(value)
    }
}

fn constant(name: &str) -> Outcome {
    let value = match name {
        "pi" => std::f64::consts::PI,
        "e" => std::f64::consts::E,
        _ => return Err(CalculatorError::UnknownName(name.to_owned())),
    };
    Ok(Rational::rounded(value).expect("a constant is finite"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: &str) {
        let result = evaluate(expression).map_or_else(|e| e.to_string(), |v| v.to_string());
        assert_eq!(result, expected, "{expression}");
    }

    /// The cases of the tool that the bundled model was trained with.
    #[test]
    fn arithmetic_answers_as_in_training() {
        check("17 * 23", "391");
        check("0.1 + 0.2", "0.3");
        check("2 + 3 * 4 - 1", "13");
        check("(2 + 3) * 4", "20");
        check("7 / 2", "3.5");
        check("10 / 3", "3.3333");
        check("2 / 3", "0.6667");
        check("-2 / 3", "-0.6667");
        check("-3 - -5", "2");
        check("15% * 240", "36");
        check("2 ^ 10", "1024");
        check("2 ^ -2", "0.25");
        check("sqrt(144) + 1", "13");
        check("1 / 3 + 2 / 3", "1");
        check("1 / 8000", "0.000125");
        check("2 / 300000", "0.000006667");
        check("1 / 10 ^ 30", "0");
        check("99999.99995", "100000");
        check("2 +", "the expression cannot be read at position 4");
        check("2 $ 3", "the expression cannot be read at position 3");
        check("", "the expression cannot be read at position 1");
        check("(1", "the expression cannot be read at position 3");
        check("1 / 0", "division by zero");
        check("1 / (2 - 2)", "division by zero");
    }

    #[test]
    fn functions_constants_and_other_ways_to_write() {
        check("sqrt(2)", "1.4142");
        check("-2 ^ 2", "-4");
        check("2 ^ 3 ^ 2", "512");
        check("2 ** 3", "8");
        check("6 × 7 ÷ 2 − 1", "20");
        check("5! / 3!", "20");
        check("10%", "0.1");
        check("max(3, 7/2, -1) + min(2, 1)", "4.5");
        check("round(2.345, 2)", "2.35");
        check("round(-2.5)", "-3");
        check("floor(-2.5) + ceil(2.1)", "0");
        check("mod(-7, 3)", "2");
        check("gcd(12, 18) + lcm(4, 6)", "18");
        check("log(1000)", "3");
        check("log(8, 2)", "3");
        check("4 ^ 0.5", "2");
        check("27 ^ (1/3)", "3");
        check("sin(pi / 6)", "0.5");
        check("ln(e)", "1");
        check("2 ^ 100", "1267650600228229401496703205376");
    }

    #[test]
    fn what_has_no_value_says_why() {
        check("sqrt(-1)", "sqrt has no value there");
        check("ln(0)", "ln has no value there");
        check("frob(1)", "there is no function called frob");
        check("x + 1", "there is no function called x");
        check("gcd(1)", "the function is used as gcd(a, b)");
        check("1,234 + 1", "write numbers without commas: 1234.5");
        check("1.2.3", "the expression cannot be read at position 4");
        check("(-1)!", "the factorial has no value there");
        check("0 ^ -1", "division by zero");
        check("log(10, 1)", "log has no value there");
    }

    #[test]
    fn what_would_never_end_is_refused() {
        check("9 ^ 9 ^ 9", "the number is too large");
        check("1000000!", "the number is too large");
        check("exp(1000000)", "exp has no value there");
        check(&format!("{}1", "1+".repeat(5000)), "the number is too large");
        check(&"(".repeat(4000), "the expression cannot be read at position 65");
        check(&"-".repeat(4000), "the expression cannot be read at position 65");
    }
}

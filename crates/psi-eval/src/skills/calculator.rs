//! Exact arithmetic on fractions: what the `calculate` tool answers.

use std::fmt;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CalculatorError {
    /// The text is not an expression; holds the byte where reading stopped.
    Syntax(usize),
    /// Something is divided by zero.
    DivisionByZero,
    /// A number is too large, or a power too high.
    TooLarge,
    /// A root of something that is not a square, or of a negative number.
    NoRoot,
}

impl fmt::Display for CalculatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(at) => write!(f, "the expression cannot be read at position {}", at + 1),
            Self::DivisionByZero => f.write_str("division by zero"),
            Self::TooLarge => f.write_str("the number is too large"),
            Self::NoRoot => f.write_str("the number has no exact root"),
        }
    }
}

impl std::error::Error for CalculatorError {}

/// Decimal places of a result that does not end sooner; a smaller number than 1 gets as many more as it has
/// zeros after the point.
const DECIMALS: u32 = 4;

/// Most decimal places.
const MAX_DECIMALS: u32 = 16;

/// A fraction in lowest terms, the denominator positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    above: i128,
    below: i128,
}

type Outcome = Result<Fraction, CalculatorError>;

/// The value of an expression: `+ - * / ^`, parentheses, decimals, `%` after a number, `sqrt(x)`.
///
/// # Errors
/// [`CalculatorError`].
pub fn evaluate(expression: &str) -> Result<Fraction, CalculatorError> {
    let mut reader = Reader { text: expression.as_bytes(), at: 0, depth: 0 };
    let value = reader.sum()?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(CalculatorError::Syntax(reader.at)),
    }
}

impl Fraction {
    fn new(above: i128, below: i128) -> Outcome {
        if below == 0 {
            return Err(CalculatorError::DivisionByZero);
        }
        let g = gcd(above.unsigned_abs(), below.unsigned_abs()) as i128;
        let sign = below.signum();
        Ok(Self { above: above / g * sign, below: below / g * sign })
    }

    /// A whole number.
    pub fn whole(n: i64) -> Self {
        Self { above: i128::from(n), below: 1 }
    }

    /// Reads `12`, `-3.5`.
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, negative) = match text.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let mut reader = Reader { text: digits.as_bytes(), at: 0, depth: 0 };
        let value = reader.number().ok()?;
        let value = if negative { Self { above: -value.above, ..value } } else { value };
        (reader.at == digits.len()).then_some(value)
    }

    /// Whether what [`fmt::Display`] writes is the whole number, not a rounded one.
    pub fn is_short(self) -> bool {
        10_i128.pow(self.decimals()) % self.below == 0
    }

    fn decimals(self) -> u32 {
        let (mut above, below) = (self.above.unsigned_abs(), self.below.unsigned_abs());
        let mut n = DECIMALS;
        while n < MAX_DECIMALS && above > 0 && above.saturating_mul(10) < below {
            above = above.saturating_mul(10);
            n += 1;
        }
        n
    }

    /// Sum, or `None` when it is too large.
    pub fn plus(self, other: Self) -> Option<Self> {
        plus(self, other).ok()
    }

    /// Product, or `None` when it is too large.
    pub fn times(self, other: Self) -> Option<Self> {
        times(self, other).ok()
    }

    /// Quotient, or `None` when it is too large or divided by zero.
    pub fn over(self, other: Self) -> Option<Self> {
        over(self, other).ok()
    }
}

impl fmt::Display for Fraction {
    /// Decimal, rounded half away from zero, without zeros at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = self.decimals();
        let scale = 10_u128.pow(decimals);
        let (above, below) = (self.above.unsigned_abs(), self.below.unsigned_abs());
        let (mut whole, rest) = (above / below, above % below);
        // Numbers too large for the multiplication lose their last bits, which no longer matter.
        let spare = (2 * scale).ilog2() + 1;
        let shift = (128 - below.leading_zeros() + spare).saturating_sub(127);
        let (rest, below) = (rest >> shift, below >> shift);
        let mut places = (2 * rest * scale + below) / (2 * below);
        if places >= scale {
            whole += 1;
            places -= scale;
        }
        if self.above < 0 && (whole, places) != (0, 0) {
            f.write_str("-")?;
        }
        write!(f, "{whole}")?;
        if places > 0 {
            let digits = format!("{places:0width$}", width = decimals as usize);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

fn checked(above: Option<i128>, below: Option<i128>) -> Outcome {
    match (above, below) {
        (Some(above), Some(below)) => Fraction::new(above, below),
        _ => Err(CalculatorError::TooLarge),
    }
}

fn plus(a: Fraction, b: Fraction) -> Outcome {
    let (left, right) = (a.above.checked_mul(b.below), b.above.checked_mul(a.below));
    let above = left.zip(right).and_then(|(l, r)| l.checked_add(r));
    checked(above, a.below.checked_mul(b.below))
}

fn times(a: Fraction, b: Fraction) -> Outcome {
    checked(a.above.checked_mul(b.above), a.below.checked_mul(b.below))
}

fn over(a: Fraction, b: Fraction) -> Outcome {
    checked(a.above.checked_mul(b.below), a.below.checked_mul(b.above))
}

fn power(base: Fraction, exponent: Fraction) -> Outcome {
    if exponent.below != 1 || exponent.above.abs() > 512 {
        return Err(CalculatorError::TooLarge);
    }
    let mut value = Fraction::whole(1);
    for _ in 0..exponent.above.abs() {
        value = times(value, base)?;
    }
    if exponent.above < 0 { over(Fraction::whole(1), value) } else { Ok(value) }
}

fn root(x: Fraction) -> Outcome {
    let exact = |n: i128| {
        let r = u128::try_from(n).ok()?.isqrt() as i128;
        (r * r == n).then_some(r)
    };
    match (exact(x.above), exact(x.below)) {
        (Some(above), Some(below)) => Fraction::new(above, below),
        _ => Err(CalculatorError::NoRoot),
    }
}

/// Deepest nesting of parentheses and signs.
const MAX_DEPTH: usize = 64;

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn sum(&mut self) -> Outcome {
        let mut value = self.product()?;
        loop {
            if self.take(b'+') {
                value = plus(value, self.product()?)?;
            } else if self.take(b'-') {
                let Fraction { above, below } = self.product()?;
                value = plus(value, Fraction { above: -above, below })?;
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Outcome {
        let mut value = self.signed()?;
        loop {
            if self.take(b'*') {
                value = times(value, self.signed()?)?;
            } else if self.take(b'/') {
                value = over(value, self.signed()?)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn signed(&mut self) -> Outcome {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(CalculatorError::Syntax(self.at));
        }
        let value = if self.take(b'-') {
            self.signed().map(|Fraction { above, below }| Fraction { above: -above, below })
        } else {
            self.raised()
        };
        self.depth -= 1;
        value
    }

    fn raised(&mut self) -> Outcome {
        let mut base = self.atom()?;
        if self.take(b'%') {
            base = over(base, Fraction::whole(100))?;
        }
        if self.take(b'^') { power(base, self.signed()?) } else { Ok(base) }
    }

    fn atom(&mut self) -> Outcome {
        if self.take(b'(') {
            let value = self.sum()?;
            return if self.take(b')') { Ok(value) } else { Err(CalculatorError::Syntax(self.at)) };
        }
        self.peek();
        if self.text[self.at..].starts_with(b"sqrt(") {
            self.at += 4;
            self.depth += 1;
            return root(self.signed()?);
        }
        self.number()
    }

    fn number(&mut self) -> Outcome {
        self.peek();
        let start = self.at;
        let (mut above, mut below) = (0_i128, 1_i128);
        let mut point = false;
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'0'..=b'9' => {
                    let digit = i128::from(byte - b'0');
                    let next = above.checked_mul(10).and_then(|a| a.checked_add(digit));
                    above = next.ok_or(CalculatorError::TooLarge)?;
                    if point {
                        below = below.checked_mul(10).ok_or(CalculatorError::TooLarge)?;
                    }
                }
                b'.' if !point => point = true,
                _ => break,
            }
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        if text.is_empty() || text.first() == Some(&b'.') || text.last() == Some(&b'.') {
            return Err(CalculatorError::Syntax(start));
        }
        Fraction::new(above, below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: &str) {
        let result = evaluate(expression).map_or_else(|e| e.to_string(), |v| v.to_string());
        assert_eq!(result, expected, "{expression}");
    }

    #[test]
    fn arithmetic_is_exact() {
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
        check(
            "170141183460469231731687303715884105727 / 3",
            "56713727820156410577229101238628035242.3333",
        );
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        check("1 / 0", "division by zero");
        check("1 / (2 - 2)", "division by zero");
        check("2 +", "the expression cannot be read at position 4");
        check("2 $ 3", "the expression cannot be read at position 3");
        check("", "the expression cannot be read at position 1");
        check("(1", "the expression cannot be read at position 3");
        check("10 ^ 100", "the number is too large");
        check("sqrt(2)", "the number has no exact root");
        check(&"(".repeat(5000), "the expression cannot be read at position 65");
    }
}

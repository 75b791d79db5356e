//! Exact fractions of whole numbers of any size within a limit: what the calculator and the unit table compute with.

use std::fmt;

use num_bigint::{BigInt, BigUint, Sign};
use num_integer::Integer;
use num_traits::{One, Pow, Signed, ToPrimitive, Zero};

/// Longest numerator or denominator in bits, about 4,900 decimal digits.
const MAX_BITS: u64 = 1 << 14;

/// Decimal places of a number that does not end sooner; one smaller than 1 gets as many more as it has zeros after the point.
const DECIMALS: u32 = 4;

/// Most decimal places.
const MAX_DECIMALS: u32 = 16;

/// Decimal places to which a root without end is computed.
const ROOT_DECIMALS: u32 = 40;

/// A number, and whether it is known exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rational {
    above: BigInt,
    /// positive
    below: BigInt,
    exact: bool,
}

impl Rational {
    /// `above / below` in lowest terms; `None` when `below` is zero or a part is over 2^14 bits.
    pub fn new(above: BigInt, below: BigInt) -> Option<Self> {
        if below.is_zero() {
            return None;
        }
        let g = above.gcd(&below);
        let sign = if below.is_negative() { -BigInt::one() } else { BigInt::one() };
        let (above, below) = (above / &g * &sign, below / &g * sign);
        (above.bits() <= MAX_BITS && below.bits() <= MAX_BITS).then_some(Self {
            above,
            below,
            exact: true,
        })
    }

    /// A fraction of two small numbers.
    pub fn ratio(above: i64, below: i64) -> Self {
        Self::new(above.into(), below.into()).expect("a literal fraction has a denominator")
    }

    /// A whole number.
    pub fn whole(n: i64) -> Self {
        Self::ratio(n, 1)
    }

    /// The value of a floating-point result, marked as rounded; `None` for infinities and NaN.
    pub fn rounded(x: f64) -> Option<Self> {
        if !x.is_finite() {
            return None;
        }
        let bits = x.to_bits();
        let biased = (bits >> 52 & 0x7ff) as i64;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) =
            if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) };
        let signed = if x < 0.0 { -BigInt::from(mantissa) } else { BigInt::from(mantissa) };
        let scale = BigInt::one() << exponent.unsigned_abs();
        let (above, below) =
            if exponent < 0 { (signed, scale) } else { (signed * scale, BigInt::one()) };
        Some(Self { exact: false, ..Self::new(above, below)? })
    }

    /// Reads `12`, `-3.5`, `1e-7`.
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, places) = digits.split_once('.').unwrap_or((digits, "0"));
        let numeral = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let unsigned = whole.strip_prefix('-').unwrap_or(whole);
        if !numeral(unsigned) || !numeral(places) || text.len() > MAX_BITS as usize / 4 {
            return None;
        }
        let above: BigInt = format!("{whole}{places}").parse().ok()?;
        let n_places = i32::try_from(places.len()).ok()? - exponent;
        if n_places.unsigned_abs() as u64 > MAX_BITS / 4 {
            return None;
        }
        let scale = BigInt::from(10).pow(n_places.unsigned_abs());
        if n_places >= 0 { Self::new(above, scale) } else { Self::new(above * scale, One::one()) }
    }

    /// Whether what [`fmt::Display`] writes is the whole number.
    pub fn is_short(&self) -> bool {
        self.exact && (BigInt::from(10).pow(self.decimals()) % &self.below).is_zero()
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.above.is_zero()
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.above.is_negative()
    }

    /// The number, if it is whole.
    pub fn to_whole(&self) -> Option<&BigInt> {
        self.below.is_one().then_some(&self.above)
    }

    /// The nearest floating-point number.
    pub fn to_f64(&self) -> Option<f64> {
        // The quotient as a whole number of 64 bits or more, and the power of two that was taken out.
        let shift = 64 - (self.above.bits() as i64 - self.below.bits() as i64);
        let scaled = if shift >= 0 { &self.above << shift } else { &self.above >> -shift };
        let quotient = (scaled / &self.below).to_f64()?;
        // In two steps, so that neither factor leaves the range while the product is in it.
        let half = (-shift / 2) as i32;
        let value = quotient * 2_f64.powi(half) * 2_f64.powi(-shift as i32 - half);
        value.is_finite().then_some(value)
    }

    fn with(self, others: &[&Self]) -> Self {
        let exact = self.exact && others.iter().all(|o| o.exact);
        Self { exact, ..self }
    }

    /// Sum; `None` when it is too large.
    pub fn plus(&self, other: &Self) -> Option<Self> {
        let above = &self.above * &other.below + &other.above * &self.below;
        Some(Self::new(above, &self.below * &other.below)?.with(&[self, other]))
    }

    /// Difference; `None` when it is too large.
    pub fn minus(&self, other: &Self) -> Option<Self> {
        self.plus(&other.negated())
    }

    /// Product; `None` when it is too large.
    pub fn times(&self, other: &Self) -> Option<Self> {
        let (above, below) = (&self.above * &other.above, &self.below * &other.below);
        Some(Self::new(above, below)?.with(&[self, other]))
    }

    /// Quotient; `None` when `other` is zero or the quotient too large.
    pub fn over(&self, other: &Self) -> Option<Self> {
        let (above, below) = (&self.above * &other.below, &self.below * &other.above);
        Some(Self::new(above, below)?.with(&[self, other]))
    }

    /// The number with the other sign.
    pub fn negated(&self) -> Self {
        Self { above: -&self.above, below: self.below.clone(), exact: self.exact }
    }

    /// The largest whole number that is not larger.
    pub fn floor(&self) -> Self {
        Self { above: self.above.div_floor(&self.below), below: One::one(), exact: self.exact }
    }

    /// A whole power; `None` when it is too large, or a negative power of zero.
    pub fn power(&self, exponent: i64) -> Option<Self> {
        let n = exponent.unsigned_abs();
        let bits = self.above.bits().max(self.below.bits()).saturating_sub(1);
        if bits.saturating_mul(n) > MAX_BITS {
            return None;
        }
        let (above, below) = (Pow::pow(&self.above, n), Pow::pow(&self.below, n));
        let (above, below) = if exponent < 0 { (below, above) } else { (above, below) };
        Some(Self::new(above, below)?.with(&[self]))
    }

    /// The square root, exact where there is one, else to 40 places; `None` of a negative number or one too large.
    pub fn root(&self) -> Option<Self> {
        if self.is_negative() {
            return None;
        }
        let (above, below) = (self.above.sqrt(), self.below.sqrt());
        if &above * &above == self.above && &below * &below == self.below {
            return Some(Self::new(above, below)?.with(&[self]));
        }
        let scale = BigInt::from(10).pow(ROOT_DECIMALS);
        let root = (&self.above * &scale * &scale / &self.below).sqrt();
        Some(Self { exact: false, ..Self::new(root, scale)? })
    }

    /// Rounded half away from zero to this many places.
    pub fn round(&self, places: u32) -> Option<Self> {
        let scale = BigInt::from(10).pow(places);
        let (sign, scaled) = self.scaled(&scale);
        Some(Self::new(BigInt::from_biguint(sign, scaled), scale)?.with(&[self]))
    }

    /// Sign and magnitude of `self * scale`, rounded half away from zero.
    fn scaled(&self, scale: &BigInt) -> (Sign, BigUint) {
        let below = self.below.magnitude();
        let doubled = self.above.magnitude() * scale.magnitude() * 2_u32 + below;
        let magnitude = doubled / (below * 2_u32);
        let sign = if magnitude.is_zero() { Sign::NoSign } else { self.above.sign() };
        (sign, magnitude)
    }

    fn decimals(&self) -> u32 {
        let (mut above, below) = (self.above.magnitude().clone(), self.below.magnitude());
        let mut n = DECIMALS;
        above *= 10_u32;
        while n < MAX_DECIMALS && !above.is_zero() && above < *below {
            above *= 10_u32;
            n += 1;
        }
        n
    }
}

impl fmt::Display for Rational {
    /// Decimal, rounded half away from zero, without zeros at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = self.decimals() as usize;
        let scale = BigInt::from(10).pow(self.decimals());
        let (sign, magnitude) = self.scaled(&scale);
        let digits = format!("{magnitude:0>width$}", width = decimals + 1);
        let (whole, places) = digits.split_at(digits.len() - decimals);
        let sign = if sign == Sign::Minus { "-" } else { "" };
        write!(f, "{sign}{whole}")?;
        match places.trim_end_matches('0') {
            "" => Ok(()),
            places => write!(f, ".{places}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_and_print_exactly() {
        for (text, printed) in [
            ("12", "12"),
            ("-3.50", "-3.5"),
            ("1e3", "1000"),
            ("2.5e-3", "0.0025"),
            ("0.000006666666", "0.000006667"),
            ("99999.99995", "100000"),
            ("-0.00000000000000000001", "0"),
        ] {
            assert_eq!(Rational::parse(text).unwrap().to_string(), printed, "{text}");
        }
        for text in ["", "-", ".5", "5.", "1e", "1e99999", "NaN", "1_000", "0x10"] {
            assert_eq!(Rational::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_floating_point_result_is_never_called_exact() {
        let half = Rational::rounded(0.5).unwrap();
        assert_eq!((half.to_string().as_str(), half.exact), ("0.5", false));
        assert_eq!(Rational::rounded(-1e-300).unwrap().to_f64(), Some(-1e-300));
        assert_eq!(Rational::rounded(f64::NAN), None);
        let sum = half.plus(&Rational::whole(1)).unwrap();
        assert!(!sum.exact && !sum.is_short());
    }

    #[test]
    fn numbers_stay_within_the_limit() {
        let two = Rational::whole(2);
        assert!(two.power(16_000).is_some());
        assert_eq!(two.power(20_000), None);
        assert_eq!(Rational::whole(0).power(-1), None);
        assert_eq!(Rational::whole(-4).root(), None);
        assert_eq!(Rational::whole(1).power(i64::MIN), Some(Rational::whole(1)));
    }
}

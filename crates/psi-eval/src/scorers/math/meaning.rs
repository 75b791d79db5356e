//! What an answer means, and when two mean the same.

use super::complex::Complex;

/// A formula.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A number as written; with a decimal point it stands for what rounds to it.
    Number {
        value: f64,
        is_decimal: bool,
    },
    /// pi or e.
    Constant(f64),
    I,
    Infinity,
    /// An unknown.
    Name(String),
    Negative(Box<Self>),
    Sum(Box<Self>, Box<Self>),
    Product(Box<Self>, Box<Self>),
    Ratio(Box<Self>, Box<Self>),
    Power(Box<Self>, Box<Self>),
    Call(Function, Vec<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    Asin,
    Acos,
    Atan,
    Ln,
    /// Of the second argument, to the base of the first.
    Log,
    Abs,
    Floor,
    Ceil,
    Factorial,
    Binomial,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    AtMost,
    Unequal,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Value(Node),
    /// Brackets with what is between the commas: a tuple, a vector, an interval.
    Tuple(char, Vec<Self>, char),
    /// In any order: a set, or values with commas or "or" between them.
    Set(Vec<Self>),
    Union(Vec<Self>),
    Relation(Order, Node, Node),
    Matrix(Vec<Vec<Node>>),
}

impl Answer {
    /// A value times a number; anything else as it is.
    pub(super) fn times(&self, factor: f64) -> Self {
        match self {
            Self::Value(node) if factor != 1.0 => {
                let factor = Node::Number { value: factor, is_decimal: true };
                Self::Value(Node::Product(Box::new(factor), Box::new(node.clone())))
            }
            other => other.clone(),
        }
    }
}

/// Whether two answers mean the same.
pub(super) fn equal(a: &Answer, b: &Answer) -> bool {
    use Answer::{Matrix, Relation, Set, Tuple, Union, Value};
    match (a, b) {
        (Value(x), Value(y)) => same_value(x, y),
        (Relation(p, l, r), Relation(q, m, s)) => same_relation((*p, l, r), (*q, m, s)),
        // The name of an unknown may be left out.
        (Relation(Order::Equal, Node::Name(_), value), other @ Value(_))
        | (other @ Value(_), Relation(Order::Equal, Node::Name(_), value)) => {
            equal(&Value(value.clone()), other)
        }
        (Tuple(o, x, c), Tuple(p, y, d)) => {
            o == p && c == d && x.len() == y.len() && x.iter().zip(y).all(|(x, y)| equal(x, y))
        }
        (Set(x), Set(y)) | (Union(x), Union(y)) => same_set(x, y),
        (Set(x), other) | (other, Set(x)) if x.len() == 1 => equal(&x[0], other),
        (Matrix(x), Matrix(y)) => {
            let same_row = |(x, y): (&Vec<Node>, &Vec<Node>)| {
                x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same_value(x, y))
            };
            x.len() == y.len() && x.iter().zip(y).all(same_row)
        }
        _ => false,
    }
}

/// Each of one has its own partner in the other.
fn same_set(x: &[Answer], y: &[Answer]) -> bool {
    let mut left: Vec<&Answer> = y.iter().collect();
    x.len() == y.len()
        && x.iter().all(|x| {
            let partner = left.iter().position(|y| equal(x, y));
            partner.map(|i| left.swap_remove(i)).is_some()
        })
}

fn same_relation(a: (Order, &Node, &Node), b: (Order, &Node, &Node)) -> bool {
    if a.0 != b.0 {
        return false;
    }
    if same_value(a.1, b.1) && same_value(a.2, b.2) {
        return true;
    }
    // An equation is its difference being zero, up to a factor that is not.
    let difference = |(_, left, right): (Order, &Node, &Node)| {
        Node::Sum(Box::new(left.clone()), Box::new(Node::Negative(Box::new(right.clone()))))
    };
    let is_symmetric = matches!(a.0, Order::Equal | Order::Unequal);
    let (p, q) = (difference(a), difference(b));
    let ratios: Vec<Option<Complex>> = POINTS
        .iter()
        .map(|&point| Some(p.at(point)? / q.at(point)?))
        .map(|ratio| ratio.filter(|r| r.abs().is_finite() && r.abs() > 0.0))
        .collect();
    let first = ratios.first().copied().flatten();
    first.is_some_and(|first| {
        (is_symmetric || first.re > 0.0)
            && ratios.iter().all(|r| r.is_some_and(|r| (r - first).abs() <= EXACT * first.abs()))
    })
}

/// Seeds of the values that unknowns take.
const POINTS: [u64; 4] = [1, 2, 3, 4];
/// Relative distance of values that are the same but for rounding.
const EXACT: f64 = 1e-9;
/// Distance of a decimal from what it stands for: six places.
const ROUNDED: f64 = 5e-7;

fn same_value(a: &Node, b: &Node) -> bool {
    if let (Some(a), Some(b)) = (a.infinity(), b.infinity()) {
        return a == b;
    }
    let is_rounded = a.has_decimal() != b.has_decimal() && a.is_rational() && b.is_rational();
    POINTS.iter().all(|&point| match (a.at(point), b.at(point)) {
        (Some(x), Some(y)) => {
            let distance = (x - y).abs();
            let size = x.abs().max(y.abs());
            let allowed = if is_rounded { ROUNDED } else { 0.0 };
            distance.is_finite() && distance <= allowed.max(EXACT * size)
        }
        _ => false,
    })
}

impl Node {
    /// Its sign when it is infinite.
    fn infinity(&self) -> Option<bool> {
        match self {
            Self::Infinity => Some(true),
            Self::Negative(inner) => inner.infinity().map(|sign| !sign),
            _ => None,
        }
    }

    fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Negative(a) => vec![a],
            Self::Sum(a, b) | Self::Product(a, b) | Self::Ratio(a, b) | Self::Power(a, b) => {
                vec![a, b]
            }
            Self::Call(_, arguments) => arguments.iter().collect(),
            _ => Vec::new(),
        }
    }

    fn has_decimal(&self) -> bool {
        matches!(self, Self::Number { is_decimal: true, .. })
            || self.parts().into_iter().any(Self::has_decimal)
    }

    /// Only numbers and the four operations.
    fn is_rational(&self) -> bool {
        let here = match self {
            Self::Number { .. }
            | Self::Negative(_)
            | Self::Sum(..)
            | Self::Product(..)
            | Self::Ratio(..) => true,
            Self::Power(_, n) => matches!(**n, Self::Number { is_decimal: false, .. }),
            _ => false,
        };
        here && self.parts().into_iter().all(Self::is_rational)
    }

    /// Its value where the unknowns have the values of a point; `None` where it has none.
    fn at(&self, point: u64) -> Option<Complex> {
        Some(match self {
            Self::Number { value, .. } | Self::Constant(value) => Complex::real(*value),
            Self::I => Complex::I,
            Self::Infinity => return None,
            Self::Name(name) => value_of(name, point),
            Self::Negative(a) => -a.at(point)?,
            Self::Sum(a, b) => a.at(point)? + b.at(point)?,
            Self::Product(a, b) => a.at(point)? * b.at(point)?,
            Self::Ratio(a, b) => a.at(point)? / b.at(point)?,
            Self::Power(a, b) => a.at(point)?.pow(b.at(point)?),
            Self::Call(function, arguments) => {
                let values: Option<Vec<Complex>> = arguments.iter().map(|a| a.at(point)).collect();
                function.of(&values?)?
            }
        })
    }
}

/// A complex number that a name and a point decide.
fn value_of(name: &str, point: u64) -> Complex {
    let seed = name.bytes().fold(point, |hash, byte| psi_infer::rng::mix(hash ^ u64::from(byte)));
    let draw = |i| psi_infer::rng::uniform(seed, i);
    Complex { re: 0.5 + 2.0 * draw(0), im: draw(1) - 0.5 }
}

impl Function {
    fn of(self, arguments: &[Complex]) -> Option<Complex> {
        let one = Complex::real(1.0);
        let x = *arguments.first()?;
        Some(match self {
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Tan => x.sin() / x.cos(),
            Self::Cot => x.cos() / x.sin(),
            Self::Sec => one / x.cos(),
            Self::Csc => one / x.sin(),
            Self::Asin => x.asin(),
            Self::Acos => Complex::real(std::f64::consts::FRAC_PI_2) - x.asin(),
            Self::Atan => x.atan(),
            Self::Ln => x.ln(),
            Self::Log => arguments.get(1)?.ln() / x.ln(),
            Self::Abs => Complex::real(x.abs()),
            Self::Floor if x.im == 0.0 => Complex::real(x.re.floor()),
            Self::Ceil if x.im == 0.0 => Complex::real(x.re.ceil()),
            Self::Factorial => Complex::real(factorial(x)?),
            Self::Binomial => {
                let (n, k) = (x, *arguments.get(1)?);
                Complex::real(factorial(n)? / (factorial(k)? * factorial(n - k)?))
            }
            Self::Floor | Self::Ceil => return None,
        })
    }
}

/// Of whole numbers that floats can hold.
fn factorial(x: Complex) -> Option<f64> {
    let is_whole = x.im == 0.0 && x.re.fract() == 0.0 && (0.0..=170.0).contains(&x.re);
    is_whole.then(|| (1..=x.re as u32).map(f64::from).product())
}

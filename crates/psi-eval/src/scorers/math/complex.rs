//! Complex numbers, as far as answers need them.

use std::ops::{Add, Div, Mul, Neg, Sub};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Complex {
    pub(super) re: f64,
    pub(super) im: f64,
}

impl Complex {
    pub(super) const I: Self = Self { re: 0.0, im: 1.0 };

    pub(super) const fn real(re: f64) -> Self {
        Self { re, im: 0.0 }
    }

    pub(super) fn abs(self) -> f64 {
        self.re.hypot(self.im)
    }

    pub(super) fn exp(self) -> Self {
        let size = self.re.exp();
        if self.im == 0.0 {
            return Self::real(size);
        }
        Self { re: size * self.im.cos(), im: size * self.im.sin() }
    }

    /// The principal logarithm.
    pub(super) fn ln(self) -> Self {
        Self { re: self.abs().ln(), im: self.im.atan2(self.re) }
    }

    /// The principal power; whole exponents are exact where floats are.
    pub(super) fn pow(self, exponent: Self) -> Self {
        if exponent.im == 0.0 && exponent.re.fract() == 0.0 && exponent.re.abs() <= 1024.0 {
            let mut power = Self::real(1.0);
            for _ in 0..exponent.re.abs() as u32 {
                power = power * self;
            }
            return if exponent.re < 0.0 { Self::real(1.0) / power } else { power };
        }
        if self.im == 0.0 && exponent.im == 0.0 && self.re >= 0.0 {
            return Self::real(self.re.powf(exponent.re));
        }
        (self.ln() * exponent).exp()
    }

    pub(super) fn sin(self) -> Self {
        let (a, b) = ((Self::I * self).exp(), (-(Self::I * self)).exp());
        if self.im == 0.0 { Self::real(self.re.sin()) } else { (a - b) / (Self::I + Self::I) }
    }

    pub(super) fn cos(self) -> Self {
        let (a, b) = ((Self::I * self).exp(), (-(Self::I * self)).exp());
        if self.im == 0.0 { Self::real(self.re.cos()) } else { (a + b) / Self::real(2.0) }
    }

    /// -i ln(iz + sqrt(1 - z^2)).
    pub(super) fn asin(self) -> Self {
        let root = (Self::real(1.0) - self * self).pow(Self::real(0.5));
        -(Self::I * (Self::I * self + root).ln())
    }

    /// i/2 (ln(1 - iz) - ln(1 + iz)).
    pub(super) fn atan(self) -> Self {
        let (one, iz) = (Self::real(1.0), Self::I * self);
        Self { re: 0.0, im: 0.5 } * ((one - iz).ln() - (one + iz).ln())
    }
}

impl Add for Complex {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        Self { re: self.re + b.re, im: self.im + b.im }
    }
}

impl Sub for Complex {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        Self { re: self.re - b.re, im: self.im - b.im }
    }
}

impl Mul for Complex {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        if self.im == 0.0 && b.im == 0.0 {
            return Self::real(self.re * b.re);
        }
        Self { re: self.re * b.re - self.im * b.im, im: self.re * b.im + self.im * b.re }
    }
}

impl Div for Complex {
    type Output = Self;
    fn div(self, b: Self) -> Self {
        if self.im == 0.0 && b.im == 0.0 {
            return Self::real(self.re / b.re);
        }
        let size = b.re * b.re + b.im * b.im;
        let top = self * Self { re: b.re, im: -b.im };
        Self { re: top.re / size, im: top.im / size }
    }
}

impl Neg for Complex {
    type Output = Self;
    fn neg(self) -> Self {
        Self { re: -self.re, im: -self.im }
    }
}

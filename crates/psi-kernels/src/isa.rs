//! Instruction-set tiers: detected once, lowered by `PSI_ISA`, carried as a value.

use std::{fmt, str::FromStr, sync::OnceLock};

/// A rung of the ladder of instruction sets psi has kernels for, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Plain Rust; whatever the target's baseline vectorises to, without FMA contraction.
    Portable,
    /// aarch64 with Advanced SIMD (baseline there).
    Neon,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX-512 F, BW, VL and DQ.
    Avx512,
    /// [`Tier::Avx512`] with VNNI (int8 dot products) and BF16 (bf16 dot products).
    Avx512Vnni,
    /// [`Tier::Avx512Vnni`] with AMX tiles for int8 and bf16.
    Amx,
}

impl Tier {
    /// Every tier, lowest first.
    pub const ALL: [Self; 6] =
        [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512, Self::Avx512Vnni, Self::Amx];

    /// The name used by `PSI_ISA` and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Vnni => "avx512vnni",
            Self::Amx => "amx",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Tier {
    type Err = IsaError;

    fn from_str(s: &str) -> Result<Self, IsaError> {
        Self::ALL
            .into_iter()
            .find(|t| t.name().eq_ignore_ascii_case(s))
            .ok_or_else(|| IsaError::Unknown { name: s.to_owned() })
    }
}

/// A tier this machine has: proof, in the type system, that its instructions may be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Isa(Tier);

impl Isa {
    /// The tier that every machine has.
    pub const PORTABLE: Self = Self(Tier::Portable);

    /// The highest tier of this machine.
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Self(detect()))
    }

    /// The highest tier, lowered to the one `PSI_ISA` names.
    ///
    /// # Errors
    /// [`IsaError`] when the variable names no tier, or one this machine lacks.
    #[expect(clippy::disallowed_methods, reason = "the one home of PSI_ISA")]
    pub fn from_env() -> Result<Self, IsaError> {
        match std::env::var("PSI_ISA") {
            Ok(name) if !name.is_empty() => Self::best().lowered(name.parse()?),
            _ => Ok(Self::best()),
        }
    }

    /// This tier or a lower one by name.
    ///
    /// # Errors
    /// [`IsaError::Missing`] when this machine does not have `tier`.
    pub fn lowered(self, tier: Tier) -> Result<Self, IsaError> {
        if Self::available().iter().any(|isa| isa.0 == tier) && tier <= self.0 {
            Ok(Self(tier))
        } else {
            Err(IsaError::Missing { tier, best: self.0 })
        }
    }

    /// Every tier of this machine, lowest first.
    pub fn available() -> Vec<Self> {
        let best = Self::best().0;
        let ladder: &[Tier] = match best {
            Tier::Neon => &[Tier::Portable, Tier::Neon],
            _ => &[Tier::Portable, Tier::Avx2, Tier::Avx512, Tier::Avx512Vnni, Tier::Amx],
        };
        ladder.iter().copied().filter(|&t| t <= best).map(Self).collect()
    }

    /// The tier this value proves.
    pub fn tier(self) -> Tier {
        self.0
    }

    /// Whether this tier has at least the instructions of x86 `tier`.
    pub fn has(self, tier: Tier) -> bool {
        self.0 >= tier && (tier == Tier::Portable || (self.0 == Tier::Neon) == (tier == Tier::Neon))
    }
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Tier {
    let avx2 = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    let avx512 = avx2
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq");
    let vnni =
        avx512 && is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512bf16");
    match () {
        () if vnni && crate::amx::request_permission() => Tier::Amx,
        () if vnni => Tier::Avx512Vnni,
        () if avx512 => Tier::Avx512,
        () if avx2 => Tier::Avx2,
        () => Tier::Portable,
    }
}

#[cfg(target_arch = "aarch64")]
fn detect() -> Tier {
    Tier::Neon
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn detect() -> Tier {
    Tier::Portable
}

/// Why a tier could not be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IsaError {
    /// The name is no tier's.
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The machine (or the tier being lowered) does not have it.
    Missing {
        /// What was asked for.
        tier: Tier,
        /// The highest tier there is.
        best: Tier,
    },
}

impl fmt::Display for IsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => {
                write!(f, "PSI_ISA: no tier is called '{name}' (")?;
                for (i, tier) in Tier::ALL.iter().enumerate() {
                    write!(f, "{}{tier}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Self::Missing { tier, best } => {
                write!(f, "this machine has no '{tier}' (its highest tier is '{best}')")
            }
        }
    }
}

impl std::error::Error for IsaError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_available_tier_can_be_chosen_and_none_above_the_best() {
        let best = Isa::best();
        for isa in Isa::available() {
            assert_eq!(best.lowered(isa.tier()), Ok(isa));
            assert!(best.has(isa.tier()));
        }
        assert_eq!(Isa::available().last().copied(), Some(best));
        assert!(Isa::PORTABLE.lowered(Tier::Amx).is_err());
    }

    #[test]
    fn a_tier_name_is_parsed_and_a_wrong_one_lists_the_choices() {
        for tier in Tier::ALL {
            assert_eq!(tier.name().parse(), Ok(tier));
        }
        let message = "sse9".parse::<Tier>().map_err(|e| e.to_string());
        assert!(message.is_err_and(|m| m.contains("sse9") && m.contains("avx512vnni")));
    }
}

//! Initial values, addressed by (seed, tensor, element): the same on any machine and any number of threads.

use psi_infer::rng::uniform;
use psi_model::{Role, TensorInfo};

/// How a new model starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Init {
    pub(crate) seed: u64,
    /// Deviation of a matrix times the square root of its inputs.
    pub(crate) gain: f64,
    /// Deviation of the embedding.
    pub(crate) embed: f64,
    /// Whether w_o and w_down start at zero (Zhang et al. 2019, Fixup); else their deviation is divided by
    /// the square root of the number of residual branches (Radford et al. 2019, section 2.3).
    pub(crate) zero_out: bool,
    pub(crate) n_layers: usize,
}

impl Init {
    /// The values of tensor number `index`.
    pub(crate) fn values(&self, index: usize, info: &TensorInfo) -> Vec<f32> {
        let len = info.n * info.k;
        let by_fan_in = self.gain / (info.k as f64).sqrt();
        let std = match info.id.role {
            role if role.is_norm() => return vec![1.0; len],
            role if role.is_bias() => return vec![0.0; len],
            Role::O | Role::Down | Role::ExpertDown if self.zero_out => return vec![0.0; len],
            Role::O | Role::Down | Role::ExpertDown => {
                by_fan_in / (2.0 * self.n_layers as f64).sqrt()
            }
            Role::Embed | Role::Positions => self.embed,
            _ => by_fan_in,
        };
        normals(self.seed, index as u64, len, std)
    }
}

/// `len` normal numbers of deviation `std`: stream `stream` of `seed`. Box and Muller 1958.
pub(crate) fn normals(seed: u64, stream: u64, len: usize, std: f64) -> Vec<f32> {
    // Streams 2^40 draws apart never meet.
    let first = stream << 40;
    let normal = |i: usize| {
        let at = first + 2 * i as u64;
        let radius = (-2.0 * (1.0 - uniform(seed, at)).ln()).sqrt();
        (std * radius * (std::f64::consts::TAU * uniform(seed, at + 1)).cos()) as f32
    };
    (0..len).map(normal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_their_mean_and_deviation_and_streams_differ() {
        let x = normals(7, 3, 40_000, 0.5);
        let n = x.len() as f64;
        let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let var = x.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 0.01 && (var - 0.25).abs() < 0.01, "{mean} {var}");
        let beyond = x.iter().filter(|v| v.abs() > 1.0).count() as f64 / n; // two deviations
        assert!((beyond - 0.0455).abs() < 0.005, "{beyond}");
        assert_ne!(x[..8], normals(7, 4, 8, 0.5)[..]);
        assert_eq!(x[..8], normals(7, 3, 8, 0.5)[..]);
    }
}

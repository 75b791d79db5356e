//! What one token costs: the matrices its forward pass multiplies with.

use psi_kernels::Format;

use crate::{Decoder, tensors::Role};
use psi_tensor::Parameter;

/// The matrices of one token's forward pass. Of a mixture's experts the chosen ones count; an embedding
/// that is only looked up does not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Footprint {
    /// Weights multiplied per token; two operations each.
    pub n_weights: f64,
    /// Bytes of panels read per token.
    pub bytes: f64,
    /// The format that holds most of those bytes.
    pub format: Format,
}

impl Decoder {
    /// What one token costs.
    pub fn footprint(&self) -> Footprint {
        let config = self.config();
        let active = config.moe.map_or(1.0, |m| m.top_k as f64 / m.n_experts as f64);
        let tied = config.tied_embeddings;
        let mut by_format: Vec<(Format, f64)> = Vec::new();
        let mut n_weights = 0.0;
        self.clone().for_each_parameter(&mut |info, parameter| {
            let share = match info.id.role {
                Role::Embed if !tied => 0.0,
                Role::Positions => 0.0,
                Role::ExpertGate | Role::ExpertUp | Role::ExpertDown => active,
                _ => 1.0,
            };
            if let Parameter::Weight(w) = parameter {
                n_weights += share * (w.n() * w.k()) as f64;
                let bytes = share * w.matrix().bytes() as f64;
                match by_format.iter_mut().find(|(format, _)| *format == w.format()) {
                    Some((_, sum)) => *sum += bytes,
                    None => by_format.push((w.format(), bytes)),
                }
            }
        });
        let bytes = by_format.iter().map(|(_, b)| b).sum();
        let most = by_format.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        Footprint { n_weights, bytes, format: most.map_or(Format::F32, |(format, _)| *format) }
    }
}

//! One step of the optimisers over everything that is trained, and their state by name.

use std::collections::HashMap;

use psi_kernels::{Cpu, gemm::Compute};
use psi_model::Decoder;
use psi_tensor::{
    Gradients, Parameter,
    optim::{AdamW, Moments, Muon, Rate, clip_factor},
};

use super::parameters::{Group, for_each_trained};

/// The recipe's `[optim]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OptimConfig {
    /// Hidden matrices by Muon.
    pub(crate) muon: bool,
    pub(crate) lr: f64,
    pub(crate) muon_lr: f64,
    pub(crate) momentum: f32,
    pub(crate) betas: [f32; 2],
    pub(crate) eps: f32,
    pub(crate) weight_decay: f32,
    /// Decay only where the update shrinks the weight too. Chen et al. 2025 (cautious weight decay).
    pub(crate) cautious: bool,
    /// Largest norm of the gradient; 0: no limit.
    pub(crate) clip: f64,
    /// What Muon's products are computed in.
    pub(crate) compute: Compute,
}

/// AdamW and Muon, each for its groups.
#[derive(Debug)]
pub(crate) struct Optimiser {
    config: OptimConfig,
    adamw: AdamW,
    muon: Muon,
}

/// Names and values of the optimisers' state, for a checkpoint.
pub(crate) type Tensors = Vec<(String, Vec<f32>)>;

impl Optimiser {
    pub(crate) fn new(config: OptimConfig) -> Self {
        let adamw = AdamW::new(config.betas, config.eps);
        Self { config, adamw, muon: Muon::new(config.momentum) }
    }

    /// Steps so far.
    pub(crate) fn steps(&self) -> u64 {
        self.adamw.steps()
    }

    /// Moves every parameter along its gradient, whose global norm is `norm`, at `factor` times the peak
    /// rates.
    pub(crate) fn step(
        &mut self,
        cpu: &Cpu,
        decoder: &mut Decoder,
        gradients: &Gradients,
        norm: f64,
        factor: f64,
    ) {
        let config = self.config;
        let grad_scale = if config.clip > 0.0 { clip_factor(norm, config.clip) } else { 1.0 };
        self.adamw.begin_step();
        for_each_trained(decoder, &mut |_, group, parameter| {
            let by_muon = config.muon && group == Group::Hidden;
            let lr = (factor * if by_muon { config.muon_lr } else { config.lr }) as f32;
            let decay = if group == Group::Vector { 0.0 } else { config.weight_decay };
            let weight_decay = if config.cautious { 0.0 } else { decay };
            let rate = Rate { lr, weight_decay, grad_scale };
            let before = (config.cautious && decay > 0.0).then(|| parameter.to_f32(cpu));
            match by_muon {
                true => self.muon.update(cpu, parameter, gradients, rate, config.compute),
                false => self.adamw.update(cpu, parameter, gradients, rate),
            }
            if let Some(before) = before {
                decay_cautiously(cpu, parameter, &before, lr * decay);
            }
        });
    }

    /// The state of every parameter that has one: `NAME.m` and `NAME.v` of AdamW, `NAME.momentum` of Muon.
    pub(crate) fn tensors(&self, decoder: &mut Decoder) -> Tensors {
        let mut tensors = Tensors::new();
        for_each_trained(decoder, &mut |name, _, parameter| {
            let Some(id) = parameter.id() else { return };
            if let Some(Moments { first, second }) = self.adamw.moments(id) {
                tensors.push((format!("{name}.m"), first.clone()));
                tensors.push((format!("{name}.v"), second.clone()));
            }
            if let Some(momentum) = self.muon.momentum_of(id) {
                tensors.push((format!("{name}.momentum"), momentum.to_vec()));
            }
        });
        tensors
    }

    /// Goes back to the state after `steps` steps, from what [`Optimiser::tensors`] gave.
    pub(crate) fn restore(
        &mut self,
        decoder: &mut Decoder,
        steps: u64,
        tensors: &mut HashMap<String, Vec<f32>>,
    ) {
        self.adamw.restore(steps);
        for_each_trained(decoder, &mut |name, _, parameter| {
            let Some(id) = parameter.id() else { return };
            let mut take = |part: &str| tensors.remove(&format!("{name}.{part}"));
            if let (Some(first), Some(second)) = (take("m"), take("v")) {
                self.adamw.restore_moments(id, Moments { first, second });
            }
            if let Some(momentum) = take("momentum") {
                self.muon.restore(id, momentum);
            }
        });
    }
}

/// w -= `by` w where the step from `before` already went towards zero.
fn decay_cautiously(cpu: &Cpu, parameter: &mut Parameter<'_>, before: &[f32], by: f32) {
    parameter.update(cpu, |values| {
        for (w, old) in values.iter_mut().zip(before) {
            if (old - *w) * old > 0.0 {
                *w -= by * old;
            }
        }
    });
}

//! Optimisers: AdamW and Muon over a model's parameters, and the global norm that gradients are clipped by.

mod muon;

use psi_kernels::{Cpu, adamw};

pub use self::muon::Muon;
use crate::{Gradients, ParamId, Parameter};

/// AdamW: Adam with decoupled weight decay. Loshchilov and Hutter 2019, algorithm 2.
///
/// ```text
/// optimiser.begin_step();
/// model.for_each_parameter(&mut |info, mut p| optimiser.update(&cpu, &mut p, &gradients, rate));
/// ```
///
/// Moments are f32, one pair per parameter, made when it is first updated.
#[derive(Clone, Debug)]
pub struct AdamW {
    betas: [f32; 2],
    eps: f32,
    t: u64,
    moments: Vec<Moments>,
}

/// The running means of a parameter's gradient and of its square, laid out as the parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// m.
    pub first: Vec<f32>,
    /// v.
    pub second: Vec<f32>,
}

/// What may differ from parameter to parameter and from step to step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Learning rate.
    pub lr: f32,
    /// Weights shrink by `lr * weight_decay` in each step.
    pub weight_decay: f32,
    /// Factor on the gradient: see [`clip_factor`].
    pub grad_scale: f32,
}

impl AdamW {
    /// An optimiser before its first step.
    pub fn new(betas: [f32; 2], eps: f32) -> Self {
        Self { betas, eps, t: 0, moments: Vec::new() }
    }

    /// Counts a step; the updates of all its parameters follow.
    pub fn begin_step(&mut self) {
        self.t += 1;
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.t
    }

    /// Moves `parameter` along its gradient and packs it anew; one without an id (frozen) or without a
    /// gradient stays as it is.
    ///
    /// # Panics
    /// When no step was begun, or the gradient is of another length than the parameter.
    pub fn update(
        &mut self,
        cpu: &Cpu,
        parameter: &mut Parameter<'_>,
        gradients: &Gradients,
        rate: Rate,
    ) {
        assert!(self.t > 0, "an update outside a step");
        let Some((id, gradient)) = parameter.id().and_then(|id| Some((id, gradients.get(id)?)))
        else {
            return;
        };
        let Rate { lr, weight_decay, grad_scale } = rate;
        let (betas, eps, t) = (self.betas, self.eps, self.t);
        let step = adamw::Step { lr, weight_decay, betas, eps, t, grad_scale };
        let Moments { first, second } = self.slot(id);
        first.resize(gradient.len(), 0.0);
        second.resize(gradient.len(), 0.0);
        parameter.adamw(cpu, &step, gradient, first, second);
    }

    /// The moments of `id`, to save; `None` before its first update.
    pub fn moments(&self, id: ParamId) -> Option<&Moments> {
        self.moments.get(id.0 as usize).filter(|m| !m.first.is_empty())
    }

    /// Goes back to the state after step `t`; [`AdamW::restore_moments`] of every parameter follows.
    pub fn restore(&mut self, t: u64) {
        self.t = t;
        self.moments.clear();
    }

    /// Sets the moments of `id`.
    ///
    /// # Panics
    /// When the two are of different lengths.
    pub fn restore_moments(&mut self, id: ParamId, moments: Moments) {
        assert_eq!(moments.first.len(), moments.second.len(), "moments of {id:?}");
        *self.slot(id) = moments;
    }

    fn slot(&mut self, id: ParamId) -> &mut Moments {
        let i = id.0 as usize;
        if self.moments.len() <= i {
            self.moments.resize_with(i + 1, Moments::default);
        }
        &mut self.moments[i]
    }
}

/// The Euclidean norm of all gradients together, added up in f64 in the order of the ids.
pub fn global_norm(cpu: &Cpu, gradients: &Gradients) -> f64 {
    gradients.iter().map(|(_, g)| adamw::sum_of_squares(cpu, g)).sum::<f64>().sqrt()
}

/// The factor that brings a gradient of norm `norm` down to `max_norm`; 1 where it is no longer than
/// that. Pascanu et al. 2013, algorithm 1.
pub fn clip_factor(norm: f64, max_norm: f64) -> f32 {
    if norm > max_norm { (max_norm / norm) as f32 } else { 1.0 }
}

#[cfg(test)]
mod tests;

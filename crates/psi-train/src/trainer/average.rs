//! The exponential moving average of what is trained. Polyak and Juditsky 1992; Izmailov et al. 2018.

use std::collections::HashMap;

use psi_kernels::Cpu;
use psi_model::Decoder;

use super::parameters::for_each_trained;

/// a = d a + (1 - d) w, with d = min(decay, (1 + t) / (10 + t)) after t updates, so that the start is soon
/// forgotten.
#[derive(Debug)]
pub(crate) struct Average {
    decay: f32,
    values: Vec<(String, Vec<f32>)>,
}

impl Average {
    /// Starts at the model's values.
    pub(crate) fn new(cpu: &Cpu, decoder: &mut Decoder, decay: f32) -> Self {
        let mut values = Vec::new();
        for_each_trained(decoder, &mut |name, _, parameter| {
            values.push((name.to_owned(), parameter.to_f32(cpu)));
        });
        Self { decay, values }
    }

    /// Takes the weights after update number `t` in.
    pub(crate) fn update(&mut self, cpu: &Cpu, decoder: &mut Decoder, t: u64) {
        let d = self.decay.min((1.0 + t as f32) / (10.0 + t as f32));
        let mut averages = self.values.iter_mut();
        for_each_trained(decoder, &mut |_, _, parameter| {
            let Some((_, average)) = averages.next() else { return };
            let values = parameter.to_f32(cpu);
            average.iter_mut().zip(&values).for_each(|(a, w)| *a += (1.0 - d) * (w - *a));
        });
    }

    /// The model with the averaged values.
    pub(crate) fn applied(&self, cpu: &Cpu, decoder: &Decoder) -> Decoder {
        let mut decoder = decoder.clone();
        let mut averages = self.values.iter();
        for_each_trained(&mut decoder, &mut |_, _, parameter| {
            let Some((_, average)) = averages.next() else { return };
            parameter.update(cpu, |w| w.copy_from_slice(average));
        });
        decoder
    }

    /// The values by name, for a checkpoint.
    pub(crate) fn tensors(&self) -> Vec<(String, Vec<f32>)> {
        self.values.iter().map(|(name, v)| (format!("{name}.average"), v.clone())).collect()
    }

    /// Goes back to what [`Average::tensors`] gave.
    pub(crate) fn restore(&mut self, tensors: &mut HashMap<String, Vec<f32>>) {
        for (name, values) in &mut self.values {
            if let Some(stored) = tensors.remove(&format!("{name}.average")) {
                *values = stored;
            }
        }
    }
}

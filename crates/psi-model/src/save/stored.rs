//! Tensors as the formats store them: fused, stacked, transposed and shifted out of psi's.

use crate::{
    Config, Family, Result, TensorInfo,
    names::{self, Part, Place},
};

/// Which format's names and shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Hugging Face.
    Hf,
    /// GGUF.
    Gguf,
}

/// A tensor of a file, made of one or more of psi's.
#[derive(Clone, Debug)]
pub struct StoredTensor {
    /// The name in the file.
    pub name: String,
    /// Row-major, outermost first.
    pub shape: Vec<usize>,
    layout: Layout,
    parts: Vec<(TensorInfo, Place)>,
}

/// Every tensor of a file of this model, in the order of [`Config::tensors`].
pub fn stored_tensors(config: &Config, layout: Layout) -> Vec<StoredTensor> {
    let mut all: Vec<StoredTensor> = Vec::new();
    for info in config.tensors() {
        let place = match layout {
            Layout::Hf => names::hf_place(config, &info),
            Layout::Gguf => names::gguf_place(config, &info),
        };
        // Parts of one stored tensor are near each other, but need not be neighbours.
        match all.iter_mut().rev().find(|t| t.name == place.name) {
            Some(stored) => stored.parts.push((info, place)),
            None => {
                let (name, shape) = (place.name.clone(), place.shape(&info));
                all.push(StoredTensor { name, shape, layout, parts: vec![(info, place)] });
            }
        }
    }
    all
}

impl StoredTensor {
    /// psi's tensors in it.
    pub fn parts(&self) -> impl Iterator<Item = &TensorInfo> {
        self.parts.iter().map(|(info, _)| info)
    }

    /// The stored values, from psi's row-major (n, k) values of each part.
    ///
    /// # Errors
    /// What `values` returns.
    pub fn assemble(
        &self,
        config: &Config,
        values: &mut dyn FnMut(&TensorInfo) -> Result<Vec<f32>>,
    ) -> Result<Vec<f32>> {
        let mut all = vec![0.0; self.shape.iter().product()];
        for (info, place) in &self.parts {
            let mut part = values(info)?;
            assert_eq!(part.len(), info.n * info.k, "values of {}", info.id);
            let shift = self.norm_shift(config, info);
            if shift != 0.0 {
                part.iter_mut().for_each(|x| *x += shift);
            }
            for row in 0..info.n {
                let from = &part[row * info.k..(row + 1) * info.k];
                self.put_row(place, info, row, from, &mut all);
            }
        }
        Ok(all)
    }

    /// What to add to a norm's weights: formats differ in whether Gemma's are centred on 0 or 1.
    fn norm_shift(&self, config: &Config, info: &TensorInfo) -> f32 {
        let gemma = matches!(config.family, Family::Gemma2 | Family::Gemma3);
        if !info.id.role.is_norm() {
            return 0.0;
        }
        let stored_offset = if gemma && self.layout == Layout::Hf { 1.0 } else { 0.0 };
        config.norm.offset - stored_offset
    }

    fn put_row(&self, place: &Place, info: &TensorInfo, row: usize, from: &[f32], all: &mut [f32]) {
        let row = place.interleaved_heads.map_or(row, |heads| interleaved(row, info.n / heads));
        let row = match place.part {
            Part::Whole => row,
            Part::Rows { first, .. } => first + row,
            Part::Slab { index, .. } => index * info.n + row,
        };
        if place.transposed {
            let n_stored = self.shape[1];
            from.iter().enumerate().for_each(|(col, &x)| all[col * n_stored + row] = x);
        } else {
            all[row * info.k..(row + 1) * info.k].copy_from_slice(from);
        }
    }
}

/// Where row `row` of heads of `d` goes when the halves of a head interleave.
fn interleaved(row: usize, d: usize) -> usize {
    let (head, i) = (row / d, row % d);
    let (half, j) = (i / (d / 2), i % (d / 2));
    head * d + 2 * j + half
}

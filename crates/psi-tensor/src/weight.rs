//! What ops multiply with: weights in the dtype of their panels, with an f32 master when trainable.

use std::sync::Arc;

use psi_kernels::{
    Cpu, Format, Matrix,
    adamw::{Step, adamw},
    gemm::Compute,
};

use crate::{ParamId, rows};

/// A matrix (n, k) for y = x Wᵀ, packed in its dtype. A trainable weight also has an f32 master copy,
/// from which [`Weight::update`] packs it anew: what training and inference multiply with is the same
/// object.
#[derive(Clone, Debug)]
pub struct Weight {
    matrix: Arc<Matrix>,
    master: Option<Box<Master>>,
}

#[derive(Clone, Debug)]
struct Master {
    id: ParamId,
    values: Arc<Vec<f32>>,
    /// Wᵀ as gradients of inputs are multiplied with; none for a quantised weight.
    transposed: Option<Arc<Matrix>>,
}

impl Master {
    fn new(cpu: &Cpu, id: ParamId, matrix: &Matrix, values: Vec<f32>) -> Self {
        let mut master = Self { id, values: Arc::new(values), transposed: None };
        master.transpose(cpu, matrix);
        master
    }

    fn transpose(&mut self, cpu: &Cpu, matrix: &Matrix) {
        let (format, n, k) = (matrix.format(), matrix.n(), matrix.k());
        self.transposed = (!matches!(format, Format::Quant(_)))
            .then(|| Arc::new(Matrix::transposed_from_f32(cpu, format, n, k, &self.values)));
    }
}

impl Weight {
    /// A frozen weight.
    pub fn new(matrix: Matrix) -> Self {
        Self { matrix: Arc::new(matrix), master: None }
    }

    /// A trainable weight (n, k) whose panels have `format`, from row-major f32.
    ///
    /// # Panics
    /// When `values` is not `n * k` long.
    pub fn trainable(
        cpu: &Cpu,
        id: ParamId,
        format: Format,
        (n, k): (usize, usize),
        values: Vec<f32>,
    ) -> Self {
        let matrix = Matrix::from_f32(cpu, format, n, k, &values);
        let master = Some(Box::new(Master::new(cpu, id, &matrix, values)));
        Self { matrix: Arc::new(matrix), master }
    }

    /// Rows: output features.
    pub fn n(&self) -> usize {
        self.matrix.n()
    }

    /// Element type of the products of gradients: quantised weights get theirs in full precision.
    pub fn compute(&self) -> Compute {
        match self.format() {
            Format::Bf16 => Compute::Bf16,
            Format::F32 | Format::Quant(_) => Compute::F32,
        }
    }

    /// Columns: input features.
    pub fn k(&self) -> usize {
        self.matrix.k()
    }

    /// Dtype of the panels.
    pub fn format(&self) -> Format {
        self.matrix.format()
    }

    /// The panels.
    pub fn matrix(&self) -> &Matrix {
        &self.matrix
    }

    /// The parameter this weight is, if it is trainable.
    pub fn param(&self) -> Option<ParamId> {
        self.master.as_ref().map(|m| m.id)
    }

    /// Row-major f32 values: the master's, or the panels' widened.
    pub fn to_f32(&self, cpu: &Cpu) -> Vec<f32> {
        match &self.master {
            Some(master) => master.values.to_vec(),
            None => self.unpack(cpu),
        }
    }

    /// Makes the weight parameter `id`, with the panels' values as its master if it has none yet.
    pub fn train(&mut self, cpu: &Cpu, id: ParamId) {
        match &mut self.master {
            Some(master) => master.id = id,
            None => {
                let master = Master::new(cpu, id, &self.matrix, self.unpack(cpu));
                self.master = Some(Box::new(master));
            }
        }
    }

    /// Drops the master: the weight is only multiplied with from now on.
    pub fn freeze(&mut self) {
        self.master = None;
    }

    /// Changes the master by `f` and packs it anew in the same dtype.
    ///
    /// # Panics
    /// When the weight is frozen.
    pub fn update(&mut self, cpu: &Cpu, f: impl FnOnce(&mut [f32])) {
        let master = self.master.as_mut().expect("update of a frozen weight");
        let values = Arc::make_mut(&mut master.values);
        f(values);
        let (n, k) = (self.matrix.n(), self.matrix.k());
        self.matrix = Arc::new(Matrix::from_f32(cpu, self.matrix.format(), n, k, values));
        master.transpose(cpu, &self.matrix);
    }

    /// One step of AdamW on the master, from which the panels are packed on the way.
    pub(crate) fn adamw(
        &mut self,
        cpu: &Cpu,
        step: &Step,
        g: &[f32],
        m: &mut [f32],
        v: &mut [f32],
    ) {
        let master = self.master.as_mut().expect("a step of a frozen weight");
        let Some(transposed) = &mut master.transposed else {
            return self.update(cpu, |values| adamw(cpu, step, None, values, g, m, v));
        };
        let values = Arc::make_mut(&mut master.values);
        let matrices = [Arc::make_mut(&mut self.matrix), Arc::make_mut(transposed)];
        adamw(cpu, step, Some(matrices), values, g, m, v);
    }

    /// Wᵀ, which gradients of inputs are multiplied with: kept for a trainable weight, made of the
    /// widened panels for another.
    pub(crate) fn transposed(&self, cpu: &Cpu) -> Arc<Matrix> {
        if let Some(transposed) = self.master.as_ref().and_then(|m| m.transposed.as_ref()) {
            return Arc::clone(transposed);
        }
        let format = match self.format() {
            Format::Quant(_) => Format::F32,
            dense => dense,
        };
        let values = self.to_f32(cpu);
        Arc::new(Matrix::transposed_from_f32(cpu, format, self.n(), self.k(), &values))
    }

    fn unpack(&self, cpu: &Cpu) -> Vec<f32> {
        let (n, k) = (self.n(), self.k());
        let mut values = vec![0.0; n * k];
        rows::for_parts(cpu, k, &mut values, |range, part| {
            for (i, row) in part.chunks_exact_mut(k.max(1)).enumerate() {
                self.matrix.row(range.start / k + i, row);
            }
        });
        values
    }
}

/// A vector of f32: a norm's weights or a bias.
#[derive(Clone, Debug)]
pub struct Vector {
    pub(crate) values: Arc<Vec<f32>>,
    pub(crate) id: Option<ParamId>,
}

impl Vector {
    /// A frozen vector.
    pub fn new(values: Vec<f32>) -> Self {
        Self { values: Arc::new(values), id: None }
    }

    /// The values.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The parameter this vector is, if it is trainable.
    pub fn param(&self) -> Option<ParamId> {
        self.id
    }

    /// Makes the vector parameter `id`.
    pub fn train(&mut self, id: ParamId) {
        self.id = Some(id);
    }

    /// Changes the values by `f`.
    pub fn update(&mut self, f: impl FnOnce(&mut [f32])) {
        let values: &mut Vec<f32> = Arc::make_mut(&mut self.values);
        f(values);
    }
}

/// A trainable thing, as an optimiser sees it.
#[derive(Debug)]
pub enum Parameter<'a> {
    /// A matrix.
    Weight(&'a mut Weight),
    /// A norm's weights or a bias.
    Vector(&'a mut Vector),
}

impl Parameter<'_> {
    /// The parameter's id, if it is trainable.
    pub fn id(&self) -> Option<ParamId> {
        match self {
            Self::Weight(w) => w.param(),
            Self::Vector(v) => v.param(),
        }
    }

    /// Rows and columns; a vector is one row.
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Self::Weight(w) => (w.n(), w.k()),
            Self::Vector(v) => (1, v.values.len()),
        }
    }

    /// Row-major f32 values: a matrix's master, or its panels' values widened.
    pub fn to_f32(&self, cpu: &Cpu) -> Vec<f32> {
        match self {
            Self::Weight(w) => w.to_f32(cpu),
            Self::Vector(v) => v.values.to_vec(),
        }
    }

    /// Makes it parameter `id`.
    pub fn train(&mut self, cpu: &Cpu, id: ParamId) {
        match self {
            Self::Weight(w) => w.train(cpu, id),
            Self::Vector(v) => v.train(id),
        }
    }

    /// One step of AdamW with gradient g and moments m and v.
    pub(crate) fn adamw(
        &mut self,
        cpu: &Cpu,
        step: &Step,
        g: &[f32],
        m: &mut [f32],
        v: &mut [f32],
    ) {
        match self {
            Self::Weight(w) => w.adamw(cpu, step, g, m, v),
            Self::Vector(w) => {
                let values: &mut Vec<f32> = Arc::make_mut(&mut w.values);
                adamw(cpu, step, None, values, g, m, v);
            }
        }
    }

    /// Changes the f32 values by `f` (and packs a matrix anew).
    ///
    /// # Panics
    /// When it is a frozen weight.
    pub fn update(&mut self, cpu: &Cpu, f: impl FnOnce(&mut [f32])) {
        match self {
            Self::Weight(w) => w.update(cpu, f),
            Self::Vector(v) => v.update(f),
        }
    }
}

/// A linear layer y = x Wᵀ + b + s (x Aᵀ) Bᵀ; see `ops/linear.rs`.
#[derive(Clone, Debug)]
pub struct Linear {
    /// W (n, k).
    pub weight: Weight,
    /// b (n).
    pub bias: Option<Vector>,
    /// A, B and s.
    pub adapter: Option<Lora>,
    /// The lengths of the adapted rows; see `ops/dora.rs`.
    pub magnitude: Option<Box<Magnitude>>,
}

impl Linear {
    /// A layer without bias or adapter.
    pub fn new(weight: Weight) -> Self {
        Self { weight, bias: None, adapter: None, magnitude: None }
    }

    /// A layer with a bias.
    pub fn with_bias(weight: Weight, bias: Option<Vector>) -> Self {
        Self { weight, bias, adapter: None, magnitude: None }
    }
}

/// A low-rank adapter beside a frozen matrix. Hu et al. 2021 (LoRA), equation 3.
#[derive(Clone, Debug)]
pub struct Lora {
    /// A (r, k).
    pub a: Weight,
    /// B (n, r).
    pub b: Weight,
    /// s, usually alpha / r.
    pub scale: f32,
}

/// DoRA's part of an adapter. Liu et al. 2024, equation 5.
#[derive(Clone, Debug)]
pub struct Magnitude {
    /// m (n).
    pub m: Vector,
    /// c (n): the norms of the rows of W + s B A, kept by [`Linear::refresh_norms`].
    pub norms: Arc<Vec<f32>>,
}

/// RMSNorm's parameters; see `ops/norm.rs`.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    /// w, one per feature of the normalised row.
    pub weight: Vector,
    /// Added to w: 1 for zero-centred weights.
    pub offset: f32,
    /// Added to the mean square.
    pub eps: f32,
}

/// LayerNorm's parameters; see `ops/norm.rs`.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// w.
    pub weight: Vector,
    /// b.
    pub bias: Vector,
    /// Added to the variance.
    pub eps: f32,
}

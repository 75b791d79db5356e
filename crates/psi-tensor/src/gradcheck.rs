//! Gradient checks: every op's backward against finite differences of its forward.

use std::sync::Arc;

use psi_kernels::{Cpu, Format, Isa};

use crate::{Gradients, Graph, ParamId, Var, Vector, Weight};

/// Two threads, so that a wrong split shows.
pub(crate) fn cpu() -> Arc<Cpu> {
    Arc::new(Cpu::new(Isa::best(), 2))
}

/// The parameters of the function being checked, as trainable weights and vectors.
pub(crate) struct Params {
    cpu: Arc<Cpu>,
    first_id: u32,
    tables: Vec<Table>,
}

#[derive(Clone)]
struct Table {
    shape: (usize, usize),
    values: Vec<f32>,
}

impl Params {
    pub(crate) fn weight(&self, i: usize) -> Weight {
        let Table { shape, values } = self.tables[i].clone();
        Weight::trainable(&self.cpu, ParamId(self.first_id + i as u32), Format::F32, shape, values)
    }

    pub(crate) fn vector(&self, i: usize) -> Vector {
        let mut v = Vector::new(self.tables[i].values.clone());
        v.train(ParamId(self.first_id + i as u32));
        v
    }
}

/// Checks d f / d input for inputs of the given shapes.
pub(crate) fn check(inputs: &[(usize, usize)], f: impl for<'g> Fn(&[Var<'g>]) -> Var<'g>) {
    check_params(inputs, &[], |x, _| f(x));
}

/// Checks d f / d input and d f / d parameter.
pub(crate) fn check_params(
    inputs: &[(usize, usize)],
    params: &[(usize, usize)],
    f: impl for<'g> Fn(&[Var<'g>], &Params) -> Var<'g>,
) {
    let n_inputs = inputs.len();
    let mut tables: Vec<Table> =
        inputs.iter().chain(params).enumerate().map(|(i, &s)| random_table(i, s)).collect();
    let cpu = cpu();
    let gradients = analytic(&cpu, &tables, n_inputs, &f);
    let values = |tables: &[Table]| {
        let graph = Graph::infer(&cpu);
        project(&run(&graph, &cpu, tables, n_inputs, &f).to_vec())
    };
    for t in 0..tables.len() {
        let got = gradients
            .get(ParamId(t as u32))
            .map_or_else(|| vec![0.0; tables[t].values.len()], <[f32]>::to_vec);
        let want: Vec<f64> = (0..got.len())
            .map(|i| {
                let mut at = |h: f32| {
                    let x = tables[t].values[i];
                    tables[t].values[i] = x + h;
                    let y = values(&tables);
                    tables[t].values[i] = x;
                    y
                };
                // Fourth-order central difference; the step balances its error and f32's rounding.
                let h = 0.02;
                let (near, far) = (at(h) - at(-h), at(2.0 * h) - at(-2.0 * h));
                (8.0 * near - far) / (12.0 * f64::from(h))
            })
            .collect();
        let largest = want.iter().fold(0.1, |a: f64, b| a.max(b.abs()));
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            let error = (f64::from(*got) - want).abs() / largest;
            assert!(error < 1e-3, "table {t}, value {i}: gradient {got}, differences {want}");
        }
    }
}

fn analytic(
    cpu: &Arc<Cpu>,
    tables: &[Table],
    n_inputs: usize,
    f: &impl for<'g> Fn(&[Var<'g>], &Params) -> Var<'g>,
) -> Gradients {
    let graph = Graph::train(cpu);
    let y = run(&graph, cpu, tables, n_inputs, f);
    let weights: Vec<f32> = (0..y.rows() * y.cols()).map(|i| direction(i) as f32).collect();
    let mut gradients = Gradients::new();
    graph.backward(y.weighted_sum(&weights), &mut gradients);
    gradients
}

/// f on the tables; inputs are rows of trainable embeddings, so that they have gradients.
fn run<'g>(
    graph: &'g Graph,
    cpu: &Arc<Cpu>,
    tables: &[Table],
    n_inputs: usize,
    f: &impl Fn(&[Var<'g>], &Params) -> Var<'g>,
) -> Var<'g> {
    let all = Params { cpu: Arc::clone(cpu), first_id: 0, tables: tables.to_vec() };
    let inputs: Vec<Var<'g>> = (0..n_inputs)
        .map(|i| {
            let rows: Vec<u32> = (0..tables[i].shape.0 as u32).collect();
            graph.embed(&all.weight(i), &rows)
        })
        .collect();
    let params = Params {
        cpu: Arc::clone(cpu),
        first_id: n_inputs as u32,
        tables: tables[n_inputs..].to_vec(),
    };
    f(&inputs, &params)
}

/// The f64 sum of the outputs along a fixed direction.
fn project(y: &[f32]) -> f64 {
    y.iter().enumerate().map(|(i, &y)| f64::from(y) * direction(i)).sum()
}

fn direction(i: usize) -> f64 {
    f64::from((i as f32 * 1.7 + 0.3).sin())
}

fn random_table(seed: usize, shape: (usize, usize)) -> Table {
    let mut state = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let values = (0..shape.0 * shape.1)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 23) as f32 * 1.5 - 1.5
        })
        .collect();
    Table { shape, values }
}

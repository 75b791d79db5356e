//! One step of AdamW, and the norm that gradients are clipped by.
//!
//! The step is bound by memory: weight, gradient and both moments are read and written once, and a
//! matrix is packed for its next products while its rows are in the cache.
#![expect(unsafe_code, reason = "every task changes its own range of the moments")]

use crate::{
    Cpu, Isa, Matrix,
    simd::{LANES, Lanes, Parts, tiers},
};

/// The numbers of one step, the same for all elements of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Learning rate.
    pub lr: f32,
    /// Weights shrink by `lr * weight_decay`.
    pub weight_decay: f32,
    /// Decay of the first and of the second moment.
    pub betas: [f32; 2],
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Which step this is, counted from 1: the moments' bias is corrected for it.
    pub t: u64,
    /// Factor on the gradient: clipping, averaging.
    pub grad_scale: f32,
}

/// [`Step`] with what it implies computed.
#[derive(Clone, Copy)]
struct Factors {
    /// 1 - lr * weight_decay.
    keep: f32,
    /// -lr / (1 - beta1^t).
    rate: f32,
    betas: [f32; 2],
    /// 1 / sqrt(1 - beta2^t).
    root: f32,
    eps: f32,
    grad_scale: f32,
}

impl Step {
    fn factors(&self) -> Factors {
        let Self { lr, weight_decay, betas, eps, t, grad_scale } = *self;
        let unbiased = |beta: f32| 1.0 - f64::from(beta).powf(t as f64);
        Factors {
            keep: (1.0 - f64::from(lr) * f64::from(weight_decay)) as f32,
            rate: (-f64::from(lr) / unbiased(betas[0])) as f32,
            betas,
            root: (1.0 / unbiased(betas[1]).sqrt()) as f32,
            eps,
            grad_scale,
        }
    }
}

/// Elements of a vector that a task changes: a vector is not packed, so any cut does.
const TASK: usize = 16 << 10;

/// One step of AdamW on parameter w with gradient g and moments m and v, all of one length:
/// with s the scaling of the gradient, m <- b1 m + (1 - b1) s g, v <- b2 v + (1 - b2) (s g)²,
/// w <- (1 - lr decay) w - lr m^ / (sqrt(v^) + eps), hats dividing by 1 - b^t. Loshchilov and Hutter
/// 2019, algorithm 2. `matrices`, if given, W and its transpose, are packed from the new w.
///
/// # Panics
/// When lengths differ, or a matrix is quantised.
pub fn adamw(
    cpu: &Cpu,
    step: &Step,
    matrices: Option<[&mut Matrix; 2]>,
    w: &mut [f32],
    g: &[f32],
    m: &mut [f32],
    v: &mut [f32],
) {
    let n = w.len();
    assert!(g.len() == n && m.len() == n && v.len() == n, "a parameter of {n} values");
    let factors = step.factors();
    let (m, v) = (Parts::new(m), Parts::new(v));
    let change = |at: usize, w: &mut [f32]| {
        let range = at..at + w.len();
        // SAFETY: ranges of w are handed out once, and m and v are cut as w is.
        let (m, v) = unsafe { (m.take(range.clone()), v.take(range.clone())) };
        step_tier(cpu.isa(), factors, w, &g[range], m, v);
    };
    match matrices {
        Some([matrix, transposed]) => matrix.update(transposed, cpu, w, &change),
        None => {
            let parts = Parts::new(w);
            cpu.pool().run(n.div_ceil(TASK), &|i| {
                let range = i * TASK..n.min((i + 1) * TASK);
                // SAFETY: every task has its own range.
                change(range.start, unsafe { parts.take(range) });
            });
        }
    }
}

tiers! {
    fn step_tier(factors: Factors, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32])
        = step_body;
}

#[inline(always)]
fn step_body<L: Lanes>(f: Factors, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
    let [b1, b2] = f.betas.map(L::splat);
    let [c1, c2] = f.betas.map(|b| L::splat(1.0 - b));
    let (keep, rate) = (L::splat(f.keep), L::splat(f.rate));
    let (root, eps, scale) = (L::splat(f.root), L::splat(f.eps), L::splat(f.grad_scale));
    let moments = m.chunks_mut(LANES).zip(v.chunks_mut(LANES));
    for ((w, g), (m, v)) in w.chunks_mut(LANES).zip(g.chunks(LANES)).zip(moments) {
        let grad = L::load_part(g, 0.0).mul(scale);
        let first = b1.madd(L::load_part(m, 0.0), c1.mul(grad));
        let second = b2.madd(L::load_part(v, 0.0), c2.mul(grad).mul(grad));
        first.store_part(m);
        second.store_part(v);
        let step = first.div(second.sqrt().madd(root, eps));
        rate.madd(step, keep.mul(L::load_part(w, 0.0))).store_part(w);
    }
}

/// Values whose squares are added up in f32; fixed, so that the threads do not matter.
const NORM_BLOCK: usize = 4096;
/// Values per task.
const NORM_TASK: usize = 16 * NORM_BLOCK;

/// The sum of the squares of x: in f32 over blocks of 4,096, in f64 over the blocks in order.
pub fn sum_of_squares(cpu: &Cpu, x: &[f32]) -> f64 {
    let mut sums = vec![0.0; x.len().div_ceil(NORM_BLOCK)];
    let per_task = NORM_TASK / NORM_BLOCK;
    let n_tasks = sums.len().div_ceil(per_task);
    let n_sums = sums.len();
    let parts = Parts::new(&mut sums);
    cpu.pool().run(n_tasks, &|i| {
        let values = &x[i * NORM_TASK..x.len().min((i + 1) * NORM_TASK)];
        // SAFETY: every task has its own sums.
        let sums = unsafe { parts.take(i * per_task..n_sums.min((i + 1) * per_task)) };
        squares(cpu.isa(), values, sums);
    });
    sums.iter().map(|&s| f64::from(s)).sum()
}

fn squares(isa: Isa, x: &[f32], sums: &mut [f32]) {
    for (x, sum) in x.chunks(NORM_BLOCK).zip(sums) {
        *sum = squares_tier(isa, x);
    }
}

tiers! { fn squares_tier(x: &[f32]) -> f32 = squares_body; }

#[inline(always)]
fn squares_body<L: Lanes>(x: &[f32]) -> f32 {
    let mut sums = [L::splat(0.0); 4];
    for block in x.chunks(4 * LANES) {
        for (x, sum) in block.chunks(LANES).zip(&mut sums) {
            let x = L::load_part(x, 0.0);
            *sum = x.madd(x, *sum);
        }
    }
    sums[0].add(sums[1]).add(sums[2].add(sums[3])).sum()
}

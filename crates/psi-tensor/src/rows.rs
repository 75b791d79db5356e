//! Splitting element-wise work over the pool: contiguous chunks, so a split never changes a result.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use psi_kernels::Cpu;

/// Elements per task: large enough that claiming a task does not show.
const CHUNK: usize = 1 << 14;

/// Calls `f(range, part)` for consecutive parts of `y`, where `part` is `y[range]`; `unit` is the
/// number of elements that stay together (a row).
pub(crate) fn for_parts(
    cpu: &Cpu,
    unit: usize,
    y: &mut [f32],
    f: impl Fn(Range<usize>, &mut [f32]) + Sync,
) {
    let len = unit.max(1) * (CHUNK / unit.max(1)).max(1);
    if y.len() <= len || cpu.n_threads() == 1 {
        f(0..y.len(), y);
        return;
    }
    let parts: Vec<_> = y.chunks_mut(len).map(Mutex::new).collect();
    cpu.pool().run(parts.len(), &|i| {
        // Each part is locked once, by the one task that owns it.
        let mut part = parts[i].lock().unwrap_or_else(PoisonError::into_inner);
        let start = i * len;
        f(start..start + part.len(), &mut part);
    });
}

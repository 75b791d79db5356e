//! The machine's roof: peak arithmetic by type, and read bandwidth.
//!
//! Every share that psi reports is a share of these numbers, so they are measured, not looked up: the
//! clock under 512-bit load, the cores a virtual machine really gets and the memory's speed differ
//! from any data sheet. Arithmetic runs in registers only (nothing to wait for but the units);
//! bandwidth is reading, without a store, from a buffer that no cache holds. Williams, Waterman and
//! Patterson 2009 (the roofline model).

mod loops;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use crate::{AlignedBuf, Cpu};
use loops::Kind;

/// What the machine can do with all threads of a pool, on the tier in use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roof {
    /// f32 multiply-adds, 10⁹ operations per second (a multiply-add is two).
    pub f32_gflops: f64,
    /// bf16 products summed in f32, by the tier's best instruction (tiles, dot products; below
    /// AVX-512 BF16 the f32 rate, since values are widened first).
    pub bf16_gflops: f64,
    /// 8-bit products summed in 32 bits, by the tier's best instruction.
    pub int8_gops: f64,
    /// Reading from memory, 10⁹ bytes per second.
    pub read_gbps: f64,
}

/// Time of one arithmetic run.
const RUN: Duration = Duration::from_millis(25);
const RUNS: usize = 8;
/// Bytes read per pass: more than the caches of any machine psi is likely to meet share out.
const READ_BYTES: usize = 1 << 30;
const READ_PASSES: usize = 8;

/// Measures the roof of `cpu`'s tier with all its threads. Arithmetic and bandwidth are the best of
/// several runs, since other load only ever takes away; about two seconds in all.
pub fn measure(cpu: &Cpu) -> Roof {
    Roof {
        f32_gflops: arithmetic(cpu, Kind::F32),
        bf16_gflops: arithmetic(cpu, Kind::Bf16),
        int8_gops: arithmetic(cpu, Kind::Int8),
        read_gbps: bandwidth(cpu, READ_BYTES),
    }
}

/// The peak of products in f32 or, if `bf16`, in bf16, as in [`Roof`]; about a fifth of a second.
pub fn peak_gflops(cpu: &Cpu, bf16: bool) -> f64 {
    arithmetic(cpu, if bf16 { Kind::Bf16 } else { Kind::F32 })
}

/// Operations per nanosecond of all threads together.
fn arithmetic(cpu: &Cpu, kind: Kind) -> f64 {
    (0..RUNS).map(|_| together(cpu, || timed(cpu, kind))).fold(0.0, f64::max)
}

/// The rate of one thread: rounds of the loop until the time is up.
fn timed(cpu: &Cpu, kind: Kind) -> f64 {
    let start = Instant::now();
    let mut ops = 0.0;
    while start.elapsed() < RUN {
        ops += loops::round(cpu.isa(), kind);
    }
    ops / start.elapsed().as_secs_f64() * 1e-9
}

/// The sum of `work` over all threads, started together (within reason: a pool that is busy
/// elsewhere computes a region on one thread, which must not wait for itself).
fn together(cpu: &Cpu, work: impl Fn() -> f64 + Sync) -> f64 {
    const PATIENCE: Duration = Duration::from_millis(20);
    let n_threads = cpu.n_threads();
    let arrived = AtomicUsize::new(0);
    let sum = std::sync::Mutex::new(0.0);
    cpu.pool().run(n_threads, &|_| {
        arrived.fetch_add(1, Ordering::SeqCst);
        let start = Instant::now();
        while arrived.load(Ordering::SeqCst) < n_threads && start.elapsed() < PATIENCE {
            std::hint::spin_loop();
        }
        let rate = work();
        *sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += rate;
    });
    sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Bytes per nanosecond read from a buffer of `bytes` by all threads together: one stream or four
/// per thread, whichever the memory likes better.
fn bandwidth(cpu: &Cpu, bytes: usize) -> f64 {
    const PIECE: usize = 4 << 20;
    let mut buf = AlignedBuf::zeroed(bytes);
    // Written once: untouched pages would all be the same page of zeros.
    buf.bytes_mut().fill(1);
    let words = buf.f32s();
    let pieces: Vec<&[f32]> = words.chunks_exact(PIECE / 4).collect();
    let seen = AtomicUsize::new(0);
    let pass = |i| {
        let streams = if i % 2 == 0 { 1 } else { 4 };
        let start = Instant::now();
        cpu.pool().run(pieces.len(), &|i| {
            seen.fetch_add(loops::read(cpu.isa(), pieces[i], streams) as usize, Ordering::Relaxed);
        });
        (pieces.len() * PIECE) as f64 / start.elapsed().as_secs_f64() * 1e-9
    };
    let best = (0..READ_PASSES).map(pass).fold(0.0, f64::max);
    std::hint::black_box(seen.into_inner());
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;

    #[test]
    fn every_tier_has_a_positive_roof_of_its_own() {
        for isa in Isa::available() {
            let cpu = Cpu::new(isa, 2);
            for kind in [Kind::F32, Kind::Bf16, Kind::Int8] {
                let rate = together(&cpu, || timed(&cpu, kind));
                assert!(rate > 0.0 && rate.is_finite(), "{isa:?} {kind:?}: {rate}");
            }
            assert!(bandwidth(&cpu, 16 << 20) > 0.0);
        }
    }
}

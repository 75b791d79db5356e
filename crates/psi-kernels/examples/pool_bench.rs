//! How the pool behaves with and without a busy neighbour: regions per second of fixed work.
//!
//! `pool_bench [tasks] [microseconds per task]`, run with one core kept busy by another process to
//! see what a missing core costs.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use psi_kernels::Pool;

fn main() {
    let mut args = std::env::args().skip(1).map(|a| a.parse::<u64>().expect("a number"));
    let n_tasks = args.next().unwrap_or(8) as usize;
    let task_us = args.next().unwrap_or(20);
    let rounds = calibrate(Duration::from_micros(task_us));
    for n_threads in [1, 2] {
        let pool = Pool::new(n_threads);
        let mut best = f64::INFINITY;
        let mut worst = 0.0_f64;
        let mut total = 0.0;
        for _ in 0..5 {
            let start = Instant::now();
            let n_regions = 2000;
            for _ in 0..n_regions {
                pool.run(n_tasks, &|_| work(rounds));
            }
            let us = start.elapsed().as_secs_f64() * 1e6 / f64::from(n_regions);
            best = best.min(us);
            worst = worst.max(us);
            total += us / 5.0;
        }
        println!(
            "{n_threads} threads: {total:.1} us per region (best {best:.1}, worst {worst:.1})"
        );
    }
}

fn work(rounds: u64) {
    let mut x = 1_u64;
    for i in 0..rounds {
        x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i));
    }
}

fn calibrate(target: Duration) -> u64 {
    let rounds = 10_000_000;
    let start = Instant::now();
    work(rounds);
    (rounds as f64 * target.as_secs_f64() / start.elapsed().as_secs_f64()) as u64
}

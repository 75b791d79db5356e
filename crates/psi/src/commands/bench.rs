//! `psi bench`: this machine's roof, then kernels, a training step, prefill and decode as a share of it.

mod kernels;
mod model;
mod serve;
mod train;

use std::{sync::Arc, time::Instant};

use psi_kernels::{
    Cpu,
    roof::{self, Roof},
};
use serde_json::{Value, json};

use crate::{
    cli::{Bench, BenchCommand},
    cpu,
    error::{Failure, Outcome},
    out::{out, outln},
    table::columns,
};

/// One measured number.
struct Measured {
    name: String,
    value: f64,
    unit: &'static str,
    share_of_roof: Option<f64>,
}

/// What measurements need.
struct Bencher<'a> {
    args: &'a Bench,
    cpu: Arc<Cpu>,
    roof: Roof,
    results: Vec<Measured>,
}

pub(crate) fn run(args: &Bench) -> Outcome {
    match &args.command {
        None => bench(args),
        Some(BenchCommand::Serve(args)) => serve::run(args),
        Some(BenchCommand::Soak(args)) => serve::soak::run(args),
    }
}

fn bench(args: &Bench) -> Outcome {
    if args.repeat == 0 || args.prompt == 0 || args.generate == 0 {
        return Err(Failure::input("--repeat, --prompt and --gen must be at least 1"));
    }
    let cpu = cpu::cpu(args.threads)?;
    let roof = roof::measure(&cpu);
    let mut bencher = Bencher { args, cpu, roof, results: Vec::new() };
    kernels::run(&mut bencher);
    train::run(&mut bencher);
    if let Some(path) = &args.model {
        model::run(&mut bencher, path)?;
    }
    if bencher.results.is_empty() {
        let only = args.only.as_deref().unwrap_or_default();
        return Err(Failure::input(format!("--only {only}: nothing is called so"))
            .hint("names begin with gemm, matmul, gemv, train, prefill, decode or load; the last three need --model"));
    }
    bencher.print();
    Ok(())
}

impl Bencher<'_> {
    /// Whether a result of this name was asked for.
    fn wants(&self, name: &str) -> bool {
        self.args.only.as_deref().is_none_or(|only| name.contains(only))
    }

    fn add(&mut self, name: String, value: f64, unit: &'static str, roof: Option<f64>) {
        let share_of_roof = roof.map(|roof| value / roof);
        self.results.push(Measured { name, value, unit, share_of_roof });
    }

    /// Median seconds of `--repeat` runs, after one that does not count.
    fn seconds(&self, mut work: impl FnMut()) -> f64 {
        work();
        let times = (0..self.args.repeat).map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        });
        median(times.collect())
    }

    fn print(&self) {
        let tier = self.cpu.isa().tier().name();
        let n_threads = self.cpu.n_threads();
        let Roof { f32_gflops, bf16_gflops, int8_gops, read_gbps } = self.roof;
        if self.args.json {
            let results: Vec<Value> = self.results.iter().map(Measured::json).collect();
            let document = json!({
                "tier": tier,
                "threads": n_threads,
                "roof": {
                    "f32_gflops": f32_gflops,
                    "bf16_gflops": bf16_gflops,
                    "int8_gops": int8_gops,
                    "read_gbps": read_gbps,
                },
                "results": results,
            });
            outln!("{document:#}");
            return;
        }
        outln!("Roof of this machine, tier {tier}, {n_threads} threads");
        outln!("  f32   {f32_gflops:>9.0} GFLOP/s");
        outln!("  bf16  {bf16_gflops:>9.0} GFLOP/s");
        outln!("  int8  {int8_gops:>9.0} GOP/s");
        outln!("  read  {read_gbps:>9.1} GB/s\n");
        let mut rows =
            vec![["measurement", "value", "unit", "of roof"].map(str::to_owned).to_vec()];
        for m in &self.results {
            let share = m.share_of_roof.map_or(String::new(), |s| format!("{:.0} %", s * 100.0));
            rows.push(vec![m.name.clone(), format!("{:.1}", m.value), m.unit.to_owned(), share]);
        }
        out!("{}", columns(&rows));
    }
}

impl Measured {
    fn json(&self) -> Value {
        let Self { name, value, unit, share_of_roof } = self;
        json!({"name": name, "value": value, "unit": unit, "share_of_roof": share_of_roof})
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let n = times.len();
    f64::midpoint(times[(n - 1) / 2], times[n / 2])
}

//! `psi doctor`: instruction sets, threads, memory, and which models fit.

use psi_kernels::{Isa, Tier};

use crate::{
    bundled,
    cli::Doctor,
    commands::{database, vault},
    cpu, env,
    error::Outcome,
    memory,
    out::{out, outln},
    table::{bytes, columns},
};

/// Memory left to the rest of the machine.
pub(crate) const RESERVE: u64 = 1_500_000_000;
/// Parameter counts people run, in billions.
const SIZES: [f64; 8] = [0.14, 0.6, 1.2, 1.7, 4.0, 8.0, 14.0, 32.0];
/// Bits per weight of the common files.
const TYPES: [(&str, f64); 4] = [("Q4_K_M", 4.9), ("Q6_K", 6.6), ("Q8_0", 8.5), ("BF16", 16.0)];

pub(crate) fn run(args: &Doctor) -> Outcome {
    let isa = cpu::isa()?;
    let n_threads = cpu::n_threads(None)?;
    let memory = memory::machine();
    if args.json {
        let tiers: Vec<_> = Isa::available().iter().map(|i| i.tier().name()).collect();
        let document = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "arch": std::env::consts::ARCH,
            "os": std::env::consts::OS,
            "processor": processor(),
            "tiers": tiers,
            "tier": isa.tier().name(),
            "cores": cpu::n_cores(),
            "threads": n_threads,
            "memory_total_bytes": memory.map(|m| m.0),
            "memory_available_bytes": memory.map(|m| m.1),
            "home": env::home(),
            "vault": vault::State::of_home().map(|state| state.json()),
            "learning_bytes": learning(),
        });
        outln!("{document:#}");
        return Ok(());
    }
    outln!(
        "psi {} on {} {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    if let Some(name) = processor() {
        outln!("{name}");
    }
    outln!("\nInstruction sets");
    for tier in Tier::ALL {
        let state = match Isa::available().iter().any(|i| i.tier() == tier) {
            _ if tier == isa.tier() => "in use",
            true => "available",
            false => "-",
        };
        outln!("  {:<12} {state:<10} {}", tier.name(), describe(tier));
    }
    outln!("\nThreads   {n_threads} of {} cores", cpu::n_cores());
    match memory {
        None => outln!("Memory    unknown on this system"),
        Some((total, available)) => {
            outln!("Memory    {} available of {}", bytes(available), bytes(total));
        }
    }
    match env::home() {
        Some(home) => outln!("PSI_HOME  {}", home.display()),
        None => outln!("PSI_HOME  unknown: set it to a folder for models and runs"),
    }
    if let Some(state) = vault::State::of_home() {
        outln!("Database  {state}");
    }
    if let Some(need) = learning() {
        let mark = match memory {
            Some((_, available)) if need > available => ", more than there is",
            _ => "",
        };
        outln!("Learning  psi learn takes at most {} with the model in use{mark}", bytes(need));
    }
    if let Some((_, available)) = memory {
        outln!("\nModels that fit, with 4,096 tokens of context\n");
        out!("{}", fits(available));
    }
    Ok(())
}

/// The most memory that `psi learn` takes with the model that is served; `None` where there is none.
pub(crate) fn learning() -> Option<u64> {
    let home = database::home().ok()?;
    let model = match home.assistant().served().ok()? {
        Some(served) => served.model.path,
        None => bundled::unpack(&home).ok()?,
    };
    psi_train::learn::memory(&model).ok()
}

fn describe(tier: Tier) -> &'static str {
    match tier {
        Tier::Portable => "plain code, every machine",
        Tier::Neon => "64-bit Arm",
        Tier::Avx2 => "AVX2, FMA, F16C",
        Tier::Avx512 => "AVX-512 F, BW, VL, DQ",
        Tier::Avx512Vnni => "AVX-512 with VNNI and BF16",
        Tier::Amx => "AMX tiles for int8 and bf16",
    }
}

/// A table of parameter counts against weight types.
fn fits(available: u64) -> String {
    let mut rows = vec![vec!["parameters".to_owned()]];
    rows[0].extend(TYPES.iter().map(|(name, _)| (*name).to_owned()));
    for billions in SIZES {
        let mut row = vec![format!("{billions} B")];
        for (_, bits) in TYPES {
            let need = needs(billions, bits);
            let mark = if need + RESERVE <= available { "fits" } else { "too big" };
            row.push(format!("{mark} ({})", bytes(need)));
        }
        rows.push(row);
    }
    columns(&rows)
}

/// Memory of a model of so many parameters in weights of so many bits, with 4,096 tokens of context.
pub(crate) fn needs(billions: f64, bits: f64) -> u64 {
    let weights = billions * 1e9 * bits / 8.0;
    let cache = 4096.0 * cache_bytes_per_position(billions);
    (weights + cache) as u64
}

/// The same of a model whose files have so many bytes, taken as two per parameter.
pub(crate) fn needs_of_file(n_bytes: u64) -> u64 {
    needs(n_bytes as f64 / 2e9, 16.0)
}

/// A typical bf16 cache: 16 layers x 8 heads x 64 x 2 x 2 bytes at 1.2 B parameters, growing with the
/// two-thirds power as depth and width do.
fn cache_bytes_per_position(billions: f64) -> f64 {
    32_768.0 * (billions / 1.2).powf(2.0 / 3.0)
}

/// The processor's name, where the system tells it.
pub(crate) fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|l| l.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}

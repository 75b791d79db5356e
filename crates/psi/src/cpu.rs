//! The CPU a command runs on: tier from `PSI_ISA`, threads from the command line or `PSI_THREADS`.

use std::sync::{Arc, LazyLock};

use psi_kernels::{Cpu, Hold, Isa};

use crate::{
    env,
    error::{Failure, Outcome},
};

/// More threads than this are a mistake rather than a machine.
const MAX_THREADS: usize = 1024;

/// The cores this process may use.
pub(crate) fn n_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The tier to use.
pub(crate) fn isa() -> Outcome<Isa> {
    Isa::from_env().map_err(|e| {
        let names: Vec<_> = Isa::available().iter().map(|isa| isa.tier().name()).collect();
        Failure::input(e.to_string()).hint(format!("this machine has {}", names.join(", ")))
    })
}

/// The number of threads: `asked`, else `PSI_THREADS`, else the number of cores.
pub(crate) fn n_threads(asked: Option<usize>) -> Outcome<usize> {
    let n = match (asked, env::threads()) {
        (Some(n), _) => n,
        (None, Some(text)) => text.parse().map_err(|_| {
            Failure::input(format!("PSI_THREADS is '{text}', which is not a number"))
        })?,
        (None, None) => n_cores(),
    };
    if (1..=MAX_THREADS).contains(&n) {
        Ok(n)
    } else {
        Err(Failure::input(format!("{n} threads: must be between 1 and {MAX_THREADS}")))
    }
}

/// The CPU with `asked` threads.
pub(crate) fn cpu(asked: Option<usize>) -> Outcome<Arc<Cpu>> {
    Ok(Arc::new(Cpu::held_by(isa()?, n_threads(asked)?, hold())))
}

/// The switch that holds back everything this process computes.
pub(crate) fn hold() -> Arc<Hold> {
    static HOLD: LazyLock<Arc<Hold>> = LazyLock::new(Arc::default);
    Arc::clone(&HOLD)
}

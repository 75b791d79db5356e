//! Learning only while nobody needs the machine.
//!
//! Everything that computes waits at one switch ([`psi_kernels::Hold`]) before each region of work, so a
//! pause takes a fraction of a millisecond once it is asked for. Somebody needs the machine when the
//! assistant is asked something (every system), or when other programs compute (Linux).

use std::{
    collections::VecDeque,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use psi_store::Home;

use crate::{
    cli::Learn,
    commands::served::last_use,
    cpu,
    error::{Failure, Outcome},
};

/// How often the machine is looked at.
const POLL: Duration = Duration::from_millis(200);
/// Looks over which the use of the processor is averaged.
const WINDOW: usize = 3;
/// Ticks of `/proc` per second, on every Linux.
const TICKS_PER_S: f64 = 100.0;

/// Watches as long as it lives.
pub(super) struct Idle {
    is_over: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Idle {
    /// Holds back what this process computes, from now on and whenever the machine is needed. `stop` ends a
    /// pause: whoever waits for the end is not kept waiting.
    pub(super) fn watch(args: &Learn, home: &Home, stop: Arc<AtomicBool>) -> Outcome<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let (path, after) = (last_use(home), Duration::from_secs(args.idle_after));
        let limit = args.idle_load;
        let watch = move || {
            let hold = cpu::hold();
            let mut others = Others::default();
            let mut used = fs::read(&path).ok();
            let mut needed = Instant::now();
            let mut is_held = false;
            while !over.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed) {
                let now = fs::read(&path).ok();
                if now != used || others.cores().is_some_and(|cores| cores > limit) {
                    (used, needed) = (now, Instant::now());
                }
                let hold_now = needed.elapsed() < after;
                if hold_now != is_held {
                    is_held = hold_now;
                    hold.set(is_held);
                    match is_held {
                        true => eprintln!("psi: paused while the machine is needed"),
                        false => eprintln!("psi: the machine is idle: going on"),
                    }
                }
                thread::sleep(POLL);
            }
            hold.set(false);
        };
        let watcher = thread::Builder::new().name("psi-idle".to_owned()).spawn(watch);
        let watcher =
            watcher.map_err(|e| Failure::failed("the machine cannot be watched").because(e))?;
        Ok(Self { is_over, watcher: Some(watcher) })
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            // It has nothing to say.
            let _ = watcher.join();
        }
    }
}

/// What other programs use of the processor.
#[derive(Default)]
struct Others {
    looks: VecDeque<(Instant, f64)>,
}

impl Others {
    /// In cores, over the last looks; `None` where the system does not say.
    fn cores(&mut self) -> Option<f64> {
        let ticks = busy_ticks(&fs::read_to_string("/proc/stat").ok()?)?
            - own_ticks(&fs::read_to_string("/proc/self/stat").ok()?)?;
        let now = Instant::now();
        self.looks.push_back((now, ticks));
        let (then, before) = match self.looks.len() > WINDOW {
            true => self.looks.pop_front()?,
            false => return None,
        };
        Some((ticks - before) / TICKS_PER_S / (now - then).as_secs_f64())
    }
}

/// Ticks that all programs together have run: the first line of `/proc/stat` without idling, waiting for disks,
/// and what other machines took.
fn busy_ticks(stat: &str) -> Option<f64> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<f64> = line.split_whitespace().filter_map(|t| t.parse().ok()).collect();
    let [user, nice, system, _idle, _disk, interrupts, soft, ..] = ticks[..] else { return None };
    Some(user + nice + system + interrupts + soft)
}

/// Ticks that this process has run: fields 14 and 15 of `/proc/self/stat`. The second, a name in brackets, may
/// hold anything.
fn own_ticks(stat: &str) -> Option<f64> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_read_from_the_kernels_tables() {
        let stat = "cpu  100 20 30 4000 50 6 7 8 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(busy_ticks(stat), Some(163.0));
        assert_eq!(busy_ticks("intr 5"), None);
        let own = "7 (a b) c) S 1 7 7 0 -1 4194560 99 0 0 0 12 34 0 0 20 0 1 0 5";
        assert_eq!(own_ticks(own), Some(46.0));
    }
}

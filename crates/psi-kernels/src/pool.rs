//! A persistent thread pool for regions of microseconds: tasks are claimed from one atomic word.
//!
//! A region publishes a job and a *ticket* (epoch, number of tasks, next task). Threads claim tasks
//! by incrementing the ticket; the caller takes part and returns when all claimed tasks are done,
//! not when all workers have shown up. On a machine that is busy with something else threads get in
//! each other's way: a worker loses its core in the middle of a task, or wakes up on the caller's.
//! The caller notices either and works alone for a while, so that a missing core costs the help
//! of a thread and no more. Which thread computes a task never changes a result.
#![expect(unsafe_code, reason = "a job borrowed from the caller's stack is shared with workers")]

use std::{
    any::Any,
    cell::{Cell, UnsafeCell},
    fmt, hint,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Condvar, Mutex, TryLockError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle, Thread},
    time::{Duration, Instant},
};

type Job<'a> = &'a (dyn Fn(usize) + Sync);
type Panic = Box<dyn Any + Send>;

/// Largest number of tasks in one region (24 bits of the ticket).
const MAX_TASKS: usize = 1 << 23;
/// How long an idle worker spins before it sleeps: longer than the serial parts between two
/// regions of a token, far shorter than a person notices on an idle machine.
const WORKER_SPIN: Duration = Duration::from_micros(200);
/// How long the caller spins for the last task before it gives its core away.
const CALLER_SPIN: Duration = Duration::from_micros(30);
/// Regions together may take this much longer than the caller alone would have needed. A machine at rest has
/// stalls of 0.1 ms every few tens of milliseconds, which the gain of a few regions makes up for; a core that
/// another program takes away is gone for milliseconds.
const LOSS_MAX: f64 = 1e-3;
/// After losing that the caller works alone, first this long, then twice as long each
/// time it happens again, up to [`SOLO_MAX`].
const SOLO_MIN: Duration = Duration::from_millis(4);
const SOLO_MAX: Duration = Duration::from_millis(128);
/// Time without such a loss after which the next one counts as the first again: much longer than
/// a scheduler's time slice, so that a worker that runs half of the time does not look well.
const SOLO_FORGET: Duration = Duration::from_millis(100);
/// Every so many regions the caller compares the time it ran with the time that passed; asking the
/// system costs a fraction of a microsecond.
const CLOCK_EVERY: u32 = 8;

/// Threads that run regions together with the caller.
pub struct Pool {
    shared: Arc<Shared>,
    hold: Arc<Hold>,
    region: Mutex<Solo>,
    workers: Vec<JoinHandle<()>>,
}

/// A switch that holds back every region of the pools that it belongs to: work stops within a region, keeps
/// its memory, and goes on with the same bits.
#[derive(Debug, Default)]
pub struct Hold {
    is_set: AtomicBool,
    lock: Mutex<()>,
    freed: Condvar,
}

/// When the caller works alone.
#[derive(Default)]
struct Solo {
    until: Option<Instant>,
    span: Duration,
    n_regions: u32,
    /// Seconds lost by working together, less what was gained since; never below 0.
    lost: f64,
}

struct Shared {
    /// `epoch << 48 | n_tasks << 24 | next`.
    ticket: AtomicU64,
    job: UnsafeCell<Option<Job<'static>>>,
    done: AtomicUsize,
    caller: Mutex<Option<Thread>>,
    caller_sleeps: AtomicBool,
    sleepers: AtomicUsize,
    panic: Mutex<Option<Panic>>,
    stop: AtomicBool,
}

// SAFETY: `job` is written by the one caller inside the `region` lock while no task is claimed, and
// read only by threads that hold a claimed task of the current epoch (see `claim`).
unsafe impl Sync for Shared {}

thread_local! {
    /// Set while this thread runs a task: a nested region runs on this thread alone.
    static IN_TASK: Cell<bool> = const { Cell::new(false) };
}

impl Pool {
    /// A pool of `n_threads` threads in all, the caller's included (at least one).
    ///
    /// # Panics
    /// When the operating system refuses a thread.
    pub fn new(n_threads: usize) -> Self {
        Self::held_by(n_threads, Arc::default())
    }

    /// [`Pool::new`], with a switch that holds its regions back.
    ///
    /// # Panics
    /// As [`Pool::new`].
    pub fn held_by(n_threads: usize, hold: Arc<Hold>) -> Self {
        let shared = Arc::new(Shared {
            ticket: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            done: AtomicUsize::new(0),
            caller: Mutex::new(None),
            caller_sleeps: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            panic: Mutex::new(None),
            stop: AtomicBool::new(false),
        });
        let workers = (1..n_threads.max(1))
            .map(|i| {
                let shared = Arc::clone(&shared);
                thread::Builder::new()
                    .name(format!("psi-{i}"))
                    .spawn(move || shared.work())
                    .unwrap_or_else(|e| panic!("the system refused thread {i} of the pool: {e}"))
            })
            .collect();
        Self { shared, hold, region: Mutex::new(Solo::default()), workers }
    }

    /// Number of threads, the caller's included.
    pub fn n_threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `task(0) .. task(n_tasks - 1)`, each once, in any order, and returns when all are done.
    ///
    /// A region inside a task, or started while another thread's region runs, is computed by the
    /// calling thread alone.
    ///
    /// # Panics
    /// With a task's own panic, after all tasks have ended.
    pub fn run(&self, n_tasks: usize, task: Job<'_>) {
        assert!(n_tasks <= MAX_TASKS, "{n_tasks} tasks in one region");
        self.hold.wait();
        let guard = match self.region.try_lock() {
            _ if n_tasks <= 1 || self.workers.is_empty() || IN_TASK.get() => None,
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        if let Some(mut solo) = guard
            && !solo.now()
        {
            solo.n_regions = solo.n_regions.wrapping_add(1);
            let loss = self.run_shared(n_tasks, task, solo.n_regions % CLOCK_EVERY == 0);
            solo.learn(loss);
        } else {
            (0..n_tasks).for_each(task);
        }
    }

    /// Returns how many seconds longer the region took than the caller alone would have needed (negative: a
    /// gain), going by its own tasks (if `watch`, by the time it ran for them: it may have lost its core
    /// meanwhile).
    fn run_shared(&self, n_tasks: usize, task: Job<'_>, watch: bool) -> f64 {
        let start = Instant::now();
        let ran = watch.then(thread_time).flatten();
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes. No thread calls the job after this function returns:
        // a task is called only when claimed, and all claimed tasks are awaited below.
        let job: Job<'static> = unsafe { std::mem::transmute::<Job<'_>, Job<'static>>(task) };
        // SAFETY: all tasks of the previous epoch are done, so no thread reads `job`.
        unsafe { *shared.job.get() = Some(job) };
        shared.done.store(0, Ordering::Relaxed);
        let epoch = (shared.ticket.load(Ordering::Relaxed) >> 48).wrapping_add(1);
        shared.ticket.store(epoch << 48 | (n_tasks as u64) << 24, Ordering::SeqCst);
        if shared.sleepers.load(Ordering::SeqCst) > 0 {
            self.workers.iter().for_each(|w| w.thread().unpark());
        }
        let mut n_own = 0_u32;
        while let Some(i) = shared.claim() {
            shared.call(i);
            n_own += 1;
        }
        let own = start.elapsed();
        let ran = ran.and_then(|before| Some(thread_time()? - before)).unwrap_or(own);
        shared.wait_for_all(n_tasks);
        let took = start.elapsed();
        let panic = lock(&shared.panic).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        // A caller that found no task left has nothing to go by.
        let per_task = (n_own > 0).then(|| ran.as_secs_f64() / f64::from(n_own));
        per_task.map_or(0.0, |per_task| took.as_secs_f64() - per_task * n_tasks as f64)
    }
}

impl Hold {
    /// Holds regions back from now on, or lets them go on.
    pub fn set(&self, held: bool) {
        let _guard = lock(&self.lock);
        self.is_set.store(held, Ordering::Relaxed);
        self.freed.notify_all();
    }

    /// Waits while it is set.
    fn wait(&self) {
        if self.is_set.load(Ordering::Relaxed) {
            let held = |(): &mut ()| self.is_set.load(Ordering::Relaxed);
            drop(self.freed.wait_while(lock(&self.lock), held));
        }
    }
}

impl Solo {
    fn now(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    fn learn(&mut self, loss: f64) {
        self.lost = (self.lost + loss).max(0.0);
        if self.lost > LOSS_MAX {
            self.lost = 0.0;
            let now = Instant::now();
            let recent = self.until.is_some_and(|until| now < until + SOLO_FORGET);
            let span = if recent { self.span * 2 } else { SOLO_MIN };
            self.span = span.min(SOLO_MAX);
            self.until = Some(now + self.span);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker's panic was already handed to the caller of its region.
            let _ = worker.join();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} threads)", self.n_threads())
    }
}

impl Shared {
    /// Takes the next task of the current region, if one is left.
    fn claim(&self) -> Option<usize> {
        let open = |ticket: u64| (ticket & 0xff_ffff) < (ticket >> 24 & 0xff_ffff);
        if !open(self.ticket.load(Ordering::Relaxed)) {
            return None;
        }
        let ticket = self.ticket.fetch_add(1, Ordering::AcqRel);
        open(ticket).then_some((ticket & 0xff_ffff) as usize)
    }

    /// Runs a claimed task and counts it.
    fn call(&self, i: usize) {
        // SAFETY: task `i` of the current epoch is claimed and not yet counted as done, so the
        // caller is still inside `run_shared` and does not write `job`.
        let job = unsafe { *self.job.get() };
        let nested = IN_TASK.replace(true);
        if let Some(job) = job
            && let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(i)))
        {
            lock(&self.panic).get_or_insert(panic);
        }
        IN_TASK.set(nested);
        self.done.fetch_add(1, Ordering::SeqCst);
        if self.caller_sleeps.load(Ordering::SeqCst)
            && let Some(caller) = &*lock(&self.caller)
        {
            caller.unpark();
        }
    }

    /// Spins, then sleeps, until `n_tasks` are done. Sleeping gives this core to a worker that the
    /// scheduler has not been running: with more runnable threads than cores, spinning would wait
    /// for the core it occupies.
    fn wait_for_all(&self, n_tasks: usize) {
        let all_done = || self.done.load(Ordering::SeqCst) == n_tasks;
        if spin_until(CALLER_SPIN, all_done) {
            return;
        }
        *lock(&self.caller) = Some(thread::current());
        self.caller_sleeps.store(true, Ordering::SeqCst);
        while !all_done() {
            thread::park();
        }
        self.caller_sleeps.store(false, Ordering::SeqCst);
    }

    fn work(&self) {
        let open = || {
            let ticket = self.ticket.load(Ordering::SeqCst);
            (ticket & 0xff_ffff) < (ticket >> 24 & 0xff_ffff) || self.stop.load(Ordering::Relaxed)
        };
        while !self.stop.load(Ordering::Relaxed) {
            while let Some(i) = self.claim() {
                self.call(i);
            }
            if !spin_until(WORKER_SPIN, open) {
                self.sleepers.fetch_add(1, Ordering::SeqCst);
                while !open() {
                    thread::park();
                }
                self.sleepers.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }
}

/// Spins until `ready` or for about `limit`; tells whether it became ready.
fn spin_until(limit: Duration, ready: impl Fn() -> bool) -> bool {
    const POLLS_PER_CLOCK_READ: u32 = 64;
    if ready() {
        return true;
    }
    let start = Instant::now();
    loop {
        for _ in 0..POLLS_PER_CLOCK_READ {
            if ready() {
                return true;
            }
            hint::spin_loop();
        }
        if start.elapsed() >= limit {
            return ready();
        }
    }
}

/// Time this thread has run.
#[cfg(target_os = "linux")]
fn thread_time() -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one timespec, which lives here.
    let rc = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    (rc == 0).then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// Time this thread has run: not asked for here; waiting for workers is noticed all the same.
#[cfg(not(target_os = "linux"))]
fn thread_time() -> Option<Duration> {
    None
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn every_task_runs_exactly_once_over_many_regions() {
        for n_threads in [1, 2, 3, 7] {
            let pool = Pool::new(n_threads);
            for n_tasks in (0..40).chain([1000]) {
                let counts: Vec<AtomicU32> = (0..n_tasks).map(|_| AtomicU32::new(0)).collect();
                for _ in 0..50 {
                    pool.run(n_tasks, &|i| {
                        counts[i].fetch_add(1, Ordering::Relaxed);
                    });
                }
                assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 50));
            }
        }
    }

    #[test]
    fn regions_may_nest_and_may_come_from_several_threads() {
        let pool = Pool::new(3);
        let sum = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        pool.run(4, &|_| {
                            pool.run(5, &|j| {
                                sum.fetch_add(j, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(sum.load(Ordering::Relaxed), 3 * 100 * 4 * 10);
    }

    #[test]
    fn a_hold_lets_no_region_begin_until_it_is_lifted() {
        let hold = Arc::new(Hold::default());
        let pool = Pool::held_by(2, Arc::clone(&hold));
        let count = AtomicUsize::new(0);
        let add = |_| {
            count.fetch_add(1, Ordering::SeqCst);
        };
        hold.set(true);
        thread::scope(|scope| {
            let work = scope.spawn(|| pool.run(8, &add));
            // However long it has had to begin.
            thread::sleep(Duration::from_millis(20));
            assert!(!work.is_finished() && count.load(Ordering::SeqCst) == 0);
            hold.set(false);
        });
        assert_eq!(count.load(Ordering::SeqCst), 8);
    }

    #[test]
    fn a_panicking_task_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(2);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            pool.run(8, &|i| assert!(i != 5, "task five"));
        }));
        assert!(caught.is_err());
        let ran = AtomicUsize::new(0);
        pool.run(8, &|_| {
            ran.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(ran.load(Ordering::Relaxed), 8);
    }
}

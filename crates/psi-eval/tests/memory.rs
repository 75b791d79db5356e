//! A run of any length needs no more memory than a short one. Alone in its program: it looks at the whole process.

use psi_eval::{
    run::{Identity, Overlong, PlayError, Played, Player, Result, RunOptions, Settings, Sink, run},
    split::Split,
    task::{Item, Output},
    tasks::{Library, TaskOptions},
};
use psi_store::ContentHash;

/// Says the right answer every time.
struct Knows(Identity);

impl Player for Knows {
    fn identity(&self) -> &Identity {
        &self.0
    }

    fn appetite(&self) -> usize {
        512
    }

    fn overlong(&self, _: &Item, _: &Settings) -> std::result::Result<Option<Overlong>, PlayError> {
        Ok(None)
    }

    fn play(&mut self, items: &[&Item], _: &Settings, sink: &mut Sink<'_>) -> Result<()> {
        for (i, item) in items.iter().enumerate() {
            let answer = item.reference["answer"].as_str().unwrap_or_default();
            let output = Output::Text(answer.to_owned());
            let prompt = item.prompt.text();
            sink(i, Played { prompt, output, n_prompt: 1, n_answer: 1, seconds: 0.0 })?;
        }
        Ok(())
    }
}

/// Most memory that this process has held so far, in KiB; `None` where the system does not say.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// More than the figures of a task are computed for at once (50,000).
const N: usize = 60_000;
const EARLY: usize = 10_000;

#[test]
fn memory_is_flat_while_samples_are_logged() {
    if peak_kib().is_none() {
        return; // a system without /proc
    }
    let task = Library::default();
    let task = task.open("procedural/total", Split::Eval, TaskOptions::default()).unwrap();
    let (model, hash) = ("knows".to_owned(), ContentHash::of_bytes(b"knows"));
    let mut player = Knows(Identity { model, adapter: None, hash, engine: String::new() });
    let folder = tempfile::tempdir().unwrap();
    let options = RunOptions { n: Some(N), ..RunOptions::default() };
    let mut early = 0;
    let file = run(&[task], &mut player, None, &options, folder.path(), &mut |progress| {
        if progress.done == EARLY {
            early = peak_kib().unwrap();
        }
    });
    let summary = file.unwrap().tasks[0].summary.clone().unwrap();
    assert_eq!((summary.n, summary.right), (N, N));
    let late = peak_kib().unwrap();
    assert!(early > 0 && late < early + 2048, "{early} KiB after {EARLY}, {late} KiB after {N}");
}

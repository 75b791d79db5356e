//! Runs with a player whose answers are known, and with a real model where there is one.

use std::path::Path;

use psi_store::ContentHash;
use serde_json::json;

use super::*;
use crate::{
    split::Split,
    task::{Output, OutputKind},
    tasks::{Library, TaskOptions},
};

/// Gives the right answer to a share of the items, chosen by their content, and fails where told to.
pub(crate) struct Scripted {
    identity: Identity,
    share: f64,
    says: Option<String>,
    fails_after: usize,
    n_asked: usize,
}

impl Scripted {
    pub(crate) fn right(share: f64) -> Self {
        let model = format!("right {share}");
        let hash = ContentHash::of_bytes(model.as_bytes());
        let identity = Identity { model, adapter: None, hash, engine: String::new() };
        Self { identity, share, says: None, fails_after: usize::MAX, n_asked: 0 }
    }

    pub(crate) fn saying(text: &str) -> Self {
        Self { says: Some(text.to_owned()), ..Self::right(0.0) }
    }
}

impl Player for Scripted {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn appetite(&self) -> usize {
        7
    }

    fn overlong(
        &self,
        item: &Item,
        _: &Settings,
    ) -> std::result::Result<Option<Overlong>, PlayError> {
        let n_tokens = item.prompt.ask.len();
        let limit = 60;
        Ok((n_tokens > limit).then(|| Overlong { id: item.id.clone(), n_tokens, limit }))
    }

    fn play(&mut self, items: &[&Item], _: &Settings, sink: &mut Sink<'_>) -> Result<()> {
        assert!(items.iter().all(|i| i.request.kind() == OutputKind::Generation));
        for (i, item) in items.iter().enumerate() {
            if self.n_asked == self.fails_after {
                let source = PlayError::Server { what: "gone".to_owned() };
                return Err(RunError::Play { item: item.id.clone(), source });
            }
            self.n_asked += 1;
            let right = f64::from(item.hash.as_bytes()[0]) / 256.0 < self.share;
            let answer = item.reference["answer"].as_str().unwrap_or_default();
            let text = match &self.says {
                Some(text) => text.clone(),
                None if right => answer.to_owned(),
                None => format!("not {answer}"),
            };
            let prompt = item.prompt.text();
            let output = Output::Text(text);
            sink(i, Played { prompt, output, n_prompt: 3, n_answer: 1, seconds: 0.5 })?;
        }
        Ok(())
    }
}

/// A task of the hardest level.
pub(crate) fn hardest() -> Task {
    let options = TaskOptions { level: Some(2), ..TaskOptions::default() };
    Library::new(Vec::new()).open("procedural/total", Split::Eval, options).unwrap()
}

pub(crate) fn run_in(
    dir: &Path,
    tasks: &[Task],
    player: &mut dyn Player,
    n: usize,
) -> Result<RunFile> {
    let options = RunOptions { n: Some(n), overlong: OnOverlong::Wrong, ..RunOptions::default() };
    let mut player = Fits(player);
    run(tasks, &mut player, None, &options, dir, &mut |_| {})
}

/// A player for whom everything fits.
struct Fits<'a>(&'a mut dyn Player);

impl Player for Fits<'_> {
    fn identity(&self) -> &Identity {
        self.0.identity()
    }

    fn appetite(&self) -> usize {
        self.0.appetite()
    }

    fn overlong(&self, _: &Item, _: &Settings) -> std::result::Result<Option<Overlong>, PlayError> {
        Ok(None)
    }

    fn play(&mut self, items: &[&Item], settings: &Settings, sink: &mut Sink<'_>) -> Result<()> {
        self.0.play(items, settings, sink)
    }
}

fn keys(dir: &Path) -> Vec<u128> {
    samples(dir).unwrap().map(|s| s.unwrap().key()).collect()
}

#[test]
fn a_run_that_broke_off_goes_on_with_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = [hardest()];
    let options = RunOptions { n: Some(25), ..RunOptions::default() };
    let go = |player: &mut Scripted, resume| {
        let options = RunOptions { resume, ..options.clone() };
        run(&tasks, &mut Fits(player), None, &options, dir.path(), &mut |_| {})
    };
    let mut player = Scripted { fails_after: 10, ..Scripted::right(0.5) };
    let error = go(&mut player, false).unwrap_err();
    assert!(matches!(error, RunError::Play { .. }), "{error}");
    assert!(!RunFile::read(dir.path()).unwrap().done);
    assert_eq!(keys(dir.path()).len(), 10);
    let mut player = Scripted::right(0.5);
    assert!(matches!(go(&mut player, false).unwrap_err(), RunError::Exists { .. }));
    let file = go(&mut player, true).unwrap();
    assert_eq!(player.n_asked, 15, "only what was left");
    assert!(file.done && keys(dir.path()).len() == 25);
    let all: std::collections::HashSet<u128> = keys(dir.path()).into_iter().collect();
    assert_eq!(all.len(), 25);
    let whole = tempfile::tempdir().unwrap();
    let at_once = run_in(whole.path(), &tasks, &mut Scripted::right(0.5), 25).unwrap();
    assert_eq!(at_once.tasks[0].metrics, file.tasks[0].metrics);
    // Another model may not add to it.
    let error = go(&mut Scripted::right(0.9), true).unwrap_err();
    assert!(matches!(error, RunError::Differs { .. }), "{error}");
}

#[test]
fn answers_are_kept_for_the_same_player_and_settings_only() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = [hardest()];
    let mut n_run = 0;
    let mut go = |player: &mut Scripted, settings: Settings| {
        n_run += 1;
        let mut cache = Cache::at(&dir.path().join("cache"));
        let options = RunOptions { n: Some(12), settings, ..RunOptions::default() };
        let out = dir.path().join(n_run.to_string());
        run(&tasks, &mut Fits(player), Some(&mut cache), &options, &out, &mut |_| {}).unwrap()
    };
    let (mut first, mut again) = (Scripted::right(0.5), Scripted::right(0.5));
    let a = go(&mut first, Settings::default());
    let b = go(&mut again, Settings::default());
    assert_eq!((first.n_asked, again.n_asked), (12, 0));
    assert_eq!(a.tasks[0].metrics, b.tasks[0].metrics);
    assert_eq!(b.tasks[0].summary.as_ref().unwrap().cached, 12);
    let mut other = Scripted::right(0.9);
    go(&mut other, Settings::default());
    let mut longer = Scripted::right(0.5);
    go(&mut longer, Settings { max_tokens: Some(9), ..Settings::default() });
    assert_eq!((other.n_asked, longer.n_asked), (12, 12));
}

#[test]
fn items_that_do_not_fit_stop_the_run_by_name_or_count_as_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = [hardest()];
    let go = |overlong, out: &str| {
        let options = RunOptions { n: Some(30), overlong, ..RunOptions::default() };
        let mut player = Scripted::right(1.0);
        let file = run(&tasks, &mut player, None, &options, &dir.path().join(out), &mut |_| {});
        (file, player.n_asked)
    };
    let (stopped, n_asked) = go(OnOverlong::Stop, "a");
    let error = stopped.unwrap_err();
    assert!(matches!(&error, RunError::Overlong { n_items, .. } if *n_items > 0), "{error}");
    assert!(error.to_string().contains("eval/0/2/") && n_asked == 0, "{error}");
    assert!(!dir.path().join("a").exists(), "nothing was begun");
    let (file, n_asked) = go(OnOverlong::Wrong, "b");
    let summary = file.unwrap().tasks[0].summary.clone().unwrap();
    assert!(summary.overlong > 0 && summary.overlong + n_asked == 30, "{summary:?}");
    assert_eq!(summary.right, n_asked);
}

#[test]
fn clusters_widen_the_interval() {
    let sample = |i: usize, cluster: Option<String>| {
        let item = Item::new(
            i.to_string(),
            crate::task::Prompt::ask("?"),
            crate::task::Request::Rolling { text: i.to_string() },
            json!(0),
        );
        let output = Output::Text(String::new());
        let played =
            Played { prompt: String::new(), output, n_prompt: 0, n_answer: 0, seconds: 0.0 };
        let verdict = Verdict::binary((i / 10).is_multiple_of(3), None);
        Sample { cluster, ..Sample::new("t", &item, played, verdict, false) }
    };
    let width = |cluster: fn(usize) -> Option<String>| {
        let mut tally = Tally::default();
        (0..300).for_each(|i| tally.add(&sample(i, cluster(i))));
        let summary = tally.finish();
        (summary.interval.1 - summary.interval.0, summary.n_clusters)
    };
    let (alone, n) = width(|_| None);
    let (clustered, n_clusters) = width(|i| Some((i / 10).to_string()));
    assert_eq!((n, n_clusters), (300, 30));
    // One source alone: its items are what there is.
    let (one, n_one) = width(|_| Some("all".to_owned()));
    assert!((one - alone).abs() < 1e-12 && n_one == 300, "{one} {alone}");
    // Ten copies of each answer: an interval wider by nearly the root of ten.
    assert!((2.9..3.5).contains(&(clustered / alone)), "{clustered} {alone}");
}

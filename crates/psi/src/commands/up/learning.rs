//! The learning loop as the page shows it: `psi learn` beside the page, its rounds, its owner's rules.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use psi_agent::{Db, Feedback, Settings, schedule};
use psi_eval::gate::{self, Decision, Record};
use psi_server::{
    Fate, Learning, LearningNow, LearningRound, LearningState, Lesson, LessonPlace, SuiteChange,
};
use psi_store::{Home, Reason, Served};
use psi_train::learn::{DataSet, Example, Rating, Round, Rules, Verdict};
use serde_json::Value;

use super::child::{Ended, Running};
use crate::{
    bundled, clock,
    commands::{
        learn::{self, rules},
        train::failure,
    },
    error::{Failure, Outcome, unusable},
};

/// How often the schedule is looked at.
const LOOK: Duration = Duration::from_secs(60);
/// Seconds between rounds that nobody asked for.
const DAY: u64 = 24 * 60 * 60;
/// Lessons for which a round that nobody asked for is begun.
const ENOUGH: usize = 8;

/// psi's own learning loop.
pub(super) struct UpLearning(Arc<Inner>);

struct Inner {
    home: Home,
    db: Db,
    now: Mutex<Option<Now>>,
    /// When the schedule last began a round, in seconds: one that fails at once leaves no record.
    scheduled: AtomicU64,
    /// What is served as long as nothing was promoted: its hash takes a pass over its files.
    bundled: OnceLock<Served>,
}

/// A round that was started here.
struct Now {
    shown: LearningNow,
    running: Option<Running>,
}

impl UpLearning {
    pub(super) fn new(home: &Home, db: &Db) -> Outcome<Self> {
        let inner = Arc::new(Inner {
            home: home.clone(),
            db: db.clone(),
            now: Mutex::default(),
            scheduled: AtomicU64::new(0),
            bundled: OnceLock::new(),
        });
        let learning = Arc::downgrade(&inner);
        let look = Box::new(move || keep_schedule(&learning));
        let thread = schedule::repeat("psi-schedule", LOOK, look);
        thread.map_err(|e| Failure::failed("the system gives no thread").because(e))?;
        Ok(Self(inner))
    }
}

impl Learning for UpLearning {
    fn state(&self) -> Result<LearningState, String> {
        self.0.state().map_err(|failure| failure.to_string())
    }

    fn start(&self, when_idle: bool) -> Result<(), String> {
        self.0.start(when_idle)
    }

    fn stop(&self) {
        if let Some(now) = &mut *self.0.lock()
            && let Some(running) = now.running.take()
        {
            now.shown.ended = Some(Ok("Stopped: learning goes on where it was.".to_owned()));
            running.stop();
        }
    }

    fn roll_back(&self) -> Result<(), String> {
        gate::rollback(&self.0.home, clock::now()).map(drop).map_err(|e| e.to_string())
    }

    fn strike(&self, judgement: &str, is_out: bool) -> Result<(), String> {
        let change = |rules: &mut rules::Kept| match is_out {
            true => rules.struck.insert(judgement.to_owned()),
            false => rules.struck.remove(judgement),
        };
        self.0.keep(change).map_err(|failure| failure.to_string())
    }

    fn forget(&self, conversation: &str) -> Result<(), String> {
        let change = |rules: &mut rules::Kept| rules.forgotten.insert(conversation.to_owned());
        self.0.keep(change).map_err(|failure| failure.to_string())
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Option<Now>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>, when_idle: bool) -> Result<(), String> {
        let mut now = self.lock();
        if now.as_ref().is_some_and(|now| now.shown.ended.is_none()) {
            return Err("psi is learning already".to_owned());
        }
        let (learning, ending) = (Arc::downgrade(self), Arc::downgrade(self));
        let said = move |line: &str| {
            change(&learning, |now| {
                // A hint belongs to the line before it.
                match line.strip_prefix("hint: ") {
                    Some(hint) => now.shown.said = format!("{} ({hint})", now.shown.said),
                    None => line.clone_into(&mut now.shown.said),
                }
            });
        };
        let ended = move |ended: Ended| {
            change(&ending, |now| {
                now.running = None;
                if now.shown.ended.is_none() {
                    now.shown.ended = Some(outcome(&ended, &now.shown.said));
                }
            });
        };
        // The judgements are handed over: an encrypted database opens for this process only.
        let args: &[&str] = match when_idle {
            true => &["learn", "--json", "--feedback", "-", "--when-idle"],
            false => &["learn", "--json", "--feedback", "-"],
        };
        let exported = Feedback::new(&self.db).export().map_err(|e| e.to_string())?;
        let input: String = exported.lines.iter().map(|line| format!("{line}\n")).collect();
        let running = Running::start("learn", args, input.into_bytes(), said, ended)?;
        let shown = LearningNow { said: "Looking at your verdicts".to_owned(), ended: None };
        *now = Some(Now { shown, running: Some(running) });
        Ok(())
    }

    /// Changes the owner's rules (`change` says whether), and removes what they now leave out.
    fn keep(&self, change: impl FnOnce(&mut rules::Kept) -> bool) -> Outcome {
        if self.lock().as_ref().is_some_and(|now| now.shown.ended.is_none()) {
            return Err(Failure::input("psi is learning: stop it first"));
        }
        let mut kept = rules::Kept::read(&self.home)?;
        if !change(&mut kept) {
            return Ok(());
        }
        kept.write(&self.home)?;
        rules::forget(&self.home, &kept.rules(false))
    }

    fn state(&self) -> Outcome<LearningState> {
        let served = self.served()?;
        let (ratings, rules) = (self.ratings()?, rules::Kept::read(&self.home)?.rules(false));
        let data = DataSet::new(&ratings, &rules);
        let history = self.home.assistant().history().map_err(unusable)?;
        let mut rounds = Vec::new();
        for round in Round::all(&self.home.runs()).map_err(failure)? {
            rounds.push(self.shown(&round, &served, &history)?);
        }
        rounds.sort_by_key(|round| std::cmp::Reverse(round.at.unwrap_or(u64::MAX)));
        let now = self.lock().as_ref().map(|now| now.shown.clone());
        let is_new = !learn::has_learned(&self.home, &served, &data)?;
        let serves = match self.home.assistant().served().map_err(unusable)? {
            Some(served) => format!("{}@{}", bundled::NAME, served.hash().short()),
            None => bundled::NAME.to_owned(),
        };
        Ok(LearningState { serves, now, next: lessons(&ratings, &data, &rules), is_new, rounds })
    }

    /// What is served, by the log: whoever loads it looks at the files.
    fn served(&self) -> Outcome<Served> {
        if let Some(served) = self.home.assistant().served().map_err(unusable)? {
            return Ok(served);
        }
        if let Some(served) = self.bundled.get() {
            return Ok(served.clone());
        }
        let served = Served::at(&bundled::unpack(&self.home)?, None).map_err(unusable)?;
        Ok(self.bundled.get_or_init(|| served).clone())
    }

    fn ratings(&self) -> Outcome<Vec<Rating>> {
        learn::read_ratings(&Feedback::new(&self.db).export().map_err(unusable)?.lines)
    }

    fn shown(
        &self,
        round: &Round,
        served: &Served,
        history: &[psi_store::Switch],
    ) -> Outcome<LearningRound> {
        let name = round.dir().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (learned, kept_out) = round.examples().map_err(failure)?;
        let learned = learned.iter().map(|e| lesson(e, LessonPlace::Learned));
        let lessons =
            learned.chain(kept_out.iter().map(|e| lesson(e, LessonPlace::KeptOut))).collect();
        if !round.record().exists() {
            let (fate, suites) = (Fate::Unfinished, Vec::new());
            return Ok(LearningRound { name, at: None, fate, lessons, suites });
        }
        let record = Record::read(&round.record()).map_err(unusable)?;
        let candidate = &record.candidate;
        let taken_back =
            |s: &psi_store::Switch| s.reason == Reason::Rollback && s.from.same_content(candidate);
        let fate = match record.decision {
            Decision::Reject => Fate::Rejected,
            Decision::Hold => Fate::Held,
            Decision::Promote if candidate.same_content(served) => Fate::Serves,
            Decision::Promote if history.iter().any(taken_back) => Fate::TakenBack,
            Decision::Promote if history.iter().any(|s| s.to.same_content(candidate)) => {
                Fate::Replaced
            }
            Decision::Promote => Fate::Waiting,
        };
        let suite = |s: &gate::Evidence| SuiteChange {
            suite: s.suite.clone(),
            n: s.n,
            means: s.means,
            interval: s.interval,
            verdict: format!("{:?}", s.verdict).to_lowercase(),
        };
        let suites = record.suites.iter().map(suite).collect();
        Ok(LearningRound { name, at: Some(record.at), fate, lessons, suites })
    }

    /// Begins a round if its owner has left that to psi, nothing was learned for a day, and there is enough.
    fn on_schedule(self: &Arc<Self>) -> Outcome {
        let schedule = Settings::new(&self.db).text("learning.schedule").map_err(unusable)?;
        if schedule != "when_idle" || self.lock().as_ref().is_some_and(|n| n.running.is_some()) {
            return Ok(());
        }
        let state = self.state()?;
        let n = state.next.iter().filter(|l| l.place == LessonPlace::Learned).count();
        let last = state.rounds.iter().filter_map(|round| round.at).max().unwrap_or(0);
        let last = last.max(self.scheduled.load(Ordering::Relaxed));
        let now = clock::now();
        if !state.is_new || n < ENOUGH || now.saturating_sub(last) < DAY {
            return Ok(());
        }
        self.scheduled.store(now, Ordering::Relaxed);
        self.start(true).map_err(Failure::failed)
    }
}

/// Looks at the schedule; `false` once the page is gone.
fn keep_schedule(learning: &Weak<Inner>) -> bool {
    let Some(learning) = learning.upgrade() else { return false };
    if let Err(failure) = learning.on_schedule() {
        eprintln!("psi: learning by schedule: {failure}");
    }
    true
}

fn change(learning: &Weak<Inner>, change: impl FnOnce(&mut Now)) {
    if let Some(learning) = learning.upgrade()
        && let Some(now) = &mut *learning.lock()
    {
        change(now);
    }
}

/// What came out, in a sentence, or why nothing did.
fn outcome(ended: &Ended, said: &str) -> Result<String, String> {
    if !ended.is_well {
        return Err(said.to_owned());
    }
    let report: Value = serde_json::from_str(&ended.output).unwrap_or_default();
    let sentence = match (report["decision"].as_str(), report["served"] == true) {
        (Some(_), true) => "Learned, judged and promoted: psi answers with it now.",
        (Some("promote"), false) => "Learned, and passed the gate; it was taken back before.",
        (Some("hold"), _) => "Learned, but not promoted: the gate could not be sure.",
        (Some(_), _) => "Learned, but not promoted: the gate found something worse.",
        (None, _) => "There was nothing new to learn.",
    };
    Ok(sentence.to_owned())
}

fn lesson(example: &Example, place: LessonPlace) -> Lesson {
    Lesson {
        id: example.id.clone(),
        conversation: example.source.clone(),
        question: question(&example.messages),
        answer: example.target.as_ref().or(example.disliked.as_ref()).cloned().unwrap_or_default(),
        is_disliked: example.target.is_none(),
        place,
    }
}

/// Every judgement with what the next round makes of it.
fn lessons(ratings: &[Rating], data: &DataSet, rules: &Rules) -> Vec<Lesson> {
    let left = data.left_out.iter().filter_map(|left| {
        let rating = ratings.iter().find(|rating| rating.id == left.id)?;
        let place = match rules.struck.contains(&left.id) {
            true => LessonPlace::Struck,
            false => LessonPlace::LeftOut(left.why.clone()),
        };
        Some(Lesson {
            id: rating.id.clone(),
            conversation: rating.source.clone(),
            question: question(&rating.messages),
            answer: rating.better.clone().unwrap_or_else(|| rating.answer.clone()),
            is_disliked: rating.verdict == Verdict::Down,
            place,
        })
    });
    let learned = data.train.iter().map(|e| lesson(e, LessonPlace::Learned));
    let kept_out = data.kept_out.iter().map(|e| lesson(e, LessonPlace::KeptOut));
    learned.chain(kept_out).chain(left).collect()
}

/// What was asked last.
fn question(messages: &[Value]) -> String {
    let asked = messages.iter().rev().find(|m| m["role"] == "user");
    asked.and_then(|m| m["content"].as_str()).unwrap_or_default().to_owned()
}

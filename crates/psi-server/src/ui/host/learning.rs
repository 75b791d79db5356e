//! What the page asks of the learning loop.

/// The learning loop, as the program has it.
pub trait Learning: Send + Sync {
    /// What was learned, what would be next, and what is going on.
    ///
    /// # Errors
    /// A sentence for the reader.
    fn state(&self) -> Result<LearningState, String>;

    /// Starts a round behind the call, or goes on with the one that was stopped.
    ///
    /// # Errors
    /// A sentence for the reader.
    fn start(&self, when_idle: bool) -> Result<(), String>;

    /// Stops the round; what was trained is kept.
    fn stop(&self);

    /// Serves again what was served before the last promotion.
    ///
    /// # Errors
    /// A sentence for the reader.
    fn roll_back(&self) -> Result<(), String>;

    /// Never learns from a judgement, or does so again.
    ///
    /// # Errors
    /// A sentence for the reader.
    fn strike(&self, judgement: &str, is_out: bool) -> Result<(), String>;

    /// Forgets a conversation: removes what has learned from it, and never learns from it again.
    ///
    /// # Errors
    /// A sentence for the reader.
    fn forget(&self, conversation: &str) -> Result<(), String>;
}

/// Where the learning loop stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LearningState {
    /// The model that the next round starts from.
    pub serves: String,
    /// The round of this session: going on, or how it ended.
    pub now: Option<LearningNow>,
    /// What the next round would learn from, be tested with, and leave out.
    pub next: Vec<Lesson>,
    /// Whether the next round would learn anything that what is served has not.
    pub is_new: bool,
    /// Every round that has begun, newest first.
    pub rounds: Vec<LearningRound>,
}

/// A round of this session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearningNow {
    /// What it said last.
    pub said: String,
    /// How it ended: what came out, or why it failed.
    pub ended: Option<Result<String, String>>,
}

/// A judgement as something to learn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// The judgement.
    pub id: String,
    /// The conversation that it comes from.
    pub conversation: String,
    /// What was asked.
    pub question: String,
    /// What is the answer to it from now on, or (`is_disliked`) what is not.
    pub answer: String,
    /// Whether the answer is what psi should keep away from.
    pub is_disliked: bool,
    /// What becomes of it.
    pub place: LessonPlace,
}

/// What becomes of a judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LessonPlace {
    /// It is learned.
    Learned,
    /// It tests the result, and is not learned.
    KeptOut,
    /// Its owner has struck it out.
    Struck,
    /// It teaches nothing, or must not: why.
    LeftOut(String),
}

/// A round of learning.
#[derive(Clone, Debug, PartialEq)]
pub struct LearningRound {
    /// Its name.
    pub name: String,
    /// When the gate decided, in seconds since 1970.
    pub at: Option<u64>,
    /// What has become of it.
    pub fate: Fate,
    /// What it has learned from.
    pub lessons: Vec<Lesson>,
    /// What the gate measured.
    pub suites: Vec<SuiteChange>,
}

/// What has become of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The gate has not decided.
    Unfinished,
    /// The gate found the candidate worse.
    Rejected,
    /// The gate could not be sure.
    Held,
    /// The gate let it through, and its owner did not promote it.
    Waiting,
    /// It answers.
    Serves,
    /// It has answered; a later round does now.
    Replaced,
    /// It has answered, and its owner took it back.
    TakenBack,
}

/// What the gate measured on a suite.
#[derive(Clone, Debug, PartialEq)]
pub struct SuiteChange {
    /// Its name.
    pub suite: String,
    /// Items.
    pub n: usize,
    /// Mean scores before and after, of 1.
    pub means: (f64, f64),
    /// 95 % interval of the difference.
    pub interval: (f64, f64),
    /// What it says of the candidate, in a word.
    pub verdict: String,
}

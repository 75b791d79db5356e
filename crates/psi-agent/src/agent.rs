//! The loop that answers: think, call tools, read what they return, answer.
//!
//! [`Agent`] does nothing itself. It is told what happened ([`Input`]) and says what is to be done next
//! ([`Command`]); a driver does it. So every course of events, cancelling included, is a script in a test.

mod approval;
mod event;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::Value;

pub use approval::{Approval, Decision, Grants, Reason, Scope, Standing};
pub use event::{AgentEvent, ContextMeter};

use crate::{
    conversation::ToolCall,
    tool::{Effect, Tool, ToolError, ToolOutput},
};

/// Bounds of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Times the model may write; in the last one it is offered no tools.
    pub max_steps: usize,
    /// Tokens it may write in all.
    pub max_tokens: usize,
    /// Tokens of the context kept free for an answer: a prompt that leaves fewer is too long.
    pub min_answer: usize,
    /// Calls it may make at once; the others are refused.
    pub max_calls: usize,
    /// How long one call may take.
    pub call_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_steps: 8,
            max_tokens: 8192,
            min_answer: 256,
            max_calls: 8,
            call_timeout: Duration::from_secs(60),
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The run begins.
    Start,
    /// The prompt was counted.
    Counted {
        /// Its tokens.
        n_prompt: usize,
        /// Tokens that the model can hold.
        limit: usize,
    },
    /// Older messages were replaced by a summary; `false`: there is nothing left to summarise.
    Summarised(bool),
    /// The model has written.
    Generated {
        /// The tools it calls.
        calls: Vec<ProposedCall>,
        /// Whether it was cut off at its token limit.
        is_cut: bool,
        /// Tokens it wrote.
        n_generated: usize,
    },
    /// The model could not write.
    GenerationFailed(String),
    /// The user decided on a call.
    Decided {
        /// The call.
        call: String,
        /// The decision.
        decision: Decision,
    },
    /// A call has run.
    Ran {
        /// The call.
        call: String,
        /// What it returned.
        outcome: Result<ToolOutput, ToolError>,
        /// How long it took.
        duration_ms: u64,
    },
    /// The user wants it to end.
    Cancel,
}

/// A call as the model wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct ProposedCall {
    /// Its name within the conversation.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as text: JSON, if the model got it right.
    pub arguments: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Count the prompt; answer with [`Input::Counted`].
    Count,
    /// Replace older messages by a summary; answer with [`Input::Summarised`].
    Summarise,
    /// Let the model write; answer with [`Input::Generated`].
    Generate {
        /// Most tokens it may write.
        max_tokens: usize,
        /// Whether it is offered the tools.
        with_tools: bool,
    },
    /// Show these calls to the user; answer with [`Input::Decided`] for each.
    Ask(Vec<Approval>),
    /// Keep a grant that the user gave.
    Grant {
        /// The tool's [`Tool::grant_key`].
        key: String,
        /// For how long.
        scope: Scope,
    },
    /// Run a call; answer with [`Input::Ran`]. Several may run at once.
    Run(ToolCall),
    /// Write down what the calls of this step returned, in the order of the calls.
    Record(Vec<CallResult>),
    /// Stop the model and the calls that run. The answers to them are still expected.
    Stop,
    /// The run is over.
    Finish(Ending),
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallResult {
    /// The call, with the arguments it ran with.
    pub call: ToolCall,
    /// What it would do or did.
    pub effect: Effect,
    /// How it was allowed, as [`crate::ToolRun::approval`] keeps it.
    pub approval: &'static str,
    /// What it returned.
    pub outcome: Result<ToolOutput, ToolError>,
    /// How long it took.
    pub duration_ms: u64,
}

impl CallResult {
    /// What the model reads.
    pub fn text(&self) -> String {
        match &self.outcome {
            Ok(output) => output.text.clone(),
            Err(error) => format!("error: {error}"),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Ending {
    /// The model has answered.
    Answered,
    /// It had to answer without more tools: the steps were used up.
    StepLimit,
    /// The answer was cut off: the tokens were used up.
    TokenLimit,
    /// The user stopped it.
    Cancelled,
    /// The prompt does not fit, and there is nothing left to summarise.
    TooLong {
        /// Its tokens.
        n_prompt: usize,
        /// Tokens that the model can hold.
        limit: usize,
    },
    /// The model could not write.
    Failed {
        /// Why.
        error: String,
    },
}

/// The state of one run: from a user's message to the answer.
pub struct Agent {
    tools: BTreeMap<String, Arc<dyn Tool>>,
    grants: Grants,
    limits: Limits,
    /// Text of others stands in the context.
    is_tainted: bool,
    state: State,
    n_steps: usize,
    n_generated: usize,
    calls: Vec<Call>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Counting,
    Summarising {
        n_prompt: usize,
        limit: usize,
    },
    Generating,
    /// Calls wait for decisions, run, or have come back.
    Calling,
    /// The user stopped the model; its last word is awaited.
    Stopping,
    Over,
}

/// A call of the present step.
struct Call {
    call: ToolCall,
    effect: Effect,
    approval: &'static str,
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Waiting,
    Running,
    Done { outcome: Result<ToolOutput, ToolError>, duration_ms: u64 },
}

impl Agent {
    /// A run that has not begun. `is_tainted`: text of others stands in the context already.
    pub fn new(tools: &[Arc<dyn Tool>], grants: Grants, limits: Limits, is_tainted: bool) -> Self {
        Self {
            tools: tools.iter().map(|t| (t.name().to_owned(), t.clone())).collect(),
            grants,
            limits,
            is_tainted,
            state: State::Ready,
            n_steps: 0,
            n_generated: 0,
            calls: Vec::new(),
        }
    }

    /// Its bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether the run is over.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Takes note of what happened and returns what is to be done. What does not fit the state (a
    /// decision on a call that has run, an answer after the end) changes nothing.
    pub fn handle(&mut self, input: Input) -> Vec<Command> {
        match (self.state, input) {
            (State::Ready, Input::Start) => self.count(),
            (State::Counting, Input::Counted { n_prompt, limit }) => self.counted(n_prompt, limit),
            (State::Summarising { n_prompt, limit }, Input::Summarised(done)) => {
                if done {
                    self.count()
                } else {
                    self.finish(Ending::TooLong { n_prompt, limit })
                }
            }
            (State::Generating, Input::Generated { calls, is_cut, n_generated }) => {
                self.generated(calls, is_cut, n_generated)
            }
            (State::Stopping, Input::Generated { calls, .. }) => self.stopped(calls),
            (State::Stopping, Input::GenerationFailed(_)) => self.finish(Ending::Cancelled),
            (
                State::Counting | State::Summarising { .. } | State::Generating,
                Input::GenerationFailed(error),
            ) => self.finish(Ending::Failed { error }),
            (State::Calling, Input::Decided { call, decision }) => self.decided(&call, decision),
            (State::Calling, Input::Ran { call, outcome, duration_ms }) => {
                self.ran(&call, outcome, duration_ms)
            }
            (_, Input::Cancel) => self.cancel(),
            _ => Vec::new(),
        }
    }

    fn count(&mut self) -> Vec<Command> {
        self.state = State::Counting;
        vec![Command::Count]
    }

    fn finish(&mut self, ending: Ending) -> Vec<Command> {
        self.state = State::Over;
        vec![Command::Finish(ending)]
    }

    fn counted(&mut self, n_prompt: usize, limit: usize) -> Vec<Command> {
        let room = limit.saturating_sub(n_prompt);
        if room < self.limits.min_answer.min(limit / 4) {
            self.state = State::Summarising { n_prompt, limit };
            return vec![Command::Summarise];
        }
        let left = self.limits.max_tokens.saturating_sub(self.n_generated);
        if left == 0 {
            return self.finish(Ending::TokenLimit);
        }
        self.n_steps += 1;
        self.state = State::Generating;
        let with_tools = !self.tools.is_empty() && !self.is_last_step();
        vec![Command::Generate { max_tokens: left.min(room), with_tools }]
    }

    fn is_last_step(&self) -> bool {
        self.n_steps >= self.limits.max_steps
    }

    fn generated(
        &mut self,
        calls: Vec<ProposedCall>,
        is_cut: bool,
        n_generated: usize,
    ) -> Vec<Command> {
        self.n_generated += n_generated;
        if calls.is_empty() {
            return self.finish(match (is_cut, self.is_last_step() && self.n_steps > 1) {
                (true, _) => Ending::TokenLimit,
                (false, true) => Ending::StepLimit,
                (false, false) => Ending::Answered,
            });
        }
        self.calls = calls.into_iter().enumerate().map(|(i, c)| self.admit(i, c)).collect();
        self.state = State::Calling;
        let mut commands = Vec::new();
        let mut approvals = Vec::new();
        for call in &self.calls {
            match &call.stage {
                Stage::Running => commands.push(Command::Run(call.call.clone())),
                Stage::Waiting => approvals.push(Approval {
                    call: call.call.clone(),
                    effect: call.effect,
                    reason: self.reason(call),
                }),
                Stage::Done { .. } => {}
            }
        }
        if !approvals.is_empty() {
            commands.push(Command::Ask(approvals));
        }
        commands.extend(self.next_step());
        commands
    }

    /// A call as it stands before anybody is asked: refused at once, running, or waiting.
    fn admit(&self, index: usize, proposed: ProposedCall) -> Call {
        let ProposedCall { id, name, arguments } = proposed;
        let parsed = parse_arguments(&arguments);
        let tool = self.tools.get(&name);
        let refused = |call: ToolCall, why: ToolError| Call {
            call,
            effect: Effect::None,
            approval: "refused",
            stage: Stage::Done { outcome: Err(why), duration_ms: 0 },
        };
        let call = ToolCall { id, name, arguments: parsed.clone().unwrap_or(Value::Null) };
        let Some(tool) = tool else {
            let known: Vec<&str> = self.tools.keys().map(String::as_str).collect();
            let why = format!("there is no tool {}; there are: {}", call.name, known.join(", "));
            return refused(call, ToolError::Failed(why));
        };
        if let Err(why) = parsed {
            return refused(call, ToolError::BadArguments(why));
        }
        if index >= self.limits.max_calls {
            let why = format!("at most {} calls at once", self.limits.max_calls);
            return refused(call, ToolError::NotAllowed(why));
        }
        let effect = tool.effect(&call.arguments);
        match self.grants.standing(tool.as_ref(), effect, self.is_tainted) {
            Standing::Allowed(approval) => Call { call, effect, approval, stage: Stage::Running },
            Standing::Ask(_) => Call { call, effect, approval: "asked", stage: Stage::Waiting },
        }
    }

    fn reason(&self, call: &Call) -> Reason {
        let tool = self.tools.get(&call.call.name);
        match tool.map(|t| self.grants.standing(t.as_ref(), call.effect, self.is_tainted)) {
            Some(Standing::Ask(reason)) => reason,
            _ => Reason::NoGrant,
        }
    }

    fn decided(&mut self, id: &str, decision: Decision) -> Vec<Command> {
        let waiting = |c: &&mut Call| c.call.id == id && c.stage == Stage::Waiting;
        let Some(call) = self.calls.iter_mut().find(waiting) else { return Vec::new() };
        let mut commands = Vec::new();
        match decision {
            Decision::Deny { reason } => {
                let said = reason.filter(|r| !r.trim().is_empty());
                let why = said.map_or_else(
                    || "the user did not allow it".to_owned(),
                    |r| format!("the user did not allow it: {r}"),
                );
                call.approval = "denied";
                call.stage =
                    Stage::Done { outcome: Err(ToolError::NotAllowed(why)), duration_ms: 0 };
            }
            Decision::Approve { scope, arguments } => {
                call.approval = match scope {
                    Scope::Once => "once",
                    Scope::Chat => "chat",
                    Scope::Always => "always",
                };
                call.stage = Stage::Running;
                let tool = self.tools.get(&call.call.name).expect("a waiting call has a tool");
                if let Some(arguments) = arguments {
                    call.effect = tool.effect(&arguments);
                    call.call.arguments = arguments;
                }
                if scope != Scope::Once {
                    let key = tool.grant_key();
                    let grants = match scope {
                        Scope::Always => &mut self.grants.always,
                        _ => &mut self.grants.chat,
                    };
                    grants.insert(key.clone());
                    commands.push(Command::Grant { key, scope });
                }
                commands.push(Command::Run(call.call.clone()));
            }
        }
        commands.extend(self.next_step());
        commands
    }

    fn ran(
        &mut self,
        id: &str,
        outcome: Result<ToolOutput, ToolError>,
        duration_ms: u64,
    ) -> Vec<Command> {
        let running = |c: &&mut Call| c.call.id == id && c.stage == Stage::Running;
        let Some(call) = self.calls.iter_mut().find(running) else { return Vec::new() };
        self.is_tainted |= outcome.as_ref().is_ok_and(|o| o.untrusted);
        call.stage = Stage::Done { outcome, duration_ms };
        self.next_step()
    }

    /// Once every call has come back: their results, and the next step.
    fn next_step(&mut self) -> Vec<Command> {
        if self.calls.iter().any(|c| !matches!(c.stage, Stage::Done { .. })) {
            return Vec::new();
        }
        let mut commands = vec![Command::Record(self.take_results())];
        commands.extend(self.count());
        commands
    }

    /// The results of all calls; of those that have none, that the user stopped them.
    fn take_results(&mut self) -> Vec<CallResult> {
        let result = |c: Call| {
            let (outcome, duration_ms) = match c.stage {
                Stage::Done { outcome, duration_ms } => (outcome, duration_ms),
                Stage::Waiting | Stage::Running => (Err(ToolError::Cancelled), 0),
            };
            let Call { call, effect, approval, .. } = c;
            CallResult { call, effect, approval, outcome, duration_ms }
        };
        std::mem::take(&mut self.calls).into_iter().map(result).collect()
    }

    fn cancel(&mut self) -> Vec<Command> {
        match self.state {
            State::Over | State::Stopping => Vec::new(),
            State::Generating => {
                self.state = State::Stopping;
                vec![Command::Stop]
            }
            State::Calling => {
                // What has run has had its effect: its result is kept.
                let results = self.take_results();
                let mut commands = vec![Command::Stop, Command::Record(results)];
                commands.extend(self.finish(Ending::Cancelled));
                commands
            }
            State::Ready | State::Counting | State::Summarising { .. } => {
                let mut commands = vec![Command::Stop];
                commands.extend(self.finish(Ending::Cancelled));
                commands
            }
        }
    }

    /// The model's last word after it was stopped: calls in it are not run, but each gets an answer,
    /// so that the history stays whole.
    fn stopped(&mut self, calls: Vec<ProposedCall>) -> Vec<Command> {
        let cancelled = |c: ProposedCall| {
            let arguments = parse_arguments(&c.arguments).unwrap_or(Value::Null);
            CallResult {
                call: ToolCall { id: c.id, name: c.name, arguments },
                effect: Effect::None,
                approval: "refused",
                outcome: Err(ToolError::Cancelled),
                duration_ms: 0,
            }
        };
        let results: Vec<CallResult> = calls.into_iter().map(cancelled).collect();
        let mut commands = Vec::new();
        if !results.is_empty() {
            commands.push(Command::Record(results));
        }
        commands.extend(self.finish(Ending::Cancelled));
        commands
    }
}

/// The arguments of a call: a JSON object; nothing at all means none.
fn parse_arguments(text: &str) -> Result<Value, String> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(Value::Object(map)),
        Ok(_) => Err("the arguments must be a JSON object".to_owned()),
        Err(error) => Err(format!("the arguments are not JSON: {error}")),
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("state", &self.state).finish_non_exhaustive()
    }
}

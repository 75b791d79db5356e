//! Reading: a short note, a question, and an answer that stands in the note or does not.
//!
//! The assistant thinks first: what is asked for, then statement by statement what it is about, up to the one that
//! answers. To find an answer in one step, or to be sure that there is none, is beyond a small model; each of these is one look.

mod topics;

use self::topics::{Attribute, FREE, TOPICS};
use super::{
    Skill,
    scene::{Outcome, Scene},
    words,
};
use crate::{
    draws::Draws,
    split::Split,
    wording::{Wordings, capitalised, fill},
};

const WITH_NOTE: Wordings = Wordings {
    train: &[
        "note: {note}\n\n{question}",
        "{question}\n\nnote: {note}",
        "{question}\n\n{note}",
        "[here is|this is|i have|take|see|consider|i found|there is|i got|they sent me] [a|this|my|the|one|the following] [note|text|memo|message|paragraph|page|list|card|letter|entry|passage|snippet][:|.|,| -] {note}\n\n{question}",
        "[here is|this is|i have|take|see|consider|i found] [a|this|my|the|one] [note|text|memo|message|paragraph|page|letter][:|.]\n{note}\n\n[question:|my question:|so:|tell me:|] {question}",
        "[please |now |]read [this|the|my] [note|text|memo|page|message][.|:|!] {note}\n\n{question}",
        "{note}\n\n{question}",
        "{note} {question}",
        "from [my|the|our|her|his] [notes|diary|notebook|board|mail|file|calendar]: {note}\n\n[question: |]{question}",
        "[please |][answer|reply] from [this|the|my] [note|text|memo][:|.] {note}\n\n{question}",
        "[the note|my note|the text|the memo|the board|the letter|a message] [says|reads|goes like this|is]: {note}\n\n{question}",
        "\"{note}\"\n\n{question}",
        "[in|after] [this|the] [note|text|message]: \"{note}\" - {question}",
        "[info|facts|context|document|data|memo|text below|source|excerpt]: {note}\n\n[question: |task: |q: |]{question}",
        "note:\n{note}\n\nquestion:\n{question}",
        "q: {question}\n[note|text|context|info]: {note}",
        "question: {question}\n\n[the note|the text|my notes|the memo|context]: {note}",
        "{question}\n\n[look here|see below|it should be here|here it is|i only have this|from my notes|the note is this|read this first|this is what i have|answer from this|find it here]: {note}",
        "[i want to|let me|i need to] ask about this [note|text]: {note}\n\n{question}",
        "[with|using|given] [this|the] [note|text], answer: {note}\n\n{question}",
        "about this [note|text|message|memo|paragraph]: {note}\n\n{question}",
        "i ask about this [note|text|message]: {note}\n\n{question}",
        "i have a question about this [note|text|message|memo|list|letter]: {note}\n\n{question}",
        "i have a question about [this|the] text. {note}\n\n{question}",
        "a question about [this|the following|a] [note|text|message|page]: {note}\n\n{question}",
        "one question about [this|the following] [note|text]: {note} {question}",
        "my question is about this [note|text|page|letter]: {note}\n\n{question}",
        "could you look at this [note|text|message|list]? {note}\n\n{question}",
        "can you look at [this|my] [note|text|message]? {note}\n\n{question}",
        "can you help me with this [note|text|message|memo]? {note}\n\n{question}",
        "can you read [this|the|my] [note|text|message]? {note}\n\n{question}",
        "please look at [this|my|the] [note|text|list]: {note}\n\n{question}",
        "please have a look at [this|my|the] [note|text|message]: {note}\n\n{question}",
        "have a look at [this|my|the] [note|text|message]: {note}\n\n{question}",
        "check [this|my|the] [note|text|list|message]: {note}\n\n{question}",
        "study [this|the] [note|text|passage]: {note}\n\n{question}",
        "go through [this|my|the] [note|text|list]: {note}\n\n{question}",
        "use [this|the|the following] [note|text|information|facts]: {note}\n\n{question}",
        "use only [this|the] [note|text]: {note}\n\n{question}",
        "know that: {note}\n\n{question}",
        "suppose [that|this]: {note}\n\n{question}",
        "assume the following: {note}\n\n{question}",
        "let us say: {note}\n\n{question}",
        "we know [that|this|the following]: {note}\n\n{question}",
        "what we know: {note}\n\n{question}",
        "what i know: {note}\n\n{question}",
        "all i know is this: {note}\n\n{question}",
        "all i have is this [note|text|message]: {note}\n\n{question}",
        "the only thing i have is this [note|text]: {note}\n\n{question}",
        "somebody wrote: {note}\n\n{question}",
        "someone left [this|a] [note|message]: {note}\n\n{question}",
        "my [friend|boss|sister|brother|teacher|neighbour|mother] wrote: {note}\n\n{question}",
        "my [friend|boss|sister|brother|teacher|neighbour] sent me this: {note}\n\n{question}",
        "i wrote down: {note}\n\n{question}",
        "i noted: {note}\n\n{question}",
        "i read: {note}\n\n{question}",
        "i just read [this|in a note]: {note}\n\n{question}",
        "i have [in front of me|written down] this [note|text]: {note}\n\n{question}",
        "on my desk lies [this|a] note: {note}\n\n{question}",
        "on the [board|door|fridge|wall] it says: {note}\n\n{question}",
        "in the [newspaper|mail|letter|report|minutes|manual] it says: {note}\n\n{question}",
        "it says [here|in the note|in my notes]: {note}\n\n{question}",
        "according to [this|the|my] [note|text|memo]: {note}\n\n{question}",
        "based on [this|the] [note|text|information]: {note}\n\n{question}",
        "going by [this|the] [note|text]: {note}\n\n{question}",
        "from [this|the following] [note|text|passage]: {note}\n\n{question}",
        "out of [this|the] [note|text]: {note}\n\n{question}",
        "find [it|this|the answer] in [this|the] [note|text]: {note}\n\n{question}",
        "look it up in [this|the] [note|text|list]: {note}\n\n{question}",
        "here are [my|some|the] [notes|facts|lines|details]: {note}\n\n{question}",
        "these are [my|some|the] [notes|facts|details]: {note}\n\n{question}",
        "below is [a|the|my] [note|text|message]: {note}\n\n{question}",
        "below you see [a|the|my] [note|text]. {note}\n\n{question}",
        "the following is [a|the|my] [note|text|message]. {note}\n\n{question}",
        "[note|text|memo|notes|facts] begins. {note} [note|text|memo|notes|facts] ends. {question}",
        "start of the text. {note} end of the text. {question}",
        "### note\n{note}\n### question\n{question}",
        "# [note|text|notes]\n{note}\n\n# question\n{question}",
        "[note|text|input|passage|message]:\n\n{note}\n\n[task|question|request]:\n\n{question}",
        "<note>{note}</note>\n{question}",
        "--- {note} ---\n{question}",
        "({note}) {question}",
        "'{note}' - {question}",
        "{note} --> {question}",
        "{note}\n---\n{question}",
        "{note}\n\nnow my question: {question}",
        "{note}\n\nso here is what i ask: {question}",
        "{note}\n\nthat is all i have. {question}",
        "{note}\n\nthis is the whole [note|text]. {question}",
        "{note}\n\nthis is what [the note|it|the text] says. {question}",
        "{note}\n\nwith this in mind: {question}",
        "{note}\n\nfrom this: {question}",
        "{note}\n\nnow [tell me|say]: {question}",
        "{note}\n\nabout that: {question}",
        "{note}\n\ngoing by this, {question}",
        "{note}\n\ncan you tell from this? {question}",
        "{note}\n\nwhat does it say? {question}",
        "{note}\n\nhelp me with it. {question}",
        "{question} [the note|the text|my note] for it: {note}",
        "{question} [it is somewhere in|you find it in|the answer is in] [this|the] [note|text]: {note}",
        "{question} i have [this|only this|a] [note|text]: {note}",
        "{question} all i know: {note}",
        "{question}\n\nsource: {note}",
        "{question}\n\nfacts: {note}",
        "{question}\n---\n{note}",
        "{question} ({note})",
        "{question}\n\nthe text reads: {note}",
        "{question}\n\nto answer, read this: {note}",
        "{question}\n\ni copy the [note|text|message] for you: {note}",
        "i copy [this|a|the] [note|text|message] for you: {note}\n\n{question}",
        "i paste [this|a|the] [note|text|message] here: {note}\n\n{question}",
        "i give you [this|a|the] [note|text|message]: {note}\n\n{question}",
        "i show you [this|a|the] [note|text|message]: {note}\n\n{question}",
        "i send you [this|a|the] [note|text|message]: {note}\n\n{question}",
        "you get [this|a|the] [note|text|message]: {note}\n\n{question}",
        "you have [this|a|the following] [note|text]: {note}\n\n{question}",
        "answer with [this|the] [note|text]: {note}\n\n{question}",
        "today's [notes|news|list|plan]: {note}\n\n{question}",
        "my [notes|list|plan|diary|calendar|message] of today: {note}\n\n{question}",
        "reading exercise: {note}\n\n{question}",
        "a small reading test. {note}\n\n{question}",
        "a puzzle with a text. {note}\n\n{question}",
        "[i would like|i want|i'd like] to know something about this [note|text]: {note}\n\n{question}",
        "there is something i want to know from this [note|text]: {note}\n\n{question}",
        "[help me|please help me] [read|understand] this [note|text|message]: {note}\n\n{question}",
    ],
    eval: &[
        "look at this note: {note}\n\n{question}",
        "this is written here: {note}\n\n{question}",
        "text: {note}\n\n{question}",
        "{question}\n\nuse this: {note}",
    ],
};

const READ_ON: Wordings = Wordings {
    train: &[
        "{q}",
        "and {q}",
        "[ok|thanks|good|fine|great|i see|right|well|so|also|then|next|further|again], {q}",
        "[another question|next question|a second question|a further question|last question|and also|from the same note|same note|the note again]: {q}",
        "[does the note also say:|what does the note say:|back to the note:|about the note:|in that note:] {q}",
        "what about this: {q}",
        "and [now|this]: {q}",
        "then {q}",
        "one thing more: {q}",
        "let me also ask: {q}",
        "i also ask: {q}",
        "i also want to know: {q}",
        "tell me also: {q}",
        "[aha|oh|hm|perfect|super|cool|understood|got it|very good|thank you], {q}",
        "question two: {q}",
        "again the note: {q}",
        "still about the [note|text]: {q}",
        "also from the [note|text]: {q}",
        "from the [note|text] again: {q}",
        "what else: {q}",
        "next: {q}",
        "going on: {q}",
        "in the same [note|text]: {q}",
        "and in the [note|text], {q}",
    ],
    eval: &["now {q}", "one more: {q}"],
};

/// What a statement is about.
#[derive(Clone, Debug, PartialEq)]
enum About {
    /// An attribute of a topic.
    Known(usize, usize),
    /// [`FREE`] with this word.
    Free(String),
}

impl About {
    fn attribute(&self) -> &'static Attribute {
        match self {
            Self::Known(topic, attribute) => &TOPICS[*topic].attributes[*attribute],
            Self::Free(_) => &FREE,
        }
    }

    fn word(&self) -> &str {
        match self {
            Self::Known(..) => "",
            Self::Free(word) => word,
        }
    }

    /// What a thought calls it.
    fn label(&self) -> &str {
        match self {
            Self::Known(..) => self.attribute().label,
            Self::Free(word) => word,
        }
    }

    /// What is said with these wordings.
    fn say(&self, wordings: &Wordings, subject: &str, value: &str, draws: &mut Draws) -> String {
        let pattern = wordings.draw(draws);
        fill(&pattern, &[("it", subject), ("v", value), ("w", self.word())], draws)
    }
}

/// What a note says of one thing.
struct Statement {
    about: About,
    subject: String,
    value: String,
    sentence: String,
}

/// A note that is being asked about.
pub(crate) struct Note {
    statements: Vec<Statement>,
    /// What is spoken of, with everything that may be said and asked about it.
    subjects: Vec<(String, Vec<About>)>,
}

impl Note {
    fn draw(draws: &mut Draws) -> Self {
        let subjects = subjects(draws);
        let mut statements: Vec<Statement> = Vec::new();
        for (subject, about) in &subjects {
            let mut order: Vec<usize> = (0..about.len()).collect();
            draws.shuffle(&mut order);
            let most = if subjects.len() == 1 { 4 } else { 2 };
            order.truncate(1 + draws.below(most));
            for about in order.into_iter().map(|i| &about[i]) {
                let said = about.attribute();
                let value = (said.value)(draws);
                let sentence = about.say(&said.told, subject, &value, draws);
                let sentence = format!("{}.", capitalised(&sentence));
                let (about, subject) = (about.clone(), subject.clone());
                statements.push(Statement { about, subject, value, sentence });
            }
        }
        draws.shuffle(&mut statements);
        Self { statements, subjects }
    }

    fn text(&self) -> String {
        self.statements.iter().map(|s| s.sentence.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// A question that the note answers or not; which of the two may be wanted.
    fn question(&self, answered: Option<bool>, draws: &mut Draws) -> Question {
        let unanswered = self.unanswered();
        if unanswered.is_empty() || answered.unwrap_or_else(|| draws.chance(0.6)) {
            let at = draws.below(self.statements.len());
            let Statement { about, subject, value, .. } = &self.statements[at];
            let text = about.say(&about.attribute().asked, subject, value, draws);
            let thought = self.search(about, subject, Some(at));
            return Question { text, thought, answer: Some(value.clone()) };
        }
        let (about, subject) = draws.pick(&unanswered);
        let text = about.say(&about.attribute().asked, subject, "", draws);
        Question { text, thought: self.search(about, subject, None), answer: None }
    }

    /// The way to the statement that answers, or past all of them.
    fn search(&self, about: &About, subject: &str, found: Option<usize>) -> String {
        let passed = &self.statements[..found.unwrap_or(self.statements.len())];
        let passed = passed.iter().map(|s| format!("{} {}", s.subject, s.about.label()));
        let value = found.map(|at| self.statements[at].value.as_str());
        search(&format!("{subject} {}", about.label()), passed, value)
    }

    /// What could be asked about its subjects and is not told, with the subject.
    fn unanswered(&self) -> Vec<(&About, &str)> {
        let mut open = Vec::new();
        for (subject, all) in &self.subjects {
            for about in all {
                let told = |s: &Statement| s.subject == *subject && may_answer(&s.about, about);
                if !self.statements.iter().any(told) {
                    open.push((about, subject.as_str()));
                }
            }
        }
        open
    }
}

/// A question about a note.
struct Question {
    text: String,
    /// How its answer is looked for.
    thought: String,
    /// `None` when the note does not say.
    answer: Option<String>,
}

/// The thought of somebody who looks for `asked` in a list, past others, up to its value if there is one.
pub(super) fn search(
    asked: &str,
    passed: impl Iterator<Item = String>,
    value: Option<&str>,
) -> String {
    let mut thought = format!("{asked}?");
    for other in passed {
        thought.push_str(&format!(" {other}: no."));
    }
    if let Some(value) = value {
        thought.push_str(&format!(" {asked}: {value}."));
    }
    thought
}

/// One to three things that a note is about.
fn subjects(draws: &mut Draws) -> Vec<(String, Vec<About>)> {
    let mut subjects: Vec<(String, Vec<About>)> = Vec::new();
    let topic = draws.below(TOPICS.len());
    let free = (draws.split() != Split::Eval && draws.chance(0.25)).then(|| free_attributes(draws));
    for i in 0..1 + draws.weighted(&[3.0, 3.0, 1.0]) {
        // A second subject of the same topic makes it matter who is asked about.
        let topic = if i == 0 || draws.chance(0.6) { topic } else { draws.below(TOPICS.len()) };
        let subject = draws.until(|d| {
            let subject = (TOPICS[topic].subject)(d);
            (!subjects.iter().any(|s| s.0 == subject)).then_some(subject)
        });
        let known = (0..TOPICS[topic].attributes.len()).map(|i| About::Known(topic, i));
        subjects.push((subject, free.clone().unwrap_or_else(|| known.collect())));
    }
    subjects
}

fn free_attributes(draws: &mut Draws) -> Vec<About> {
    let n = 3 + draws.below(3);
    let mut all: Vec<About> = Vec::new();
    while all.len() < n {
        let next = About::Free(words::unheard(draws));
        if !all.contains(&next) {
            all.push(next);
        }
    }
    all
}

/// Whether a statement could be taken for an answer: it is about the same attribute, or about one that
/// is asked for with much the same words (what somebody likes, eats and does; where something is).
fn may_answer(said: &About, asked: &About) -> bool {
    const ALIKE: &[(usize, &[usize])] = &[(2, &[4, 6]), (1, &[4]), (4, &[0, 2]), (5, &[1])];
    match (said, asked) {
        (About::Known(_, a), About::Known(topic, b)) => {
            let both = |list: &[usize]| list.contains(a) && list.contains(b);
            a == b || ALIKE.iter().any(|(t, list)| t == topic && both(list))
        }
        _ => said == asked,
    }
}

/// A note and its first question.
pub(crate) fn read(scene: &mut Scene) -> (Outcome, Note) {
    let note = Note::draw(&mut scene.draws);
    let text = scene.style.cased(&note.text());
    let question = note.question(None, &mut scene.draws);
    let asked = scene.style.cased(&question.text);
    let asked = if scene.style.cased("A") == "A" { capitalised(&asked) } else { asked };
    let pattern = WITH_NOTE.draw(&mut scene.draws);
    scene.user(&pattern, &[("note", &text), ("question", &asked)]);
    (reply(scene, question), note)
}

/// Another question about the same note; outside evaluation one that it does not answer if the question before
/// was answered, and the other way round.
pub(crate) fn read_on(scene: &mut Scene, note: &Note, before: Skill) -> Outcome {
    let answered = match scene.draws.split() {
        Split::Eval => None,
        Split::Train | Split::Validation => Some(before == Skill::NotInNote),
    };
    let question = note.question(answered, &mut scene.draws);
    let asked = scene.style.cased(&question.text);
    let pattern = READ_ON.draw(&mut scene.draws);
    scene.user(&pattern, &[("q", &asked)]);
    reply(scene, question)
}

fn reply(scene: &mut Scene, question: Question) -> Outcome {
    let thought = scene.style.cased(&question.thought);
    let answer = question.answer.map(|value| scene.style.cased(&value));
    let skill = if answer.is_some() { Skill::Reading } else { Skill::NotInNote };
    scene.reply_from_note(skill, thought, answer)
}

//! Reading: a short note, a question, and an answer that stands in the note or does not.

use super::{
    Skill, pools,
    scene::{Outcome, Scene},
};
use crate::{
    draws::Draws,
    wording::{Wordings, capitalised, fill},
};

/// Something a note can say about its subject `{it}`.
struct Attribute {
    value: fn(&mut Draws) -> String,
    told: Wordings,
    asked: Wordings,
}

/// A kind of subject with everything that can be said about it.
struct Topic {
    subject: fn(&mut Draws) -> String,
    attributes: &'static [Attribute],
}

fn names(d: &mut Draws) -> String {
    pools::name(d)
}

fn times(d: &mut Draws) -> String {
    pools::clock_time(d)
}

fn weekdays(d: &mut Draws) -> String {
    d.pick(&super::calendar::WEEKDAYS).to_owned()
}

fn numbers(d: &mut Draws) -> String {
    d.number(2, 95).to_string()
}

fn cities(d: &mut Draws) -> String {
    match d.chance(0.2) {
        true => pools::made_up_name(d),
        false => d.word(pools::CITIES).to_owned(),
    }
}

fn prices(d: &mut Draws) -> String {
    let coin = d.pick(&["euros", "dollars", "pounds"]);
    format!("{} {coin}", d.number(2, 400))
}

/// A dish whose name is not a plural.
fn one_food(d: &mut Draws) -> String {
    d.until(|d| {
        let food = d.word(pools::FOODS);
        (!food.ends_with('s')).then(|| format!("the {food}"))
    })
}

fn colours(d: &mut Draws) -> String {
    d.word(pools::COLOURS).to_owned()
}

fn dates(d: &mut Draws) -> String {
    d.until(|d| {
        let month = d.pick(&super::calendar::MONTHS);
        let text = format!("{} {month}", d.between(1, 28));
        d.split().owns(&text).then_some(text)
    })
}

macro_rules! attribute {
    ($value:expr, [$($told:expr),+], [$($told_eval:expr),+], [$($asked:expr),+], [$($asked_eval:expr),+]) => {
        Attribute {
            value: $value,
            told: Wordings { train: &[$($told),+], eval: &[$($told_eval),+] },
            asked: Wordings { train: &[$($asked),+], eval: &[$($asked_eval),+] },
        }
    };
}

const TOPICS: &[Topic] = &[
    Topic {
        subject: |d| format!("the {}", d.word(pools::GATHERINGS)),
        attributes: &[
            attribute!(
                times,
                ["{it} [starts|begins] at {v}", "the start of {it} is at {v}"],
                ["{it} gets going at {v}"],
                ["when does {it} [start|begin]?", "what time does {it} [start|begin]?"],
                ["at what time is the start of {it}?"]
            ),
            attribute!(
                times,
                ["{it} ends at {v}", "{it} is over at {v}"],
                ["{it} comes to an end at {v}"],
                ["when does {it} end?", "when is {it} over?"],
                ["at what time does {it} end?"]
            ),
            attribute!(
                |d| d.word(pools::VENUES).to_owned(),
                ["{it} takes place in {v}", "the place of {it} is {v}", "we hold {it} in {v}"],
                ["{it} can be found in {v}"],
                ["where is {it}?", "where does {it} take place?"],
                ["in which place is {it}?"]
            ),
            attribute!(
                weekdays,
                ["{it} is on {v}", "the day of {it} is {v}"],
                ["{it} falls on {v}"],
                ["[what|which] day is {it}?", "on [what|which] day is {it}?"],
                ["which day of the week is {it}?"]
            ),
            attribute!(
                names,
                ["{v} [leads|runs|organises] {it}", "{it} is [led|run|organised] by {v}"],
                ["the person behind {it} is {v}"],
                ["who [leads|runs|organises] {it}?", "who is in charge of {it}?"],
                ["by whom is {it} run?"]
            ),
            attribute!(
                prices,
                ["a ticket for {it} costs {v}", "the price of {it} is {v}"],
                ["for {it} you pay {v}"],
                [
                    "how much [does|is] {it}[ cost|]?",
                    "what does {it} cost?",
                    "what is the price of {it}?"
                ],
                ["how much do i pay for {it}?"]
            ),
            attribute!(
                numbers,
                ["{it} has room for {v} people", "{v} people can come to {it}"],
                ["there are places for {v} people at {it}"],
                ["how many people can come to {it}?", "for how many people is there room at {it}?"],
                ["how many places does {it} have?"]
            ),
            attribute!(
                |d| d.word(pools::FOODS).to_owned(),
                ["at {it} there will be {v}", "they serve {v} at {it}"],
                ["guests of {it} get {v}"],
                ["what [food |]is served at {it}?", "what can [i|we] eat at {it}?"],
                ["what food will there be at {it}?"]
            ),
        ],
    },
    Topic {
        subject: |d| format!("the {}", d.word(pools::OBJECTS)),
        attributes: &[
            attribute!(
                colours,
                ["{it} is {v}", "the colour of {it} is {v}"],
                ["{it} comes in {v}"],
                ["what colour is {it}?", "[which|what] colour does {it} have?"],
                ["of which colour is {it}?"]
            ),
            attribute!(
                |d| d.word(pools::MATERIALS).to_owned(),
                ["{it} is made of {v}"],
                ["{v} is what {it} is made from"],
                ["what is {it} made of?", "[which|what] material is {it} made of?"],
                ["of what material is {it}?"]
            ),
            attribute!(
                prices,
                ["{it} costs {v}", "the price of {it} is {v}"],
                ["for {it} they ask {v}"],
                [
                    "how much [does {it} cost|is {it}]?",
                    "what does {it} cost?",
                    "what is the price of {it}?"
                ],
                ["how much do they ask for {it}?"]
            ),
            attribute!(
                |d| format!("{} kg", d.number(2, 60)),
                ["{it} weighs {v}", "the weight of {it} is {v}"],
                ["{it} has a weight of {v}"],
                ["how much does {it} weigh?", "how heavy is {it}?", "what is the weight of {it}?"],
                ["what does {it} weigh?"]
            ),
            attribute!(
                cities,
                ["{it} was made in {v}", "{it} comes from {v}"],
                ["they built {it} in {v}"],
                ["where was {it} made?", "where does {it} come from?"],
                ["in which place was {it} made?"]
            ),
            attribute!(
                |d| format!("{} cm", d.number(20, 300)),
                ["{it} is {v} long", "the length of {it} is {v}"],
                ["{it} has a length of {v}"],
                ["how long is {it}?", "what is the length of {it}?"],
                ["what length does {it} have?"]
            ),
            attribute!(
                |d| format!("{} years", d.number(2, 15)),
                ["{it} has a warranty of {v}", "the warranty of {it} lasts {v}"],
                ["for {it} there is a warranty of {v}"],
                ["how long is the warranty of {it}?", "what warranty does {it} have?"],
                ["how many years of warranty has {it}?"]
            ),
            attribute!(
                names,
                ["{it} belongs to {v}", "the owner of {it} is {v}", "{v} owns {it}"],
                ["{it} is the property of {v}"],
                ["who owns {it}?", "who does {it} belong to?", "whose is {it}?"],
                ["who is the owner of {it}?"]
            ),
        ],
    },
    Topic {
        subject: names,
        attributes: &[
            attribute!(
                |d| d.word(pools::JOBS).to_owned(),
                ["{it} works as a {v}", "{it} is a {v}"],
                ["{it} earns money as a {v}"],
                [
                    "what does {it} do[ for a living|]?",
                    "what is {it}'s job?",
                    "what does {it} work as?"
                ],
                ["which job does {it} have?"]
            ),
            attribute!(
                cities,
                ["{it} lives in {v}", "{it}'s home is in {v}"],
                ["{it} has a flat in {v}"],
                ["where does {it} live?", "which city does {it} live in?"],
                ["in which city is {it} at home?"]
            ),
            attribute!(
                |d| d.word(pools::PETS).to_owned(),
                ["{it} has a {v}", "{it} keeps a {v}"],
                ["a {v} lives with {it}"],
                ["what pet does {it} have?", "which animal does {it} keep?"],
                ["what kind of pet has {it}?"]
            ),
            attribute!(
                |d| d.word(pools::INSTRUMENTS).to_owned(),
                ["{it} plays the {v}", "{it} is learning the {v}"],
                ["{it} practises the {v}"],
                ["what instrument does {it} play?", "which instrument does {it} play?"],
                ["what does {it} play?"]
            ),
            attribute!(
                |d| d.word(pools::HOBBIES).to_owned(),
                ["{it} likes {v}", "{it}'s hobby is {v}"],
                ["{it} spends evenings with {v}"],
                ["what is {it}'s hobby?", "what does {it} like[ doing|]?"],
                ["which hobby does {it} have?"]
            ),
            attribute!(
                numbers,
                ["{it} is {v} years old", "{it} turned {v}"],
                ["{it} has the age of {v}"],
                ["how old is {it}?", "what is {it}'s age?"],
                ["what age is {it}?"]
            ),
            attribute!(
                |d| d.word(pools::FOODS).to_owned(),
                ["{it} loves {v}", "{it}'s favourite food is {v}"],
                ["{it} likes to eat {v}"],
                ["what is {it}'s favourite food?", "what does {it} like to eat?"],
                ["which food is {it}'s favourite?"]
            ),
            attribute!(
                colours,
                ["{it} drives a {v} car", "{it}'s car is {v}"],
                ["{it} owns a car in {v}"],
                ["what colour is {it}'s car?", "which colour has {it}'s car?"],
                ["of which colour is {it}'s car?"]
            ),
        ],
    },
    Topic {
        subject: |d| format!("project {}", d.word(pools::CODE_NAMES)),
        attributes: &[
            attribute!(
                names,
                ["{v} leads {it}", "the head of {it} is {v}", "{it} is led by {v}"],
                ["{v} is responsible for {it}"],
                ["who leads {it}?", "who is the head of {it}?"],
                ["who is responsible for {it}?"]
            ),
            attribute!(
                dates,
                ["{it} is due on {v}", "the deadline of {it} is {v}"],
                ["{it} must be finished by {v}"],
                ["when is {it} due?", "what is the deadline of {it}?"],
                ["by when must {it} be done?"]
            ),
            attribute!(
                |d| format!("{}000 euros", d.number(2, 400)),
                ["the budget of {it} is {v}", "{it} may cost {v}"],
                ["{it} can spend {v}"],
                ["what is the budget of {it}?", "how much may {it} cost?"],
                ["how much money does {it} have?"]
            ),
            attribute!(
                |d| format!("{} people", d.number(2, 60)),
                ["{v} work on {it}", "the team of {it} has {v}"],
                ["{it} keeps {v} busy"],
                ["how many people work on {it}?", "how big is the team of {it}?"],
                ["what size is the team of {it}?"]
            ),
            attribute!(
                cities,
                ["{it} is based in {v}", "the office of {it} is in {v}"],
                ["{it} sits in {v}"],
                ["where is {it} based?", "where is the office of {it}?"],
                ["in which city is {it}?"]
            ),
            attribute!(
                names,
                ["the customer of {it} is {v}", "{it} is for a customer called {v}"],
                ["{v} ordered {it}"],
                ["who is the customer of {it}?", "for which customer is {it}?"],
                ["who ordered {it}?"]
            ),
        ],
    },
    Topic {
        subject: |d| format!("the train to {}", d.word(pools::CITIES)),
        attributes: &[
            attribute!(
                times,
                ["{it} leaves at {v}", "{it} departs at {v}"],
                ["{it} sets off at {v}"],
                ["when does {it} [leave|depart]?", "what time does {it} leave?"],
                ["at what time does {it} go?"]
            ),
            attribute!(
                times,
                ["{it} arrives at {v}"],
                ["{it} gets there at {v}"],
                ["when does {it} arrive?", "what time does {it} arrive?"],
                ["at what time does {it} get there?"]
            ),
            attribute!(
                |d| format!("platform {}", d.number(2, 19)),
                ["{it} goes from {v}", "{it} stands at {v}"],
                ["you find {it} at {v}"],
                ["[which|what] platform does {it} go from?", "where does {it} go from?"],
                ["at which platform is {it}?"]
            ),
            attribute!(
                prices,
                ["a seat in {it} costs {v}", "the fare of {it} is {v}"],
                ["for {it} you pay {v}"],
                [
                    "how much is a seat in {it}?",
                    "what does {it} cost?",
                    "what is the fare of {it}?"
                ],
                ["how much do i pay for {it}?"]
            ),
            attribute!(
                |d| format!("{} minutes", d.number(5, 95)),
                ["{it} is {v} late", "{it} has a delay of {v}"],
                ["{it} runs {v} behind time"],
                ["how late is {it}?", "what delay does {it} have?"],
                ["how many minutes is {it} late?"]
            ),
        ],
    },
    Topic {
        subject: |d| format!("the {}", d.word(pools::THINGS)),
        attributes: &[
            attribute!(
                |d| d.word(pools::PLACES).to_owned(),
                ["{it} is {v}", "you find {it} {v}", "{it} lies {v}"],
                ["{it} has its place {v}"],
                ["where is {it}?", "where do i find {it}?", "where can [i|we] find {it}?"],
                ["in what place is {it}?"]
            ),
            attribute!(
                names,
                ["{v} needs {it}", "{v} has borrowed {it}"],
                ["{it} was taken by {v}"],
                ["who [needs|has borrowed] {it}?", "who wants {it}?"],
                ["who took {it}?"]
            ),
            attribute!(
                dates,
                ["bring {it} back by {v}", "{it} is needed on {v}"],
                ["{it} has to be there on {v}"],
                ["when is {it} needed?", "by when do we need {it}?"],
                ["for which date is {it} needed?"]
            ),
        ],
    },
    Topic {
        subject: one_food,
        attributes: &[
            attribute!(
                |d| format!("{} minutes", d.number(5, 90)),
                ["{it} [takes|needs] {v}", "cook {it} for {v}"],
                ["{it} is ready after {v}"],
                ["how long does {it} take?", "how long do i cook {it}?"],
                ["after what time is {it} ready?"]
            ),
            attribute!(
                |d| format!("{} degrees", d.number(30, 250)),
                ["bake {it} at {v}", "heat {it} to {v}"],
                ["{it} wants {v}"],
                ["how hot [should {it} be|do i bake {it}]?", "at what temperature do i bake {it}?"],
                ["which temperature does {it} want?"]
            ),
            attribute!(
                |d| format!("{} people", d.number(2, 19)),
                ["{it} serves {v}", "{it} is enough for {v}"],
                ["{it} feeds {v}"],
                ["how many people does {it} serve?", "for how many people is {it}?"],
                ["how many people will {it} feed?"]
            ),
            attribute!(
                names,
                ["{v} makes {it}", "{it} is made by {v}"],
                ["{v} takes care of {it}"],
                ["who makes {it}?", "who cooks {it}?"],
                ["who takes care of {it}?"]
            ),
            attribute!(
                prices,
                ["{it} costs {v}", "the price of {it} is {v}"],
                ["for {it} they ask {v}"],
                ["how much is {it}?", "what does {it} cost?"],
                ["how much do they ask for {it}?"]
            ),
        ],
    },
];

const WITH_NOTE: Wordings = Wordings {
    train: &[
        "note: {note}\n\n{question}",
        "{question}\n\nnote: {note}",
        "here is a note: {note}\n\n{question}",
        "read this note. {note}\n\n{question}",
        "{note}\n\n{question}",
        "from my notes: {note}\n\nquestion: {question}",
        "[please |]answer from this note: {note}\n\n{question}",
        "\"{note}\"\n\n{question}",
        "i have this note:\n{note}\n\n{question}",
        "note:\n{note}\n\nquestion:\n{question}",
    ],
    eval: &[
        "look at this note: {note}\n\n{question}",
        "this is written here: {note}\n\n{question}",
        "text: {note}\n\n{question}",
        "{question}\n\nuse this: {note}",
    ],
};

const READ_ON: Wordings = Wordings {
    train: &["{q}", "and {q}", "[ok|thanks], {q}"],
    eval: &["now {q}", "one more: {q}"],
};

/// What a note says of one thing.
struct Statement {
    topic: usize,
    subject: String,
    attribute: usize,
    value: String,
    sentence: String,
}

/// A note that is being asked about.
pub(crate) struct Note {
    statements: Vec<Statement>,
    subjects: Vec<(usize, String)>,
}

impl Note {
    fn draw(draws: &mut Draws) -> Self {
        let mut subjects: Vec<(usize, String)> = Vec::new();
        let topic = draws.below(TOPICS.len());
        for i in 0..1 + draws.weighted(&[3.0, 3.0, 1.0]) {
            // A second subject of the same topic makes it matter who is asked about.
            let topic = if i == 0 || draws.chance(0.6) { topic } else { draws.below(TOPICS.len()) };
            let subject = draws.until(|d| {
                let subject = (TOPICS[topic].subject)(d);
                (!subjects.iter().any(|s| s.1 == subject)).then_some(subject)
            });
            subjects.push((topic, subject));
        }
        let mut statements: Vec<Statement> = Vec::new();
        for (topic, subject) in &subjects {
            let mut order: Vec<usize> = (0..TOPICS[*topic].attributes.len()).collect();
            draws.shuffle(&mut order);
            let most = if subjects.len() == 1 { 4 } else { 2 };
            order.truncate(1 + draws.below(most));
            for attribute in order {
                let said = &TOPICS[*topic].attributes[attribute];
                let value = (said.value)(draws);
                let pattern = said.told.draw(draws);
                let sentence = fill(pattern, &[("it", subject), ("v", &value)], draws);
                let sentence = format!("{}.", capitalised(&sentence));
                let subject = subject.clone();
                statements.push(Statement { topic: *topic, subject, attribute, value, sentence });
            }
        }
        draws.shuffle(&mut statements);
        Self { statements, subjects }
    }

    fn text(&self) -> String {
        self.statements.iter().map(|s| s.sentence.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// A question with its answer, or with `None` when the note does not say.
    fn question(&self, draws: &mut Draws) -> (String, Option<String>) {
        let unanswered = self.unanswered();
        if unanswered.is_empty() || draws.chance(0.6) {
            let statement = &self.statements[draws.below(self.statements.len())];
            let attribute = &TOPICS[statement.topic].attributes[statement.attribute];
            let pattern = attribute.asked.draw(draws);
            let question = fill(pattern, &[("it", &statement.subject)], draws);
            return (question, Some(statement.value.clone()));
        }
        let (topic, attribute, subject) = draws.pick(&unanswered);
        let pattern = TOPICS[topic].attributes[attribute].asked.draw(draws);
        (fill(pattern, &[("it", subject)], draws), None)
    }

    /// What could be asked about its subjects and is not told: topic, attribute, subject.
    fn unanswered(&self) -> Vec<(usize, usize, &str)> {
        let mut open = Vec::new();
        for (topic, subject) in &self.subjects {
            for attribute in 0..TOPICS[*topic].attributes.len() {
                let told =
                    |s: &Statement| s.subject == *subject && may_answer(s, *topic, attribute);
                if !self.statements.iter().any(told) {
                    open.push((*topic, attribute, subject.as_str()));
                }
            }
        }
        open
    }
}

/// Whether a statement could be taken for an answer: it is about the same attribute, or about one that
/// is asked for with much the same words (what somebody likes, eats and does; where something is).
fn may_answer(statement: &Statement, topic: usize, attribute: usize) -> bool {
    const ALIKE: &[(usize, &[usize])] = &[(2, &[4, 6]), (1, &[4]), (4, &[0, 2]), (5, &[1])];
    let both = |list: &[usize]| list.contains(&attribute) && list.contains(&statement.attribute);
    statement.attribute == attribute || ALIKE.iter().any(|(t, list)| *t == topic && both(list))
}

/// A note and its first question.
pub(crate) fn read(scene: &mut Scene) -> (Outcome, Note) {
    let note = Note::draw(&mut scene.draws);
    let text = scene.style.cased(&note.text());
    let (question, answer) = note.question(&mut scene.draws);
    let question = scene.style.cased(&question);
    let question = if scene.style.cased("A") == "A" { capitalised(&question) } else { question };
    let pattern = WITH_NOTE.draw(&mut scene.draws);
    scene.user(pattern, &[("note", &text), ("question", &question)]);
    (answered(scene, answer), note)
}

/// Another question about the same note.
pub(crate) fn read_on(scene: &mut Scene, note: &Note) -> Outcome {
    let (question, answer) = note.question(&mut scene.draws);
    let question = scene.style.cased(&question);
    let pattern = READ_ON.draw(&mut scene.draws);
    scene.user(pattern, &[("q", &question)]);
    answered(scene, answer)
}

fn answered(scene: &mut Scene, answer: Option<String>) -> Outcome {
    match answer {
        Some(value) => {
            let value = scene.style.cased(&value);
            scene.reply(Skill::Reading, vec![format!("The note says: {value}.")])
        }
        None => scene.reply(Skill::NotInNote, vec!["The note does not say.".to_owned()]),
    }
}

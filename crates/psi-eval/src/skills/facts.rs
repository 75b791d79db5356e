//! Telling, asking, correcting and forgetting: conversations about what the user wants remembered.
//!
//! A fact is kept in the user's own words, so that to remember is to copy; to recall is to copy it back
//! with "my" turned into "your".

mod kinds;

use serde_json::json;

use self::kinds::KINDS;
use super::{
    Skill,
    memory::EVERYTHING,
    scene::{Outcome, Scene},
    tools::NOTHING_FOUND,
};
use crate::{
    draws::Draws,
    wording::{Wordings, fill},
};

/// One fact in the words of its user.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    kind: usize,
    subject: String,
    text: String,
}

const TELL: Wordings = Wordings {
    train: &[
        "[please |can you |could you |]remember [that |this: |]{fact}.",
        "!:remember that {fact}",
        "!:remember this: {fact}",
        "!:remember {fact}",
        "!:keep in mind that {fact}",
        "!:keep in memory that {fact}",
        "!:note that {fact}",
        "!:note down that {fact}",
        "!:write down that {fact}",
        "!:write this down: {fact}",
        "!:save this: {fact}",
        "!:save that {fact}",
        "!:store [this fact: |this: |that ]{fact}",
        "!:add to your [memory|notes|list] that {fact}",
        "!:put [it |this |]into your memory[:| that] {fact}",
        "!:learn that {fact}",
        "!:record that {fact}",
        "!:mark that {fact}",
        "!:keep this: {fact}",
        "!:keep the fact that {fact}",
        "!:take down that {fact}",
        "!:know that {fact}",
        "!:bear in mind that {fact}",
        "!:never forget that {fact}",
        "[please |]don't forget[ that|:| this:] {fact}.",
        "[please |]do not forget[ that|:| this:] {fact}.",
        "{fact}. [please |]remember [that|this|it][ for me|].",
        "{fact}, [please |]remember [that|this|it].",
        "{fact}. [note|save|store|keep|don't forget|do not forget|write down|learn] [that|this|it].",
        "{fact}. [just so you know|so you know|fyi|you should know|can you remember that?|could you keep that?].",
        "{fact}.",
        "{fact}!",
        "{fact}",
        "i want you to [know|remember|keep in mind|learn] that {fact}.",
        "i [would like|need] you to [know|remember|keep in mind|note] that {fact}.",
        "[by the way|just so you know|fyi|for your information|for later|for the record|as you may know|in case i forget|in case you need it|so that you don't forget|btw|ps|a fact for you|new information|something new|something about me|about me|about my life|here is a fact|this is new|this matters|this is important|important|remember this|memo|note|note to self|to remember|reminder|for your memory|info|a thing to know|news|good to know|guess what|did you know|you know what][,|:] {fact}.",
        "you [should|must|have to|need to|can|may|ought to] [know|remember|keep in mind|note|learn] [that |this: |]{fact}.",
        "[can you|could you|will you|would you] [remember|save|keep|store|note|write down] [for me |]that {fact}?",
        "i [just|also|only|] [wanted|want|need|have|would like] to [tell you|say|let you know|mention|add|inform you|report] [that |]{fact}.",
        "[here is|this is|i have|there is] something [to remember|you should know|for your memory|to keep|new]: {fact}.",
        "[hi|hello|hey|ok|so|well|yes|look|listen|also|and], {fact}.",
        "did [i|we] [tell|mention to] you that {fact}?",
        "it is [good|useful|important] to know that {fact}.",
        "[maybe|perhaps|one day] [you need|it helps] to know that {fact}.",
        "from [now on|today on|today], {fact}.",
        "[i think|i believe|i am sure|it is true|the fact is|the thing is|as a matter of fact] [that |]{fact}.",
        "you [don't know|did not know|may not know] [yet |]that {fact}.",
        "here's a fact: {fact}.",
        "one more thing: {fact}.",
        "a thing about me: {fact}.",
        "something about my life: {fact}.",
        "just for you: {fact}.",
        "add this: {fact}.",
        "memo: {fact}.",
        "note: {fact}.",
        "for your notes: {fact}.",
        "to remember: {fact}.",
        "new fact: {fact}.",
        "i'd like you to keep this: {fact}.",
        "i'd like you to remember that {fact}.",
        "make a note: {fact}.",
        "make a note that {fact}, please.",
        "keep a note of this: {fact}.",
        "i tell you now that {fact}.",
        "let me tell you: {fact}.",
        "you might need this later: {fact}.",
        "hold on to this: {fact}.",
        "!:hold on to this: {fact}",
        "!:jot down that {fact}",
        "!:file this away: {fact}",
        "!:log that {fact}",
        "!:commit this to memory: {fact}",
        "!:keep track of this: {fact}",
        "!:make sure you remember that {fact}",
        "i will ask you later: {fact}.",
        "tomorrow i may ask you about it: {fact}.",
        "{fact} - please keep that.",
        "{fact}, remember?",
        "{fact}, ok?",
        "{fact}, in case you wonder.",
    ],
    eval: &[
        "make a note that {fact}.",
        "so that you know it: {fact}.",
        "hold on to this for me: {fact}.",
        "it would help me if you remembered that {fact}.",
        "let me tell you something, {fact}.",
    ],
};

const CORRECT: Wordings = Wordings {
    train: &[
        "[actually|no|correction|wait|sorry|oops|no wait|hold on|hm no|well no|oh no|ah no|stop|pardon|my bad|my mistake|my fault|i am sorry|excuse me|i beg your pardon|to be exact|to be precise|in fact|rather|i mean|i meant|let me rephrase][,|:| -] {fact}.",
        "[that is|that's|that was|this is|it was|it is|what you know is|your note is|your memory is] [wrong|not right|false|incorrect|not true|no longer true|not correct|out of date|old|outdated|a mistake|an error][,|:|. |;] {fact}.",
        "[that|this|it|something|things|the situation] [has |]changed[:|,|.] {fact}.",
        "[that|it] is [different|not the same|another one|new] [now|today|by now][:|,|.] {fact}.",
        "!:correct that: {fact}",
        "!:correct [this|it|your note|your memory|what you know]: {fact}",
        "!:change that: {fact}",
        "!:change [this|it|your note|your memory|what you know]: {fact}",
        "!:update [that|this|it|your note|your memory|what you know]: {fact}",
        "!:fix [that|this|it|your note|your memory|what you know]: {fact}",
        "!:replace [that|this|it|your note|what you know|the old fact]: {fact}",
        "!:overwrite [that|this|it|the old one|the old fact]: {fact}",
        "!:rewrite [that|this|your note]: {fact}",
        "!:revise [that|this|your note]: {fact}",
        "!:adjust [that|this|your note]: {fact}",
        "update[:|,| -] {fact}.",
        "[correction|change|new version|revision|amendment|erratum|a small change|a correction|one correction|an update|small update|latest news][:|,| -] {fact}.",
        "i [made|have made] [a mistake|an error|a slip][:|,|.] {fact}.",
        "i [got|said|told you|wrote|gave you] [it|that|this|something] wrong[:|,|.] {fact}.",
        "i [changed my mind|was wrong|misspoke|mixed that up|have changed that|need to change something|must take that back|take that back|did not mean that|said it wrongly][:|,|.] {fact}.",
        "not any more[:|,|.] {fact}.",
        "[no longer|not so|not anymore|that is over|that is history|that was before|that was then][:|,|.] {fact} now.",
        "[now|by now|nowadays|since today|since yesterday|as of today|these days|meanwhile][,|] {fact} [instead|after all].",
        "{fact}, [not what i said before|not as i said|and not what you know|not what i told you|contrary to what i said].",
        "{fact}. [please |][correct|change|update|fix] [that|it|this|your note].",
        "[earlier|before|last time|yesterday|the other day] i [told you something wrong|was wrong|said it wrong|made a mistake][:|,|.] {fact}.",
        "[forget what i said|forget what you know|never mind what i said|ignore what i said][:|,|.] {fact}.",
        "[it turns out|it turned out|i found out|i see now|i just noticed|i just learned] that {fact} [instead|after all|in truth].",
        "[the truth is|the right answer is|the right thing is|correct is|true is][:|,| that] {fact}.",
        "let me correct that[:|,|.] {fact}.",
        "let me fix that[:|,|.] {fact}.",
        "small correction[:|,|.] {fact}.",
        "news[:|,|.] {fact} now.",
        "things are different now[:|,|.] {fact}.",
        "it is not like that any more[:|,|.] {fact}.",
        "that's old[:|,|.] {fact} now.",
        "your information is [old|out of date|outdated][:|,|.] {fact}.",
        "what i told you is [old|out of date|outdated|no longer right][:|,|.] {fact}.",
        "please note the change[:|,|.] {fact}.",
        "there has been a change[:|,|.] {fact}.",
        "it used to be different[:|,|.] now {fact}.",
        "not as before[:|,|.] {fact}.",
        "scratch that[:|,|.] {fact}.",
        "strike that[:|,|.] {fact}.",
        "rather[:|,|.] {fact}.",
        "better[:|,|.] {fact}.",
        "i should have said that {fact}.",
        "i meant that {fact}.",
        "what i meant is that {fact}.",
        "in fact, {fact}, not what you have.",
        "you have it wrong[:|,|.] {fact}.",
        "you remember it wrong[:|,|.] {fact}.",
        "you got that wrong[:|,|.] {fact}.",
        "!:swap that for this: {fact}",
        "!:amend that: {fact}",
        "!:set that right: {fact}",
        "!:put that right: {fact}",
        "!:edit your note: {fact}",
    ],
    eval: &[
        "i have to correct myself, {fact}.",
        "what i said is out of date: {fact}.",
        "i was mistaken, {fact}.",
    ],
};

const FORGET: Wordings = Wordings {
    train: &[
        "!:forget {named}",
        "!:forget all about {named}",
        "!:forget what I [told you|said|wrote] about {named}",
        "!:forget everything about {named}",
        "!:forget the [fact|note|thing|entry] about {named}",
        "!:delete {named}",
        "!:delete what you [know|remember|have stored] about {named}",
        "!:delete the [fact|note|thing|entry] about {named}",
        "!:remove {named} from your [memory|notes|list]",
        "!:remove what you [know|remember] about {named}",
        "!:remove the [fact|note|entry] about {named}",
        "!:wipe {named}[ from your memory| from your notes|]",
        "!:clear {named}[ from your memory| from your notes|]",
        "!:clear what you know about {named}",
        "!:cancel what i said about {named}",
        "!:discard what you know about {named}",
        "!:throw away [what you know|the note|everything] about {named}",
        "!:strike {named} from your [memory|notes|list]",
        "!:cross out {named}",
        "!:stop remembering {named}",
        "!:get rid of [the note about |what you know about |]{named}",
        "!:unlearn {named}",
        "!:lose [the note about |the fact about ]{named}",
        "!:scratch {named}",
        "!:scratch the [note|fact|entry|line] about {named}",
        "!:drop {named}",
        "!:drop the [note|fact|entry|thing] about {named}",
        "!:drop {named} from your [memory|notes|list]",
        "!:erase [the note about |what you know about |]{named}",
        "!:purge [all |everything |]about {named}",
        "!:eliminate [the note about |the fact about ]{named}",
        "!:scrap [the note about |what I said about ]{named}",
        "!:dismiss what [you know|I said|I told you] about {named}",
        "!:take {named} [off your list|out of your memory|out of your notes]",
        "!:cut {named} from your [memory|notes]",
        "!:blot out {named}",
        "!:undo what I [said|told you] about {named}",
        "!:clean up what you [know|keep|have] about {named}",
        "!:put {named} out of your mind",
        "!:let {named} go",
        "!:empty your memory of {named}",
        "what you [have|know|keep|stored|saved] about {named} [can go|should go|must go|has to go|is to be deleted|is to be forgotten].",
        "[forgetting|deleting|removing] {named} [is what I want|is what I ask|is best|would be good].",
        "[nothing|no word|no note] about {named} [should|must|may] [stay|be kept|remain][ in your memory|].",
        "you can forget {named}[ now|].",
        "you [may|should|must|need to] [now |]forget [about |]{named}.",
        "[don't|do not] [remember|keep|store|save] {named} [any more|any longer|anymore].",
        "[there is no need|no need|you don't need|you do not have] to [remember|keep|store] {named}[ any more| any longer|].",
        "{named} [is no longer needed|should be forgotten|can be forgotten|can be deleted|must be deleted|does not matter any more|can go|is not important any more|should go].",
        "I [don't|do not] want you to [remember|keep|know|store] {named}[ any more| any longer|].",
        "[about|as for|concerning] {named}: [forget it|delete it|forget that|remove it|please forget it|please delete it].",
        "i'd like you to forget {named}.",
        "i want {named} [gone|deleted|removed|forgotten].",
        "i'd rather you forgot {named}.",
        "please no longer remember {named}.",
        "let's forget {named}.",
        "let us forget about {named}.",
        "could you forget {named}, please?",
        "can {named} be [deleted|forgotten|removed]?",
        "would you delete {named} for me?",
        "never mind {named} any more.",
        "{named}: [forget|delete|remove|erase|wipe] it[, please|].",
        "{named} - [forget|delete|drop] that.",
        "{named} is old news, [forget it|delete it|drop it].",
        "{named} has to go.",
        "you don't need {named} any more.",
        "you don't have to know {named} any longer.",
        "that about {named}, forget it.",
        "the thing about {named}: forget it.",
        "what i said about {named} no longer counts, [forget it|delete it].",
        "what you know about {named}, please [erase|forget|delete] it.",
        "i take back what i said about {named}. forget it.",
        "i no longer want you to know {named}.",
        "keep nothing about {named}.",
        "!:make yourself forget {named}",
        "!:delete everything about {named}",
        "!:erase everything about {named}",
        "!:remove everything about {named}",
        "!:remove all you know about {named}",
        "!:wipe out what you know about {named}",
        "!:delete your note about {named}",
        "!:throw out the note about {named}",
        "!:kick out {named}",
        "!:no longer store {named}",
        "!:strike out {named}",
        "!:leave {named} out of your memory",
        "!:clear your memory of {named}",
        "!:delete the memory of {named}",
        "!:free your memory of {named}",
        "!:forget about {named} for good",
    ],
    eval: &[
        "erase {named} from your memory.",
        "i want you to forget {named}.",
        "drop what you have on {named}.",
    ],
};

const LIST: Wordings = Wordings {
    train: &[
        "&:what you [know|remember] about me",
        "&:what I have told you[ so far|]",
        "&:what is in your memory",
        "*:[everything|all] [you know|you remember|that you know|I told you]",
        "*:[all |]your [memories|notes about me|facts about me]",
        "*:the [facts|things] you [have about me|have stored|have saved|keep]",
        "!:list [everything|all] you [know|remember][ about me|]",
        "!:list [all |]your memories",
        "!:list what you [know|remember|have stored][ about me|]",
        "!:show [me |]your [whole |entire |]memory",
        "!:show me what you [know|remember|have stored][ about me|]",
        "!:read out your memory",
        "!:sum up what you know about me",
        "what do you [know|remember] about me[ so far| by now|]?",
        "what have I told you[ so far| about me| up to now|]?",
        "what did I [tell|teach] you[ so far|]?",
        "what is in your memory?",
        "what have you [stored|saved|noted|kept|learned] [about me|so far]?",
        "[which|what] facts do you [know|have|remember]?",
        "what do you have [in your memory|on me|about me|saved]?",
        "do you know [anything|something] about me?",
        "what all do you know about me?",
        "so what do you know about me?",
        "what do you have stored about me?",
        "what do you remember from what i told you?",
        "what do you keep in mind about me?",
        "what have you learned about me?",
        "tell me everything you remember.",
        "tell me all the things i told you.",
        "can you list what you remember?",
        "can you tell me what you know about me?",
        "which things have i told you?",
        "which notes do you have about me?",
        "which facts about me do you keep?",
        "name all the facts you have stored.",
        "give me a list of your memories.",
        "give me a summary of what you know about me.",
        "!:go through your memory",
        "!:print your memory",
        "!:recall everything",
        "!:recall all i told you",
        "!:repeat everything I told you",
        "how much do you know about me?",
        "is there anything you remember about me?",
    ],
    eval: &["tell me all that you know about me.", "which things do you remember?"],
};

/// A fact that is not about anything in `taken`.
fn draw_fact(draws: &mut Draws, taken: &[Fact]) -> Fact {
    let (kind, subject) = draws.until(|draws| {
        let kind = draws.below(KINDS.len());
        let subject = (KINDS[kind].subject)(draws);
        let is_new = !taken.iter().any(|f| f.kind == kind && f.subject == subject);
        is_new.then_some((kind, subject))
    });
    let text = fact_text(draws, kind, &subject);
    Fact { kind, subject, text }
}

fn fact_text(draws: &mut Draws, kind: usize, subject: &str) -> String {
    let value = (KINDS[kind].value)(draws, subject);
    let told = draws.pick(KINDS[kind].told);
    fill(told, &[("s", subject), ("v", &value)], draws)
}

impl Fact {
    fn query(&self) -> String {
        KINDS[self.kind].query.replace("{s}", &self.subject)
    }

    fn named(&self) -> String {
        KINDS[self.kind].named.replace("{s}", &self.subject)
    }
}

/// The user's words from the assistant's side: "my dog" is "your dog".
pub(crate) fn turned(fact: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    for (i, word) in fact.split(' ').enumerate() {
        let turned = match word.to_lowercase().as_str() {
            "my" | "our" => "your",
            "i" | "we" | "me" | "us" => "you",
            "i'm" => "you're",
            "am" => "are",
            "mine" => "yours",
            "the" | "a" if i == 0 => &word.to_lowercase(),
            _ => word,
        };
        out.push(turned.to_owned());
    }
    out.join(" ")
}

/// Facts that were told in earlier conversations.
pub(crate) fn earlier_facts(scene: &mut Scene) -> Vec<Fact> {
    let n = scene.draws.weighted(&[3.0, 2.0, 2.0, 2.0, 1.0]);
    let mut facts: Vec<Fact> = Vec::new();
    for _ in 0..n {
        let mut fact = draw_fact(&mut scene.draws, &facts);
        fact.text = scene.style.cased(&fact.text);
        scene.world.memory.remember(&fact.text);
        facts.push(fact);
    }
    facts
}

/// The user states `fact` through one of `wordings`; returns it as it was typed.
fn state(scene: &mut Scene, wordings: &Wordings, fact: &str) -> String {
    let pattern = wordings.draw(&mut scene.draws);
    let mut fact = scene.style.cased(fact);
    if pattern.starts_with("{fact}") && scene.style.cased("A") == "A" {
        fact = crate::wording::capitalised(&fact);
    }
    scene.user(&pattern, &[("fact", &fact)]);
    fact
}

/// The user tells something new.
pub(crate) fn tell(scene: &mut Scene, facts: &mut Vec<Fact>) -> Outcome {
    let fact = draw_fact(&mut scene.draws, facts);
    let (outcome, fact) = tell_fact(scene, fact);
    facts.push(fact);
    outcome
}

/// The user tells something new that its own question will find; returns it.
pub(crate) fn tell_new(scene: &mut Scene, facts: &mut Vec<Fact>) -> Fact {
    let fact = scene.draws.clone().until(|_| {
        let fact = draw_fact(&mut scene.draws, facts);
        let mut memory = scene.world.memory.clone();
        memory.remember(&fact.text);
        memory.recall(&fact.query()).contains(&fact.text.as_str()).then_some(fact)
    });
    let (_, fact) = tell_fact(scene, fact);
    facts.push(fact.clone());
    fact
}

fn tell_fact(scene: &mut Scene, mut fact: Fact) -> (Outcome, Fact) {
    fact.text = state(scene, &TELL, &fact.text);
    scene.call("remember", &[("fact", json!(fact.text))]);
    let reply = format!("I will remember that {}.", turned(&fact.text));
    (scene.reply(Skill::Remember, vec![reply]), fact)
}

/// The user says that something told before is different now.
pub(crate) fn correct(scene: &mut Scene, facts: &mut Vec<Fact>) -> Outcome {
    if facts.is_empty() {
        tell(scene, facts);
    }
    let at = scene.draws.below(facts.len());
    let old = facts.remove(at);
    let text = scene.draws.until(|draws| {
        Some(fact_text(draws, old.kind, &old.subject))
            .filter(|t| !t.eq_ignore_ascii_case(&old.text))
    });
    let text = state(scene, &CORRECT, &text);
    let query = scene.style.cased(&old.query());
    scene.call("correct", &[("query", json!(query)), ("fact", json!(text))]);
    let reply = format!("Now I know that {}.", turned(&text));
    facts.retain(|f| scene.world.memory.facts().contains(&f.text));
    facts.push(Fact { text, ..old });
    scene.reply(Skill::Correct, vec![reply])
}

/// The user asks for something that was told, now or in another conversation.
pub(crate) fn recall(scene: &mut Scene, facts: &[Fact]) -> Outcome {
    let known: Vec<&Fact> = facts
        .iter()
        .filter(|f| scene.world.memory.recall(&f.query()).contains(&f.text.as_str()))
        .collect();
    if known.is_empty() {
        return ask_unknown(scene, facts);
    }
    // What was told last is asked for most: the point is to remember it after something else.
    let fact = match scene.draws.chance(0.5) {
        true => known[known.len() - 1].clone(),
        false => scene.draws.pick(&known).clone(),
    };
    answer(scene, &fact, Skill::Recall)
}

/// The user asks for a fact of this conversation.
pub(crate) fn recall_later(scene: &mut Scene, fact: &Fact) -> Outcome {
    answer(scene, fact, Skill::RecallLater)
}

fn answer(scene: &mut Scene, fact: &Fact, skill: Skill) -> Outcome {
    ask(scene, fact);
    scene.reply(skill, vec![format!("You told me that {}.", turned(&fact.text))])
}

/// The user asks for something that was never told.
pub(crate) fn ask_unknown(scene: &mut Scene, facts: &[Fact]) -> Outcome {
    let fact = draw_fact(&mut scene.draws, facts);
    ask(scene, &fact);
    let reply = "I do not know that yet. Tell me and I will remember it.".to_owned();
    scene.reply(Skill::Unknown, vec![reply])
}

fn ask(scene: &mut Scene, fact: &Fact) {
    let pattern = KINDS[fact.kind].asked.draw(&mut scene.draws);
    let subject = scene.style.cased(&fact.subject);
    scene.user(&pattern, &[("s", &subject)]);
    let query = scene.style.cased(&fact.query());
    scene.call("recall", &[("query", json!(query))]);
}

/// The user wants something forgotten.
pub(crate) fn forget(scene: &mut Scene, facts: &mut Vec<Fact>) -> Outcome {
    let fact = match facts.is_empty() || scene.draws.chance(0.15) {
        true => draw_fact(&mut scene.draws, facts),
        false => scene.draws.pick(&facts.iter().collect::<Vec<_>>()).clone(),
    };
    let pattern = FORGET.draw(&mut scene.draws);
    let named = scene.style.cased(&fact.named());
    scene.user(&pattern, &[("named", &named)]);
    let query = scene.style.cased(&fact.query());
    let answer = scene.call("forget", &[("query", json!(query))]);
    let reply = match answer.strip_prefix("forgotten: ") {
        Some(old) => format!("I have forgotten that {}.", turned(old)),
        None => "There was nothing to forget.".to_owned(),
    };
    facts.retain(|f| scene.world.memory.facts().contains(&f.text));
    scene.reply(Skill::Forget, vec![reply])
}

/// The user asks for everything.
pub(crate) fn list(scene: &mut Scene) -> Outcome {
    let pattern = LIST.draw(&mut scene.draws);
    scene.user(&pattern, &[]);
    let answer = scene.call("recall", &[("query", json!(EVERYTHING))]);
    let reply = if answer == NOTHING_FOUND {
        "I do not know anything about you yet. Tell me something and I will remember it.".to_owned()
    } else {
        let facts: Vec<String> = answer.lines().map(|f| format!("that {}", turned(f))).collect();
        match facts.split_last() {
            Some((last, rest)) if !rest.is_empty() => {
                format!("You told me {} and {last}.", rest.join(", "))
            }
            _ => format!("You told me {}.", facts.join("")),
        }
    };
    scene.reply(Skill::Recall, vec![reply])
}

#[cfg(test)]
mod tests {
    use super::{
        kinds::{SECRETS, SIZES},
        *,
    };

    #[test]
    fn both_splits_have_something_to_tell_of() {
        for pool in [SECRETS, SIZES] {
            let held_out = pool.iter().filter(|w| crate::split::Split::Eval.owns(w)).count();
            assert!(held_out >= 3 && pool.len() - held_out >= 8, "{:?}: {held_out}", pool[0]);
        }
    }

    #[test]
    fn my_becomes_your() {
        assert_eq!(turned("My dog is called Rex"), "your dog is called Rex");
        assert_eq!(turned("I am allergic to nuts"), "you are allergic to nuts");
        assert_eq!(turned("the key is in my coat"), "the key is in your coat");
        assert_eq!(turned("Rex is my dog"), "Rex is your dog");
    }

    #[test]
    fn what_a_kind_is_asked_by_finds_what_it_was_told_as() {
        for kind in 0..KINDS.len() {
            for index in 0..50 {
                let mut draws = Draws::new(crate::split::Split::Train, 5, index);
                let subject = (KINDS[kind].subject)(&mut draws);
                let text = fact_text(&mut draws, kind, &subject);
                let fact = Fact { kind, subject, text };
                let mut memory = super::super::memory::Memory::default();
                memory.remember(&fact.text);
                assert_eq!(memory.recall(&fact.query()), [&fact.text], "{}", fact.query());
            }
        }
    }
}

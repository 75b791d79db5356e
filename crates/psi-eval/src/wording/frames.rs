//! The ways to put one request: a wording names its core once, and the frames make sentences of it.
//!
//! Only training uses them. `{_}` is the core: a noun phrase ("the sum of 2 and 3"), a question in the
//! order of a statement ("what my dog is called") or an order ("add 2 and 3").

use crate::draws::Draws;

/// How a core is marked in a pattern, and the frames that fit it.
const KINDS: &[(&str, &[&[&str]])] = &[
    ("=:", &[THINGS]),
    ("*:", &[THINGS, KEPT_THINGS]),
    ("?:", &[QUESTIONS]),
    ("&:", &[QUESTIONS, KEPT_QUESTIONS]),
    ("!:", &[ORDERS]),
];

/// Around a noun phrase.
const THINGS: &[&str] = &[
    "[what is|what's|whats|what was|what will be|what would be|what might be] {_}[ again| then|]?",
    "[what is|what's] {_}[ please|, please|]?",
    "[what is|what's] {_}[?|]",
    "[tell|give|show|read] me {_}[ again| once more| please|, please|][.|!|]",
    "[can|could|would|will] you [please |kindly |quickly |just |][tell me|show me|say|repeat|find|find out|let me know|write down|get me|determine] {_}[ for me| please| again|]?",
    "[do|would] you [happen to |by any chance |maybe |][know|remember] {_}?",
    "[i need|i want|i'd like|i have to know|i want to know|i need to know|i'd like to know|i would like to know|i must know|i am asking for|i am curious about] {_}[, please| please| from you|][.|]",
    "[please |quickly |just |now |][say|state|repeat|find|get me|fetch|determine|check|show|print|write|return] {_}[.|]",
    "{_}[?|, please|, please?| please|, tell me|, do you know?|, quickly|!|]",
    "[any idea of|any clue of|what about|how about|what do you have for|what do you get for|what could be] {_}?",
    "{_} - [what is it|what is that|which is it|do you know it|tell me|can you tell me]?",
    "[is it possible to get|may i have|may i know|might i ask for|could i have|can i have|can i get|can i ask for|let me have|let me know|let me see] {_}[?|]",
    "[my question is about|the question is|this is what i need:|i ask for|what interests me is|what i need is|what i want is|wanted:|needed:|question:] {_}[.|?|]",
];

/// Around a noun phrase that stands for something kept in memory.
const KEPT_THINGS: &[&str] = &[
    "[i forgot|i have forgotten|i can't remember|i cannot recall|i don't remember|i no longer know|i have lost|i don't know] {_}[.|, help me|, please help|, can you help?| any more|]",
    "[have you got|did i tell you|did i mention|did i already give you|have i told you|have you stored|did you save|have you saved|have you kept|do you keep|did you write down] {_}?",
    "[remind me of|remind me about|remember|recall|think of|look into your memory for|search your memory for|go through your memory for] {_}[.|?|!|, please|]",
    "[what did i say was|what did i tell you about|what do you know about|what do you remember about|what have you stored about|what is stored about|what do you have about|is there anything about|do you know anything about] {_}?",
    "{_} [slipped my mind|has escaped me|is gone from my head|is what i forgot][.|, help me|]",
];

/// Around a question in the order of a statement.
const QUESTIONS: &[&str] = &[
    "[tell|show] me {_}[, please| please|][.|!|]",
    "[can|could|would|will] you [please |kindly |quickly |just |][tell me|say|find out|let me know|show me|explain to me|help me see|check] {_}[ for me| please|]?",
    "[do|would] you [happen to |by any chance |maybe |][know|see|say] {_}?",
    "i [want|need|would like|have|wish|would love] to [know|find out|learn|hear|see|understand] {_}[, please| please|][.|]",
    "i [wonder|was wondering|am wondering|am asking myself|am not sure|don't know|do not know|have no idea|am curious|can't see|never know] {_}[.|, do you?|, help me|]",
    "[please |just |quickly |][say|find out|check|see|figure out|let me know|determine|answer|state|write] {_}[.|]",
    "[any idea|any clue|is it known|is it clear|does anybody know|who knows|are you able to say|may i ask|may i know|might i ask|might i know|can i ask] {_}?",
    "{_}[?|, please?|, do you know?|, tell me|, can you tell me?|, what do you think?|]",
    "[my question is|the question is|question:|i ask you|what interests me is|what i want to know is|what i need to know is|i need your help:|it matters to me] {_}[.|?|]",
];

/// Around a question about something kept in memory.
const KEPT_QUESTIONS: &[&str] = &[
    "[i forgot|i have forgotten|i can't remember|i cannot recall|i don't remember|i no longer know] {_}[.|, help me|, please help|, can you help?|]",
    "[did i ever tell you|did i already tell you|did i tell you|did i say|did i mention|have i told you|have you stored|have you noted|did you save|did you write down] {_}?",
    "[remind me|please remind me|try to remember|can you remember|could you remember|do you remember|do you recall|can you recall] {_}[?|.|]",
    "[look into your memory and tell me|search your memory and say|think back and tell me|go through your memory:] {_}[.|?|]",
];

/// Around an order.
const ORDERS: &[&str] = &[
    "{_}[.|!|]",
    "[please |now |quickly |just |kindly |then |next, |first, ]{_}[.|!|]",
    "{_}[ please|, please| for me| for me please|, would you| if you can| right away| at once|][.|?|!|]",
    "[can|could|would|will] you [please |kindly |quickly |just |maybe |]{_}[ for me| please|]?",
    "i [would like|need|would love] you to {_}[.|, please|]",
    "you [can|may|should|must|could|have to|need to|might] [now |please |just |]{_}[.|]",
    "[go ahead and|be so kind and|be nice and|try to|it is time to|time to|make sure to|feel free to|help me to|help me|let us|let's|go on and|do me a favour and|do this for me:|here is what to do:|next step:|task:|your task is to|your job is to|my request:|my wish:] {_}[.|!|]",
    "[is it possible to|are you able to|would it be possible to|would you mind and|how about you|why don't you|may i ask you to|can i ask you to|might you] {_}?",
    "i [want|wish|have|would like|need] to {_}[.|, can you do that?|, help me|]",
];

/// In front of what somebody types.
const OPENERS: &[&str] = &[
    "[hey|hi|hello|hiya|yo|hey there|hi there|hello there|good morning|good evening|good afternoon|morning|evening][,|!|.|] ",
    "[hey|hi|hello|ok|okay|so|well|listen|please|dear|right|look][ |, ][psi|psi-nano|assistant|friend|my friend|computer|machine|robot|helper|buddy|pal|you][,|:|!] ",
    "[ok|okay|so|well|right|alright|all right|fine|good|great|cool|nice|hm|hmm|um|uh|ah|oh|aha|listen|look|also|then|and|but|yes|sorry|excuse me|pardon|perfect|thanks|thank you|anyway|again|next|first|still|maybe][,|] ",
    "[quick|short|small|little|simple|easy|another|next|new|last|my|a|one last|one other] [question|thing|one|request|task|problem][:|,|.| -] ",
    "[by the way|one thing|if you can|if you have time|when you have a moment|just so|tell me|let's see|let me see|let me think|for my work|for school|for a friend|for my homework|before i forget|while we are at it|since you are here|if it is no trouble|when you are ready|now that you are here|back to work|here we go|here i am again|it's me again][:|,| -] ",
    "[i have a question|i have a task|here is a question|here is a task|i need help|i need some help|help me|can you help me|could you help|may i ask something|i want to ask something|something else|that was fine|now something else|a different topic|change of topic|new topic][.|:|,| -|!] ",
];

/// After what somebody typed.
const CLOSERS: &[&str] = &[
    " [please|thanks|thank you|thx|cheers][.|!|]",
    " [thanks in advance|many thanks|thanks a lot|it is important|it is urgent|no rush|take your time|be quick|be brief|quickly|i am in a hurry|that is all|i am waiting|i need it today][.|!|]",
];

/// The sentence that a frame makes of the marked core of `pattern`; one without a mark stays as it is.
pub(super) fn framed(pattern: &str, draws: &mut Draws) -> String {
    let found = KINDS.iter().find_map(|(mark, frames)| Some((pattern.split_once(mark)?, *frames)));
    let Some(((before, core), frames)) = found else { return pattern.to_owned() };
    let frames = draws.pick(frames);
    before.to_owned() + &draws.pick(frames).replace("{_}", core)
}

/// An opener for three messages in ten, a closer for one.
pub(super) fn in_company(pattern: &str, draws: &mut Draws) -> String {
    let starts_with_material = ["{fact", "{note", "\"{note"].iter().any(|s| pattern.starts_with(s));
    let mut text = String::new();
    if !starts_with_material && draws.chance(0.3) {
        text.push_str(draws.pick(OPENERS));
    }
    text.push_str(pattern);
    if !pattern.contains('\n') && draws.chance(0.1) {
        text.push_str(draws.pick(CLOSERS));
    }
    text
}

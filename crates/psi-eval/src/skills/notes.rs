//! Reading: a short note, a question, and an answer that stands in the note or does not.

use super::{
    Skill, pools,
    scene::{Outcome, Scene},
    words,
};
use crate::{
    draws::Draws,
    split::Split,
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
        false => words::of(d, pools::CITIES),
    }
}

fn prices(d: &mut Draws) -> String {
    let coin = d.pick(&["euros", "dollars", "pounds"]);
    format!("{} {coin}", d.number(2, 400))
}

/// A dish whose name is not a plural.
fn one_food(d: &mut Draws) -> String {
    d.until(|d| {
        let food = words::of(d, pools::FOODS);
        (!food.ends_with('s')).then(|| format!("the {food}"))
    })
}

fn colours(d: &mut Draws) -> String {
    words::of(d, pools::COLOURS)
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
        subject: |d| format!("the {}", words::of(d, pools::GATHERINGS)),
        attributes: &[
            attribute!(
                times,
                [
                    "{it} [starts|begins|opens|kicks off|commences] at {v}",
                    "the [start|beginning|opening] of {it} is at {v}",
                    "{it} [will start|will begin|is to start|is set to begin|is going to start] at {v}",
                    "at {v} {it} [starts|begins|opens|is to start]",
                    "we [start|begin|open] {it} at {v}",
                    "[the doors open|people come in] for {it} at {v}",
                    "{v} is when {it} [starts|begins]",
                    "{it}: start {v}"
                ],
                ["{it} gets going at {v}"],
                [
                    "?:when {it} [starts|begins|opens|will start|is to begin]",
                    "?:[what time|at what time|at which hour] {it} [starts|begins|opens]",
                    "=:the [start|beginning|starting time|opening] of {it}",
                    "when does {it} [start|begin|open|kick off]?",
                    "[what time|at what time] does {it} [start|begin|open]?",
                    "when [will|should] {it} [start|begin]?",
                    "when do [we|they] [start|begin|open] {it}?",
                    "from what time on is {it}?",
                    "when [must|should] i be at {it} for the start?"
                ],
                ["at what time is the start of {it}?"]
            ),
            attribute!(
                times,
                [
                    "{it} [ends|closes|finishes|stops] at {v}",
                    "{it} is over at {v}",
                    "the end of {it} is at {v}",
                    "{it} [will end|will be over|is to end|lasts until|goes on until|runs until] {v}",
                    "at {v} {it} [ends|is over|stops|closes]",
                    "we [end|close|finish] {it} at {v}",
                    "{v} is when {it} ends",
                    "{it}: end {v}"
                ],
                ["{it} comes to an end at {v}"],
                [
                    "?:when {it} [ends|is over|closes|finishes|stops]",
                    "?:[what time|at what time] {it} [ends|is over|finishes]",
                    "?:until when {it} [goes on|lasts|runs]",
                    "=:the [end|closing time|finish] of {it}",
                    "when does {it} [end|close|stop|finish]?",
                    "when is {it} over?",
                    "[what time] [does {it} end|is {it} over]?",
                    "[until when|how late|till when] does {it} [go on|last|run]?",
                    "when [will|must|do] people [leave|go home from] {it}?"
                ],
                ["at what time does {it} end?"]
            ),
            attribute!(
                |d| words::of(d, pools::VENUES),
                [
                    "{it} takes place in {v}",
                    "the [place|venue|location] of {it} is {v}",
                    "we hold {it} in {v}",
                    "{it} is [held|planned|set|hosted] in {v}",
                    "{it} [happens|will be|meets] in {v}",
                    "[go to|come to] {v} for {it}",
                    "{v} is [the place of|where we hold|home to] {it}",
                    "for {it} we use {v}",
                    "{it}: place {v}"
                ],
                ["{it} can be found in {v}"],
                [
                    "?:where {it} [is|takes place|will be|happens|is held]",
                    "=:the [place|venue|location] of {it}",
                    "where is {it}[ held| going to be|]?",
                    "where does {it} take place?",
                    "where [will|can|do] [we|i|they] [find|hold|have] {it}?",
                    "where [do i go|must i go|do we meet] for {it}?",
                    "[which|what] [place|room|venue] is used for {it}?"
                ],
                ["in which place is {it}?"]
            ),
            attribute!(
                weekdays,
                [
                    "{it} is on {v}",
                    "the day of {it} is {v}",
                    "{it} is [planned|set|held|scheduled] [for|on] {v}",
                    "{it} [takes place|happens|will be] on {v}",
                    "on {v} [there is|comes|we have] {it}",
                    "come to {it} on {v}",
                    "{v} is the day of {it}",
                    "{it}: day {v}"
                ],
                ["{it} falls on {v}"],
                [
                    "?:[what|which] day {it} is[ on|]",
                    "?:on [what|which] day {it} [is|takes place|happens]",
                    "=:the day of {it}",
                    "[what|which] day is {it}[ on|]?",
                    "on [what|which] day [is|do we have] {it}?",
                    "on [what|which] weekday [is|will] {it}[ be|]?",
                    "[what|which] day [do i go|must i come|do i have to be there] for {it}?",
                    "[what|which] day [does {it} take place|was chosen for {it}]?"
                ],
                ["which day of the week is {it}?"]
            ),
            attribute!(
                names,
                [
                    "{v} [leads|runs|organises|manages|directs|plans|prepares] {it}",
                    "{it} is [led|run|organised|managed|planned|prepared] by {v}",
                    "the [leader|head|organiser|host] of {it} is {v}",
                    "{v} is [the leader|the head|the host|in charge] of {it}",
                    "{v} [looks after|has the lead of|takes the lead in] {it}",
                    "for {it} [ask|call|write to] {v}",
                    "{it}: host {v}"
                ],
                ["the person behind {it} is {v}"],
                [
                    "?:who [leads|runs|organises|manages|plans] {it}",
                    "?:who is [in charge|the head|the host|the leader|the organiser] of {it}",
                    "=:the [leader|organiser|head|host] of {it}",
                    "who [leads|runs|organises|manages|directs|plans|prepares] {it}?",
                    "who is [in charge|the head|the organiser|the leader|the host] of {it}?",
                    "who [do i ask|can i ask|do i call|can i talk to] about {it}?",
                    "who [looks after|has the lead of] {it}?",
                    "{it} is [led|run|organised|managed] by whom?"
                ],
                ["by whom is {it} run?"]
            ),
            attribute!(
                prices,
                [
                    "a [ticket|seat|place] for {it} [costs|is] {v}",
                    "the [price|fee|cost] of {it} is {v}",
                    "{it} costs {v}",
                    "to [enter|visit|join] {it} [costs|you need|you give] {v}",
                    "[tickets|seats] for {it} are {v}",
                    "{v} is the [price|fee] of {it}",
                    "they [take|charge|ask] {v} for {it}",
                    "{it}: price {v}"
                ],
                ["for {it} you pay {v}"],
                [
                    "?:how much {it} [costs|is]",
                    "?:what {it} costs",
                    "?:how much [a ticket|a seat|the entry] for {it} [costs|is]",
                    "=:the [price|cost|fee|ticket price] of {it}",
                    "how much [does|is] {it}[ cost|]?",
                    "what does {it} cost?",
                    "what does a [ticket|seat|place] for {it} cost?",
                    "how [expensive|dear] is {it}?",
                    "[what|how much] do they [charge|take] for {it}?",
                    "[what|how much] money do i need for {it}?"
                ],
                ["how much do i pay for {it}?"]
            ),
            attribute!(
                numbers,
                [
                    "{it} has room for {v} people",
                    "{v} people can [come to|join|visit|attend] {it}",
                    "up to {v} [people|guests] can [come to|join|attend] {it}",
                    "{it} [takes|holds|allows|admits] {v} [people|guests]",
                    "{it} is [open to|limited to] {v} people",
                    "at most {v} [people|guests] may [come to|join] {it}",
                    "{v} guests [are expected at|will be at] {it}"
                ],
                ["there are places for {v} people at {it}"],
                [
                    "?:how many [people|guests] can [come to|join|attend] {it}",
                    "?:for how many [people|guests] {it} has room",
                    "=:the number of [people|guests] at {it}",
                    "=:the number of people who can come to {it}",
                    "how many [people|guests] can [come to|join|attend|visit] {it}?",
                    "for how many people is there room at {it}?",
                    "how [many fit into|big is] {it}?",
                    "how many [guests|visitors] does {it} [take|have|hold]?",
                    "how many [people|guests] [are|will be] at {it}?"
                ],
                ["how many places does {it} have?"]
            ),
            attribute!(
                |d| words::of(d, pools::FOODS),
                [
                    "at {it} there will be {v}",
                    "they serve {v} at {it}",
                    "{v} [is|will be] served at {it}",
                    "{it} [serves|offers|has] {v} [to eat|as food]",
                    "we [eat|have|get] {v} at {it}",
                    "the [food|meal|menu] at {it} is {v}",
                    "for {it} they [cook|make|prepare] {v}"
                ],
                ["guests of {it} get {v}"],
                [
                    "?:what [food |]is served at {it}",
                    "?:what [we|i|people] can eat at {it}",
                    "=:the [food|menu|meal] at {it}",
                    "what [food |]is served at {it}?",
                    "what can [i|we|people] eat at {it}?",
                    "what do they [serve|cook|offer] at {it}?",
                    "what [do we|do guests|will we] [eat|have] at {it}?",
                    "what is there to eat at {it}?",
                    "[which|what] [meal|dish] do they have at {it}?"
                ],
                ["what food will there be at {it}?"]
            ),
        ],
    },
    Topic {
        subject: |d| format!("the {}", words::of(d, pools::OBJECTS)),
        attributes: &[
            attribute!(
                colours,
                [
                    "{it} is {v}",
                    "the colour of {it} is {v}",
                    "{it} [has|shows|wears] the colour {v}",
                    "{it} is [painted|coloured|done] [in |]{v}",
                    "somebody painted {it} {v}",
                    "{it} [looks|shines|is all] {v}",
                    "{it} has a {v} colour",
                    "{it}: colour {v}"
                ],
                ["{it} comes in {v}"],
                [
                    "?:[what|which] colour {it} [is|has]",
                    "?:how {it} is painted",
                    "=:the colour of {it}",
                    "[what|which] colour is {it}?",
                    "[what|which] colour does {it} have?",
                    "[what|which] colour has {it}?",
                    "in [what|which] colour is {it}[ painted|]?",
                    "how is {it} [painted|coloured]?"
                ],
                ["of which colour is {it}?"]
            ),
            attribute!(
                |d| words::of(d, pools::MATERIALS),
                [
                    "{it} is made of {v}",
                    "{it} [consists of|is built from|is made from] {v}",
                    "they made {it} [of|from|out of] {v}",
                    "the material of {it} is {v}",
                    "{it} is [a piece of|all] {v}",
                    "{v} is the material of {it}",
                    "{it}: material {v}"
                ],
                ["{v} is what {it} is made from"],
                [
                    "?:what {it} is made of",
                    "?:[which|what] material {it} is made [of|from]",
                    "=:the material of {it}",
                    "what is {it} [made of|built from]?",
                    "[what|which] material is {it}[ made of|]?",
                    "[what|which] material was used for {it}?",
                    "what does {it} consist of?",
                    "what did they make {it} from?"
                ],
                ["of what material is {it}?"]
            ),
            attribute!(
                prices,
                [
                    "{it} costs {v}",
                    "the [price|cost] of {it} is {v}",
                    "{it} [sells for|goes for|is sold at|is on offer for] {v}",
                    "you [get|can have|can buy] {it} for {v}",
                    "somebody paid {v} for {it}",
                    "{it} is [worth|priced at] {v}",
                    "{v} is the price of {it}",
                    "{it}: price {v}"
                ],
                ["for {it} they ask {v}"],
                [
                    "?:how much {it} [costs|is]",
                    "?:what {it} costs",
                    "=:the [price|cost] of {it}",
                    "how much [does {it} cost|is {it}]?",
                    "what does {it} cost?",
                    "how [expensive|dear] is {it}?",
                    "what is {it} sold for?",
                    "[what|how much] do i [need|give] to [buy|get] {it}?",
                    "for how much can i [get|have|buy] {it}?"
                ],
                ["how much do they ask for {it}?"]
            ),
            attribute!(
                |d| format!("{} kg", d.number(2, 60)),
                [
                    "{it} weighs {v}",
                    "the weight of {it} is {v}",
                    "{it} is {v} heavy",
                    "{it} [comes to|has] {v} on the scales",
                    "on the scales {it} shows {v}",
                    "{it} with its box weighs {v}",
                    "{it}: weight {v}"
                ],
                ["{it} has a weight of {v}"],
                [
                    "?:how much {it} weighs",
                    "?:how heavy {it} is",
                    "=:the weight of {it}",
                    "how much does {it} weigh?",
                    "how heavy is {it}?",
                    "[what|which] weight does {it} have?",
                    "how many kg [is|has] {it}?",
                    "what do the scales show for {it}?"
                ],
                ["what does {it} weigh?"]
            ),
            attribute!(
                cities,
                [
                    "{it} was [made|built|produced] in {v}",
                    "{it} comes from {v}",
                    "{it} is from {v}",
                    "a factory in {v} [made|builds] {it}",
                    "{v} is [the home of|where they made] {it}",
                    "somebody [brought|sent] {it} from {v}",
                    "{it}: origin {v}"
                ],
                ["they built {it} in {v}"],
                [
                    "?:where {it} [was made|comes from|is from|was built]",
                    "?:from [which|what] [place|city] {it} comes",
                    "=:the origin of {it}",
                    "where was {it} [made|built|produced]?",
                    "where does {it} come from?",
                    "where is {it} from?",
                    "[which|what] [city|place] does {it} come from?",
                    "from where does {it} come?"
                ],
                ["in which place was {it} made?"]
            ),
            attribute!(
                |d| format!("{} cm", d.number(20, 300)),
                [
                    "{it} is {v} long",
                    "the length of {it} is {v}",
                    "{it} [measures|reaches] {v} [from end to end|in length]",
                    "from end to end {it} [has|is] {v}",
                    "{it} [stretches over|is as long as] {v}",
                    "{it}: length {v}"
                ],
                ["{it} has a length of {v}"],
                [
                    "?:how long {it} is",
                    "?:how much {it} measures from end to end",
                    "=:the length of {it}",
                    "how long is {it}?",
                    "[what|which] is the length of {it}?",
                    "how many cm [long |]is {it}?",
                    "how far does {it} reach?",
                    "what does {it} measure in length?"
                ],
                ["what length does {it} have?"]
            ),
            attribute!(
                |d| format!("{} years", d.number(2, 15)),
                [
                    "{it} has a warranty of {v}",
                    "the warranty of {it} lasts {v}",
                    "the warranty [on|for] {it} is {v}",
                    "{it} is [under|in] warranty for {v}",
                    "they give a warranty of {v} on {it}",
                    "{it} comes with {v} of warranty",
                    "{it}: warranty {v}"
                ],
                ["for {it} there is a warranty of {v}"],
                [
                    "?:how long the warranty of {it} [is|lasts]",
                    "?:what warranty {it} has",
                    "=:the warranty of {it}",
                    "how long is the warranty of {it}?",
                    "what warranty does {it} have?",
                    "how long [is|does] the warranty [for|on] {it}[ last|]?",
                    "for how long is {it} under warranty?",
                    "[what|how much] warranty comes with {it}?"
                ],
                ["how many years of warranty has {it}?"]
            ),
            attribute!(
                names,
                [
                    "{it} belongs to {v}",
                    "the owner of {it} is {v}",
                    "{v} owns {it}",
                    "{it} is [owned by|in the hands of] {v}",
                    "{v} [has bought|has|got|inherited] {it}",
                    "{it} is {v}'s",
                    "{v} is the owner of {it}",
                    "{it}: owner {v}"
                ],
                ["{it} is the property of {v}"],
                [
                    "?:who owns {it}",
                    "?:to whom {it} belongs",
                    "=:the owner of {it}",
                    "who owns {it}?",
                    "who does {it} belong to?",
                    "to whom does {it} belong?",
                    "whose is {it}?",
                    "[by whom is {it} owned|who has {it}]?"
                ],
                ["who is the owner of {it}?"]
            ),
        ],
    },
    Topic {
        subject: names,
        attributes: &[
            attribute!(
                |d| words::of(d, pools::JOBS),
                [
                    "{it} works as a {v}",
                    "{it} is a {v}",
                    "{it} is [employed|trained] as a {v}",
                    "{it}'s [job|work|profession|trade] is {v}",
                    "{it} [became|wants to stay|has been] a {v}[| for years]",
                    "by [profession|trade] {it} is a {v}",
                    "{it}: job {v}"
                ],
                ["{it} earns money as a {v}"],
                [
                    "?:what {it} does for a living",
                    "?:what {it} works as",
                    "?:what {it}'s [job|profession] is",
                    "=:{it}'s [job|profession|work|trade]",
                    "=:the [job|profession] of {it}",
                    "what does {it} do[ for a living| at work|]?",
                    "what does {it} work as?",
                    "what is {it}'s [job|profession|work|trade]?",
                    "what is {it} by [profession|trade]?",
                    "how does {it} earn a living?"
                ],
                ["which job does {it} have?"]
            ),
            attribute!(
                cities,
                [
                    "{it} lives in {v}",
                    "{it}'s [home|house] is in {v}",
                    "{it} [moved to|settled in|stays in|resides in] {v}",
                    "the home of {it} is in {v}",
                    "{v} is where {it} lives",
                    "{it} [rents a room|bought a house|has a house] in {v}",
                    "{it}: home {v}"
                ],
                ["{it} has a flat in {v}"],
                [
                    "?:where {it} lives",
                    "?:[which|what] [city|town|place] {it} lives in",
                    "=:{it}'s [home|home town|city]",
                    "=:the [home|town] of {it}",
                    "where does {it} live?",
                    "[which|what] [city|town|place] does {it} live in?",
                    "where is {it}'s [home|house]?",
                    "where did {it} [move|settle]?",
                    "where can i [visit|find] {it}?"
                ],
                ["in which city is {it} at home?"]
            ),
            attribute!(
                |d| words::of(d, pools::PETS),
                [
                    "{it} has a {v}",
                    "{it} keeps a {v}",
                    "{it} [owns|feeds|looks after|walks] a {v}",
                    "{it}'s pet is a {v}",
                    "at {it}'s [home|house] there is a {v}",
                    "{it} [got|bought|found|adopted] a {v}",
                    "{it}: pet {v}"
                ],
                ["a {v} lives with {it}"],
                [
                    "?:what pet {it} has",
                    "?:[which|what] animal {it} [keeps|has|owns]",
                    "=:{it}'s [pet|animal]",
                    "=:the pet of {it}",
                    "what pet does {it} have?",
                    "[which|what] [animal|pet] does {it} [keep|have|own|feed]?",
                    "what is {it}'s pet?",
                    "does {it} have a pet, and which?",
                    "what animal [is there|lives] at {it}'s [home|house]?"
                ],
                ["what kind of pet has {it}?"]
            ),
            attribute!(
                |d| words::of(d, pools::INSTRUMENTS),
                [
                    "{it} plays the {v}",
                    "{it} is learning the {v}",
                    "{it} [has lessons on|is good at|performs on|studies] the {v}",
                    "{it}'s instrument is the {v}",
                    "{it} makes music on the {v}",
                    "in the band {it} [is on|has] the {v}",
                    "{it}: instrument {v}"
                ],
                ["{it} practises the {v}"],
                [
                    "?:[what|which] instrument {it} [plays|is learning]",
                    "=:{it}'s instrument",
                    "=:the instrument of {it}",
                    "[what|which] instrument does {it} [play|study|learn|have]?",
                    "what is {it}'s instrument?",
                    "on [what|which] instrument does {it} make music?",
                    "what music does {it} make, on which instrument?",
                    "what does {it} have lessons on?"
                ],
                ["what does {it} play?"]
            ),
            attribute!(
                |d| words::of(d, pools::HOBBIES),
                [
                    "{it} likes {v}",
                    "{it}'s hobby is {v}",
                    "{it} [enjoys|is fond of|is keen on|is mad about] {v}",
                    "{it} goes {v} [at the weekend|on Sundays|whenever possible]",
                    "in the free time {it} does {v}",
                    "{v} is {it}'s hobby",
                    "{it}: hobby {v}"
                ],
                ["{it} spends evenings with {v}"],
                [
                    "?:what {it}'s hobby is",
                    "?:what {it} [likes|enjoys][ doing|]",
                    "=:{it}'s [hobby|pastime]",
                    "=:the hobby of {it}",
                    "what is {it}'s [hobby|pastime]?",
                    "what does {it} [like|enjoy][ doing| to do|]?",
                    "what does {it} do [for fun|in the free time|at the weekend]?",
                    "what is {it} [fond of|keen on]?"
                ],
                ["which hobby does {it} have?"]
            ),
            attribute!(
                numbers,
                [
                    "{it} is {v} years old",
                    "{it} turned {v}",
                    "{it}'s age is {v}",
                    "{it} [will be|is now|has just become] {v} years old",
                    "{it} had a birthday and is {v}",
                    "at {v}, {it} feels young",
                    "{it}: age {v}"
                ],
                ["{it} has the age of {v}"],
                [
                    "?:how old {it} is",
                    "?:what {it}'s age is",
                    "=:{it}'s age",
                    "=:the age of {it}",
                    "how old is {it}[ now|]?",
                    "what is {it}'s age?",
                    "how many years [old is|has] {it}?",
                    "[what|which] birthday did {it} have?"
                ],
                ["what age is {it}?"]
            ),
            attribute!(
                |d| words::of(d, pools::FOODS),
                [
                    "{it} loves {v}",
                    "{it}'s favourite [food|dish|meal] is {v}",
                    "{it} [always orders|mostly eats|eats a lot of|cannot get enough of] {v}",
                    "for lunch {it} wants {v}",
                    "{v} is {it}'s favourite food",
                    "nothing tastes better to {it} than {v}",
                    "{it}: food {v}"
                ],
                ["{it} likes to eat {v}"],
                [
                    "?:what {it}'s favourite [food|dish|meal] is",
                    "?:what {it} [likes to eat|always orders|eats most]",
                    "=:{it}'s favourite [food|dish|meal]",
                    "=:the favourite food of {it}",
                    "what is {it}'s favourite [food|dish|meal]?",
                    "what does {it} like to eat?",
                    "what does {it} [always order|eat most|eat with pleasure]?",
                    "what [food|dish|meal] does {it} [like|love|want]?",
                    "what can i cook for {it}?"
                ],
                ["which food is {it}'s favourite?"]
            ),
            attribute!(
                colours,
                [
                    "{it} drives a {v} car",
                    "{it}'s car is {v}",
                    "the colour of {it}'s car is {v}",
                    "{it} [has|bought|parks|rides in] a {v} car",
                    "the car of {it} is {v}",
                    "{it} painted the car {v}",
                    "{it}: car {v}"
                ],
                ["{it} owns a car in {v}"],
                [
                    "?:[what|which] colour {it}'s car [is|has]",
                    "?:how {it}'s car is painted",
                    "=:the colour of {it}'s car",
                    "=:{it}'s car colour",
                    "[what|which] colour is {it}'s car?",
                    "[what|which] colour does {it}'s car have?",
                    "[what|which] colour [is|has] the car of {it}?",
                    "how is {it}'s car painted?",
                    "in [what|which] colour is {it}'s car?"
                ],
                ["of which colour is {it}'s car?"]
            ),
        ],
    },
    Topic {
        subject: |d| format!("project {}", words::of(d, pools::CODE_NAMES)),
        attributes: &[
            attribute!(
                names,
                [
                    "{v} leads {it}",
                    "the [head|leader|manager|boss] of {it} is {v}",
                    "{it} is [led|managed|run|headed] by {v}",
                    "{v} is [in charge|the head|the leader|the manager] of {it}",
                    "{v} [runs|manages|heads|directs] {it}",
                    "at the head of {it} is {v}",
                    "{it}: lead {v}"
                ],
                ["{v} is responsible for {it}"],
                [
                    "?:who [leads|runs|manages|heads] {it}",
                    "?:who is [in charge|the head|the manager] of {it}",
                    "=:the [head|leader|manager|boss] of {it}",
                    "who [leads|runs|manages|heads|directs] {it}?",
                    "who is [in charge|the head|the leader|the manager|the boss] of {it}?",
                    "{it} is [led|run|managed] by whom?",
                    "who [do i ask|can i ask|must i call] about {it}?"
                ],
                ["who is responsible for {it}?"]
            ),
            attribute!(
                dates,
                [
                    "{it} is due on {v}",
                    "the [deadline|due date|end] of {it} is {v}",
                    "{it} [ends|closes|will be done|has to be ready] on {v}",
                    "we [deliver|finish|hand in|close] {it} on {v}",
                    "{it} runs until {v}",
                    "on {v} {it} [is due|ends|must be ready]",
                    "{it}: deadline {v}"
                ],
                ["{it} must be finished by {v}"],
                [
                    "?:when {it} [is due|ends|must be ready|has to be ready]",
                    "?:until when {it} runs",
                    "=:the [deadline|due date|end] of {it}",
                    "when is {it} due?",
                    "what is the [deadline|due date] of {it}?",
                    "when does {it} [end|close]?",
                    "when do we [deliver|finish|hand in] {it}?",
                    "until when does {it} run?",
                    "when must {it} be ready?"
                ],
                ["by when must {it} be done?"]
            ),
            attribute!(
                |d| format!("{}000 euros", d.number(2, 400)),
                [
                    "the budget of {it} is {v}",
                    "{it} may cost {v}",
                    "{it} has a budget of {v}",
                    "for {it} there are {v}",
                    "we have {v} for {it}",
                    "{v} [are set aside|is the limit|are planned] for {it}",
                    "{it}: budget {v}"
                ],
                ["{it} can spend {v}"],
                [
                    "?:what the budget of {it} is",
                    "?:how much {it} may cost",
                    "=:the budget of {it}",
                    "what is the budget of {it}?",
                    "how much may {it} cost?",
                    "how [big|large] is the budget of {it}?",
                    "[what|how much] is [planned|set aside] for {it}?",
                    "what budget does {it} have?",
                    "what sum do we have for {it}?"
                ],
                ["how much money does {it} have?"]
            ),
            attribute!(
                |d| format!("{} people", d.number(2, 60)),
                [
                    "{v} work on {it}",
                    "the team of {it} has {v}",
                    "{it} [employs|needs|has a team of] {v}",
                    "there are {v} [in|working on|in the team of] {it}",
                    "{v} are [in|part of] {it}",
                    "{it} is done by {v}",
                    "{it}: team of {v}"
                ],
                ["{it} keeps {v} busy"],
                [
                    "?:how many people work on {it}",
                    "?:how big the team of {it} is",
                    "=:the [size|number of people] of the team of {it}",
                    "=:the number of people in {it}",
                    "how many people [work on|are in|belong to] {it}?",
                    "how [big|large] is the team of {it}?",
                    "how many [are|work] in the team of {it}?",
                    "how many people does {it} [have|need|employ]?"
                ],
                ["what size is the team of {it}?"]
            ),
            attribute!(
                cities,
                [
                    "{it} is based in {v}",
                    "the [office|seat|base] of {it} is in {v}",
                    "{it} [works from|has its office in|is located in|is at home in] {v}",
                    "we do {it} in {v}",
                    "{v} is [the base|the seat|the home] of {it}",
                    "{it}: office {v}"
                ],
                ["{it} sits in {v}"],
                [
                    "?:where {it} is [based|located]",
                    "?:where the office of {it} is",
                    "=:the [base|seat|location|office] of {it}",
                    "where is {it} [based|located]?",
                    "where is the [office|seat|base] of {it}?",
                    "where does {it} [work from|have its office]?",
                    "where do we do {it}?"
                ],
                ["in which city is {it}?"]
            ),
            attribute!(
                names,
                [
                    "the [customer|client|buyer] of {it} is {v}",
                    "{it} is for a customer called {v}",
                    "we do {it} for {v}",
                    "{v} [pays for|buys|wants] {it}",
                    "{it} is paid by {v}",
                    "{v} is the [customer|client] of {it}",
                    "{it}: customer {v}"
                ],
                ["{v} ordered {it}"],
                [
                    "?:who the [customer|client] of {it} is",
                    "?:for which customer {it} is",
                    "?:who pays for {it}",
                    "=:the [customer|client|buyer] of {it}",
                    "who is the [customer|client|buyer] of {it}?",
                    "for which [customer|client] is {it}?",
                    "who [pays for|buys|wants] {it}?",
                    "for whom do we do {it}?"
                ],
                ["who ordered {it}?"]
            ),
        ],
    },
    Topic {
        subject: |d| format!("the train to {}", words::of(d, pools::CITIES)),
        attributes: &[
            attribute!(
                times,
                [
                    "{it} leaves at {v}",
                    "{it} departs at {v}",
                    "{it} [goes|starts|pulls out|rolls out] at {v}",
                    "the departure of {it} is at {v}",
                    "at {v} {it} [leaves|departs|starts]",
                    "get on {it} before {v}",
                    "{it}: departure {v}"
                ],
                ["{it} sets off at {v}"],
                [
                    "?:when {it} [leaves|departs|starts]",
                    "?:[what time|at what time] {it} [leaves|departs]",
                    "=:the departure of {it}",
                    "=:the departure time of {it}",
                    "when does {it} [leave|depart|start]?",
                    "[what time|at what time] does {it} [leave|depart]?",
                    "when [must|do] i get on {it}?",
                    "when is the departure of {it}?"
                ],
                ["at what time does {it} go?"]
            ),
            attribute!(
                times,
                [
                    "{it} arrives at {v}",
                    "{it} [is there|comes in|pulls in|reaches its end] at {v}",
                    "the arrival of {it} is at {v}",
                    "at {v} {it} [arrives|is there|comes in]",
                    "{v} is the arrival time of {it}",
                    "with {it} you are there at {v}",
                    "{it}: arrival {v}"
                ],
                ["{it} gets there at {v}"],
                [
                    "?:when {it} [arrives|is there|comes in]",
                    "?:[what time|at what time] {it} arrives",
                    "=:the arrival of {it}",
                    "=:the arrival time of {it}",
                    "when does {it} [arrive|come in]?",
                    "[what time|at what time] does {it} arrive?",
                    "when is {it} there?",
                    "when is the arrival of {it}?"
                ],
                ["at what time does {it} get there?"]
            ),
            attribute!(
                |d| format!("platform {}", d.number(2, 19)),
                [
                    "{it} goes from {v}",
                    "{it} stands at {v}",
                    "{it} [leaves from|waits at|uses|starts from] {v}",
                    "the platform of {it} is {v}",
                    "go to {v} for {it}",
                    "{v} is for {it}",
                    "{it}: {v}"
                ],
                ["you find {it} at {v}"],
                [
                    "?:[which|what] platform {it} [goes from|leaves from|uses]",
                    "?:where {it} [stands|goes from|waits]",
                    "=:the platform of {it}",
                    "[which|what] platform does {it} [go from|leave from|use]?",
                    "where does {it} [go from|wait|stand]?",
                    "where do i [find|get on|board] {it}?",
                    "[which|what] platform is [used by|for] {it}?",
                    "to [which|what] platform do i go for {it}?"
                ],
                ["at which platform is {it}?"]
            ),
            attribute!(
                prices,
                [
                    "a seat in {it} costs {v}",
                    "the fare of {it} is {v}",
                    "a ticket for {it} [costs|is] {v}",
                    "the price of {it} is {v}",
                    "{it} costs {v}",
                    "to ride {it} costs {v}",
                    "they [charge|take] {v} for {it}",
                    "{it}: fare {v}"
                ],
                ["for {it} you pay {v}"],
                [
                    "?:how much [a seat in|a ticket for|] {it} [costs|is]",
                    "?:what {it} costs",
                    "=:the [fare|price|ticket price] of {it}",
                    "how much is [a seat in |a ticket for |]{it}?",
                    "what does {it} cost?",
                    "what is the [fare|price] of {it}?",
                    "what does a [seat in|ticket for] {it} cost?",
                    "how [expensive|dear] is {it}?",
                    "what do they [charge|take] for {it}?"
                ],
                ["how much do i pay for {it}?"]
            ),
            attribute!(
                |d| format!("{} minutes", d.number(5, 95)),
                [
                    "{it} is {v} late",
                    "{it} has a delay of {v}",
                    "the delay of {it} is {v}",
                    "{it} [comes|will be|is running] {v} late",
                    "{it} is delayed by {v}",
                    "we wait {v} [longer |]for {it}",
                    "{it}: delay {v}"
                ],
                ["{it} runs {v} behind time"],
                [
                    "?:how late {it} is",
                    "?:what delay {it} has",
                    "=:the delay of {it}",
                    "how late is {it}?",
                    "what delay does {it} have?",
                    "how [big|long|large] is the delay of {it}?",
                    "by how much is {it} [late|delayed]?",
                    "how much longer do we wait for {it}?"
                ],
                ["how many minutes is {it} late?"]
            ),
        ],
    },
    Topic {
        subject: |d| format!("the {}", words::of(d, pools::THINGS)),
        attributes: &[
            attribute!(
                |d| words::of(d, pools::PLACES),
                [
                    "{it} is {v}",
                    "you find {it} {v}",
                    "{it} lies {v}",
                    "{it} [stays|was left|is kept|can be found|is hidden|hangs|rests|waits] {v}",
                    "[somebody|we|they|i] [put|left|hid|keep] {it} {v}",
                    "look for {it} {v}",
                    "{v} [lies|is] {it}",
                    "{it}: {v}"
                ],
                ["{it} has its place {v}"],
                [
                    "?:where {it} [is|lies|is kept|can be found]",
                    "?:where [i|we] find {it}",
                    "=:the place of {it}",
                    "where is {it}?",
                    "where do [i|we] [find|keep|look for] {it}?",
                    "where can [i|we] [find|get] {it}?",
                    "where [did|have] [somebody|we|they] [put|left|leave] {it}?",
                    "where does {it} lie?"
                ],
                ["in what place is {it}?"]
            ),
            attribute!(
                names,
                [
                    "{v} needs {it}",
                    "{v} has borrowed {it}",
                    "{v} [wants|asked for|uses|will use|has|is using] {it}",
                    "{it} is [needed|used|wanted|borrowed] by {v}",
                    "{it} is with {v}",
                    "we lent {it} to {v}",
                    "{it}: for {v}"
                ],
                ["{it} was taken by {v}"],
                [
                    "?:who [needs|has borrowed|wants|uses|has] {it}",
                    "?:to whom [we lent|goes] {it}",
                    "=:the [user|borrower] of {it}",
                    "who [needs|has borrowed|wants|uses|has] {it}?",
                    "by whom is {it} [needed|used|wanted]?",
                    "to whom did we lend {it}?",
                    "with whom is {it}?"
                ],
                ["who took {it}?"]
            ),
            attribute!(
                dates,
                [
                    "bring {it} back by {v}",
                    "{it} is needed on {v}",
                    "{it} must be [back|returned|here|ready] [on|by] {v}",
                    "return {it} [on|by] {v}",
                    "we need {it} on {v}",
                    "on {v} we [need|use|fetch] {it}",
                    "{it} is due on {v}",
                    "{it}: needed {v}"
                ],
                ["{it} has to be there on {v}"],
                [
                    "?:when {it} is [needed|due]",
                    "?:by when {it} must be [back|returned|ready]",
                    "=:the [day|date] on which {it} is needed",
                    "=:the return date of {it}",
                    "when is {it} [needed|due]?",
                    "by when do we need {it}?",
                    "when do [we|i] need {it}?",
                    "when must {it} be [back|returned|here|ready]?",
                    "when do i [return|bring back] {it}?"
                ],
                ["for which date is {it} needed?"]
            ),
        ],
    },
    Topic {
        subject: one_food,
        attributes: &[
            attribute!(
                |d| format!("{} minutes", d.number(5, 90)),
                [
                    "{it} [takes|needs] {v}",
                    "cook {it} for {v}",
                    "{it} [cooks|bakes|boils|must cook] for {v}",
                    "leave {it} [on the fire|in the oven|on the stove] for {v}",
                    "the cooking time of {it} is {v}",
                    "give {it} {v}",
                    "{it}: {v}"
                ],
                ["{it} is ready after {v}"],
                [
                    "?:how long {it} [takes|needs|cooks|must cook]",
                    "?:how long [i|we] cook {it}",
                    "=:the cooking time of {it}",
                    "how long does {it} [take|need|cook|bake]?",
                    "how long do [i|we] [cook|bake|boil] {it}?",
                    "how many minutes does {it} [take|need]?",
                    "for how long [must|should] {it} [cook|be cooked]?"
                ],
                ["after what time is {it} ready?"]
            ),
            attribute!(
                |d| format!("{} degrees", d.number(30, 250)),
                [
                    "bake {it} at {v}",
                    "heat {it} to {v}",
                    "{it} [needs|gets] [a heat of |]{v}",
                    "the [temperature|heat] for {it} is {v}",
                    "[set the oven to|the oven has] {v} for {it}",
                    "serve {it} at {v}",
                    "{it}: heat {v}"
                ],
                ["{it} wants {v}"],
                [
                    "?:how hot {it} should be",
                    "?:at what [temperature|heat] [i bake|we bake] {it}",
                    "=:the [temperature|heat] for {it}",
                    "how hot [should {it} be|do i bake {it}|must {it} be]?",
                    "at [what|which] [temperature|heat] do [i|we] bake {it}?",
                    "how hot is the oven for {it}?",
                    "how many degrees does {it} need?",
                    "to what do i [set the oven|heat {it}] for {it}?"
                ],
                ["which temperature does {it} want?"]
            ),
            attribute!(
                |d| format!("{} people", d.number(2, 19)),
                [
                    "{it} serves {v}",
                    "{it} is enough for {v}",
                    "{it} is [made |meant |]for {v}",
                    "there is enough of {it} for {v}",
                    "{v} can eat from {it}",
                    "one pot of {it} is for {v}",
                    "{it}: for {v}"
                ],
                ["{it} feeds {v}"],
                [
                    "?:how many people {it} [serves|is enough for]",
                    "?:for how many people {it} is",
                    "=:the number of people for {it}",
                    "how many people does {it} serve?",
                    "for how many people is {it}[ enough| meant|]?",
                    "how many can eat from {it}?",
                    "how many people is {it} enough for?",
                    "for how many is there enough of {it}?"
                ],
                ["how many people will {it} feed?"]
            ),
            attribute!(
                names,
                [
                    "{v} makes {it}",
                    "{it} is made by {v}",
                    "{v} [cooks|bakes|prepares|brings|does] {it}",
                    "{it} is [cooked|baked|prepared|brought] by {v}",
                    "the cook of {it} is {v}",
                    "for {it} we have {v}",
                    "{it}: cook {v}"
                ],
                ["{v} takes care of {it}"],
                [
                    "?:who [makes|cooks|bakes|prepares|brings] {it}",
                    "?:by whom {it} is made",
                    "=:the cook of {it}",
                    "who [makes|cooks|bakes|prepares|brings|does] {it}?",
                    "{it} is [made|cooked|prepared] by whom?",
                    "who is the cook of {it}?"
                ],
                ["who takes care of {it}?"]
            ),
            attribute!(
                prices,
                [
                    "{it} costs {v}",
                    "the [price|cost] of {it} is {v}",
                    "you [get|can have|can buy] {it} for {v}",
                    "a [plate|portion|bowl] of {it} is {v}",
                    "{it} [sells for|goes for] {v}",
                    "they [charge|take] {v} for {it}",
                    "{it}: price {v}"
                ],
                ["for {it} they ask {v}"],
                [
                    "?:how much {it} [costs|is]",
                    "?:what {it} costs",
                    "=:the [price|cost] of {it}",
                    "how much is {it}?",
                    "what does {it} cost?",
                    "what does a [plate|portion|bowl] of {it} cost?",
                    "how [expensive|dear] is {it}?",
                    "what do they [charge|take] for {it}?",
                    "for how much can i [get|have|buy] {it}?"
                ],
                ["how much do they ask for {it}?"]
            ),
        ],
    },
];

/// What a note can say of anything: a word that stands for the attribute, as people write labels and registers.
/// Only training has them; they teach to look for the words of the question.
const FREE: Attribute = Attribute {
    value: |d| match d.below(5) {
        0 => names(d),
        1 => numbers(d),
        2 => format!("the {}", words::unheard(d)),
        3 => times(d),
        _ => words::unheard(d),
    },
    told: Wordings {
        train: &[
            "the {w} of {it} is {v}",
            "{it} has {v} as its {w}",
            "{it} has the {w} {v}",
            "{it}'s {w} is {v}",
            "for {it} the {w} is {v}",
            "{v} is the {w} of {it}",
            "{it} got {v} for its {w}",
            "we use {v} as {w} of {it}",
            "the {w} [given to|set for|chosen for|noted for|named for] {it} is {v}",
            "{it}: {w} {v}",
        ],
        eval: &[],
    },
    asked: Wordings {
        train: &[
            "=:the {w} of {it}",
            "=:{it}'s {w}",
            "=:the {w} [given to|set for|chosen for|noted for|named for] {it}",
            "?:what the {w} of {it} is",
            "?:[which|what] {w} {it} has",
            "[which|what] {w} does {it} have?",
            "[which|what] {w} has {it}?",
            "[which|what] {w} did {it} get?",
            "[which|what] is the {w} of {it}?",
            "what do we use as {w} of {it}?",
            "{it} has [which|what] {w}?",
            "as its {w}, what does {it} have?",
        ],
        eval: &[],
    },
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

    /// A question with its answer, or with `None` when the note does not say; which of the two may be wanted.
    fn question(&self, answered: Option<bool>, draws: &mut Draws) -> (String, Option<String>) {
        let unanswered = self.unanswered();
        if unanswered.is_empty() || answered.unwrap_or_else(|| draws.chance(0.6)) {
            let Statement { about, subject, value, .. } =
                &self.statements[draws.below(self.statements.len())];
            let question = about.say(&about.attribute().asked, subject, value, draws);
            return (question, Some(value.clone()));
        }
        let (about, subject) = draws.pick(&unanswered);
        (about.say(&about.attribute().asked, subject, "", draws), None)
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
    let (question, answer) = note.question(None, &mut scene.draws);
    let question = scene.style.cased(&question);
    let question = if scene.style.cased("A") == "A" { capitalised(&question) } else { question };
    let pattern = WITH_NOTE.draw(&mut scene.draws);
    scene.user(&pattern, &[("note", &text), ("question", &question)]);
    (reply(scene, answer), note)
}

/// Another question about the same note; outside evaluation one that it does not answer if the question before
/// was answered, and the other way round.
pub(crate) fn read_on(scene: &mut Scene, note: &Note, before: Skill) -> Outcome {
    let answered = match scene.draws.split() {
        Split::Eval => None,
        Split::Train | Split::Validation => Some(before == Skill::NotInNote),
    };
    let (question, answer) = note.question(answered, &mut scene.draws);
    let question = scene.style.cased(&question);
    let pattern = READ_ON.draw(&mut scene.draws);
    scene.user(&pattern, &[("q", &question)]);
    reply(scene, answer)
}

fn reply(scene: &mut Scene, answer: Option<String>) -> Outcome {
    match answer {
        Some(value) => {
            let value = scene.style.cased(&value);
            scene.reply(Skill::Reading, vec![format!("The note says: {value}.")])
        }
        None => scene.reply(Skill::NotInNote, vec!["The note does not say.".to_owned()]),
    }
}

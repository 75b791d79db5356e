//! Gatherings, objects, things and dishes.

use super::*;

pub(super) const GATHERING: Topic = Topic {
    subject: |d| format!("the {}", words::of(d, pools::GATHERINGS)),
    attributes: &[
        attribute!(
            "start",
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
            "end",
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
            "place",
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
            "day",
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
            "host",
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
            "price",
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
            "guests",
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
            "food",
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
};

pub(super) const OBJECT: Topic = Topic {
    subject: |d| format!("the {}", words::of(d, pools::OBJECTS)),
    attributes: &[
        attribute!(
            "colour",
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
            "material",
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
            "price",
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
            "weight",
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
            "origin",
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
            "length",
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
            "warranty",
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
            "owner",
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
};

pub(super) const THING: Topic = Topic {
    subject: |d| format!("the {}", words::of(d, pools::THINGS)),
    attributes: &[
        attribute!(
            "place",
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
            "user",
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
            "date",
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
};

pub(super) const DISH: Topic = Topic {
    subject: one_food,
    attributes: &[
        attribute!(
            "time",
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
            "heat",
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
            "people",
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
            "cook",
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
            "price",
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
};

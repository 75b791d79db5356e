//! People, their projects and their trains.

use super::*;

pub(super) const PERSON: Topic = Topic {
    subject: names,
    attributes: &[
        attribute!(
            "job",
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
            "home",
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
            "pet",
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
            "instrument",
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
            "hobby",
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
            "age",
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
            "food",
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
            "car",
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
};

pub(super) const PROJECT: Topic = Topic {
    subject: |d| format!("project {}", words::of(d, pools::CODE_NAMES)),
    attributes: &[
        attribute!(
            "lead",
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
            "deadline",
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
            "budget",
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
            "team",
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
            "office",
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
            "customer",
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
};

pub(super) const TRAIN: Topic = Topic {
    subject: |d| format!("the train to {}", words::of(d, pools::CITIES)),
    attributes: &[
        attribute!(
            "departure",
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
            "arrival",
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
            "platform",
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
            "fare",
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
            "delay",
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
};

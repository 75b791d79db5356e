//! Questions for the calculator and for the unit converter.

use serde_json::{Value, json};

use super::{
    Skill,
    scene::{Outcome, Scene},
    tools::ERROR,
};
use crate::{
    draws::Draws,
    wording::{Wordings, fill},
};

/// One kind of calculation: how it is asked and what is to be calculated.
struct Sum {
    numbers: fn(&mut Draws) -> Vec<String>,
    asked: Wordings,
    expression: &'static str,
}

fn whole(draws: &mut Draws, high: i64) -> String {
    // People ask about short numbers more often than about long ones.
    let high = draws.pick(&[high.min(30), high.min(100), high.min(1000), high]);
    draws.number(2, high.max(3)).to_string()
}

fn two(draws: &mut Draws) -> Vec<String> {
    vec![whole(draws, 99_999), whole(draws, 9_999)]
}

fn two_short(draws: &mut Draws) -> Vec<String> {
    vec![whole(draws, 999), whole(draws, 99)]
}

fn decimals(draws: &mut Draws) -> Vec<String> {
    let mut one = |high: i64| {
        draws.until(|draws| {
            let text = format!(
                "{}.{}",
                draws.between(0, high),
                draws.pick(&["1", "2", "25", "4", "5", "75", "8", "9"])
            );
            draws.split().owns(&text).then_some(text)
        })
    };
    vec![one(99), one(20)]
}

fn three(draws: &mut Draws) -> Vec<String> {
    (0..3).map(|_| whole(draws, 200)).collect()
}

fn square(draws: &mut Draws) -> Vec<String> {
    vec![draws.number(2, 120).to_string()]
}

fn root(draws: &mut Draws) -> Vec<String> {
    vec![draws.until(|draws| {
        let n = draws.between(2, 99);
        draws.split().owns_number(n * n).then(|| (n * n).to_string())
    })]
}

const SUMS: &[Sum] = &[
    Sum {
        numbers: two,
        asked: Wordings {
            train: &[
                "=:{a} + {b}",
                "=:{a}+{b}",
                "=:{a} plus {b}",
                "=:{a} and {b} [added|together|in total|summed up|combined]",
                "=:the sum of {a} and {b}",
                "=:the total of {a} and {b}",
                "=:[the result|the value] of {a} [+|plus] {b}",
                "?:what {a} [plus|+|and] {b} is",
                "?:how much {a} [plus|+|and] {b} is",
                "?:what the sum of {a} and {b} is",
                "?:what I get for {a} [plus|+] {b}",
                "!:add {a} and {b}",
                "!:add {b} to {a}",
                "!:add up {a} and {b}",
                "!:sum {a} and {b}",
                "!:sum up {a} and {b}",
                "!:[calculate|compute|work out|evaluate|solve|do|figure out] {a} [+|plus] {b}",
                "!:put {a} and {b} together",
                "{a}+{b}[=|=?|]",
                "{a} + {b} [=|= ?|]",
                "how much is {a} [plus|+|and] {b}?",
                "i have {a} and [get|find|earn|buy|win|receive|am given] {b} more, how many [is that|do i have|are there][ now| then| in all|]?",
                "there [are|were] {a} [birds|people|books|cars|apples|coins|children|cows] and {b} [come|arrive|are added|join][, how many now|. how many are there]?",
                "[he|she|my friend|the shop|the farm] has {a} and i have {b}, how many [have we|do we have][ in total| together|]?",
                "increase {a} by {b}[.|]",
                "{a} increased by {b}[?|]",
                "{b} more than {a}[?|]",
                "[first|one day|on monday|in the morning|last week] {a} [guests|letters|pages|visitors|miles|pounds|points] and [then|later|the next day|in the evening|this week] {b}, [how many in all|what is the total|what together]?",
                "my [score|bill|weight|balance|record] was {a} and [went up by|grew by|rose by|gained] {b}. [what is it|how much is it|where is it] now?",
                "[one|the first] [box|road|book|room|team] has {a} [parts|miles|pages|chairs|members], [the other|the second] {b}. [how many|how much] [in both|altogether|all told]?",
                "=:{a} and another {b}",
                "=:{a} with {b} added",
                "=:the number you get when {b} is added to {a}",
                "!:combine {a} and {b}",
                "!:total {a} and {b}",
                "what do {a} and {b} add up to?",
                "what do you get when you add {b} to {a}?",
                "if i add {b} to {a}, what do i get?",
                "{a} and {b} more make how [many|much]?",
                "{a} and then {b}, what is the total?",
                "a library has {a} books and buys {b} more. how many books does it have[ now|]?",
                "a [train|bus|ship] carries {a} passengers and {b} more get on. how many are on board?",
                "{a} children are in the yard and {b} come out to play. how many are there?",
                "i drove {a} miles yesterday and {b} today. how far is that in all?",
                "a farmer picks {a} apples in the morning and {b} in the afternoon. how many is that?",
                "tom has {a} stamps, anna has {b}. how many stamps do they have together?",
                "we sold {a} tickets on friday and {b} on saturday. how many tickets did we sell?",
                "i saved {a} last year and {b} this year. what are my savings?",
                "a garden has {a} red roses and {b} white ones. how many roses grow there?",
                "my phone has {a} photos and i take {b} new ones. how many photos are on it?",
                "one shelf holds {a} jars, another holds {b}. how many jars are there?",
                "the first half took {a} minutes and the second {b}. how long was it in total?",
                "the lunch cost {a} and the drinks {b}. what did i pay?",
                "add {b} onto {a}.",
                "plus: {a} and {b}.",
                "total of {a} and {b}[?|.]",
            ],
            eval: &[
                "what do {a} and {b} make together?",
                "how much do you get when you add {b} to {a}?",
                "{a} plus {b}, what does that come to?",
            ],
        },
        expression: "{a} + {b}",
    },
    Sum {
        numbers: two,
        asked: Wordings {
            train: &[
                "=:{a} - {b}",
                "=:{a}-{b}",
                "=:{a} minus {b}",
                "=:{a} less {b}",
                "=:{a} reduced by {b}",
                "=:the difference [between|of] {a} and {b}",
                "=:[the result|the value] of {a} [-|minus] {b}",
                "?:what {a} [minus|-] {b} is",
                "?:how much {a} [minus|-] {b} is",
                "?:what is left of {a} after {b}",
                "?:what I get for {a} [minus|-] {b}",
                "!:subtract {b} from {a}",
                "!:take {b} [away |]from {a}",
                "!:take {b} off {a}",
                "!:deduct {b} from {a}",
                "!:reduce {a} by {b}",
                "!:[calculate|compute|work out|evaluate|solve|do|figure out] {a} [-|minus] {b}",
                "{a}-{b}[=|=?|]",
                "{a} - {b} [=|= ?|]",
                "how much is {a} [minus|-|less] {b}?",
                "how much [more|larger|bigger] is {a} than {b}?",
                "i had {a} and [spent|lost|gave away|sold|ate|used|paid] {b}, how [much|many] [is|are|do i have] left?",
                "of {a} [birds|people|books|cars|apples|coins|children|cows] {b} [go away|leave|are sold|are lost], how many [stay|are left|remain]?",
                "there were {a} and {b} [went|left|broke|are missing], how many are [left|still there]?",
                "{b} less than {a}[?|]",
                "{a} decreased by {b}[?|]",
                "from {a} take {b}[.|]",
                "the [book|road|film|list|race] has {a} [pages|miles|minutes|items|laps] and i [did|finished|am through with|have done] {b}. how many [remain|to go|are still to do]?",
                "my [balance|weight|score|supply] was {a} and [went down by|fell by|dropped by|shrank by] {b}. [what is it|how much is it] now?",
                "it [costs|cost] {a}, i have {b}. how much [more do i need|is missing|do i lack]?",
                "[she|he|my sister|the shop] has {a} and i have {b}. how many [fewer|less] do i have?",
                "=:what remains of {a} when {b} is taken away",
                "=:{a} with {b} taken away",
                "=:{a} without {b}",
                "=:the gap between {a} and {b}",
                "!:lower {a} by {b}",
                "!:remove {b} from {a}",
                "what is {a} take away {b}?",
                "what remains if you take {b} from {a}?",
                "what do you get when you subtract {b} from {a}?",
                "if i take {b} from {a}, what is left?",
                "how far is it from {b} to {a}?",
                "by how much is {a} more than {b}?",
                "by how much is {b} less than {a}?",
                "a library has {a} books and {b} are lent out. how many are on the shelves?",
                "a [train|bus] carries {a} passengers and {b} get off. how many stay on board?",
                "{a} children were in the yard and {b} went home. how many are still there?",
                "the trip is {a} miles and we have driven {b}. how far is it still?",
                "a farmer had {a} sheep and sold {b}. how many sheep are left?",
                "i had {a} in my account and paid a bill of {b}. what is in it now?",
                "there were {a} seats and {b} are taken. how many are free?",
                "of {a} tickets, {b} are sold. how many can still be bought?",
                "a rope of {a} metres, i cut off {b} metres. how long is the rest?",
                "the tank held {a} litres and {b} ran out. how much is in it?",
                "i need {a} points and have {b}. how many are missing?",
                "a shirt was {a} and is now {b} cheaper. what does it cost?",
                "the old one weighs {a}, the new one {b} less. what does the new one weigh?",
                "{a} take away {b}[?|.]",
                "minus: {a} and {b}.",
            ],
            eval: &[
                "what remains of {a} when {b} is gone?",
                "how far is {b} below {a}?",
                "{a} minus {b}, what does that come to?",
            ],
        },
        expression: "{a} - {b}",
    },
    Sum {
        numbers: two_short,
        asked: Wordings {
            train: &[
                "=:{a} [*|x|×] {b}",
                "=:{a}*{b}",
                "=:{a} times {b}",
                "=:{a} multiplied by {b}",
                "=:the product of {a} and {b}",
                "=:[the result|the value] of {a} [*|times] {b}",
                "?:what {a} [times|*|x] {b} is",
                "?:how much {a} [times|*|x] {b} is",
                "?:what the product of {a} and {b} is",
                "!:multiply {a} by {b}",
                "!:multiply {a} [and|with] {b}",
                "!:take {a} {b} times",
                "!:[calculate|compute|work out|evaluate|solve|do|figure out] {a} [*|x|×|times] {b}",
                "{a}*{b}[=|=?|]",
                "{a} [x|*] {b} [=|= ?|]",
                "how much is {a} times {b}?",
                "{a} [boxes|bags|crates|shelves|packs|tables|buses|houses] with {b} [pieces|books|apples|bottles|eggs|people|windows] each, how many [pieces |]is that [in all|in total|]?",
                "there are {a} [boxes|bags|teams|rooms|trays] [of|with] {b} [pieces|books|people|cakes] each. how many [in all|in total|together]?",
                "i [pay|earn|save|spend] {a} [euros|dollars|pounds] a [month|week|day|year]. how much is that [for|in|over] {b} [months|weeks|days|years]?",
                "one [costs|weighs|takes] {a}. what about {b} of them?",
                "what do {b} [tickets|books|chairs|pens] at {a} [each|apiece] cost?",
                "[each|every] of {a} [children|workers|guests] gets {b}, how many is that[ together|]?",
                "a [field|floor|room] of {a} by {b}, what is the area?",
                "a [hall|theatre|train|plane|garden] has {a} [lines|wagons|beds|benches] [of|with] {b} [chairs|plants|places] each, how many [chairs|places|plants] [in all|altogether]?",
                "i [read|walk|swim|write|type] {a} [pages|miles|words|lines] [a day|an hour], how many in {b} [days|hours]?",
                "a [dozen|pack|set] holds {a}. how many are in {b} of [them|those]?",
                "=:{a} lots of {b}",
                "=:{a} groups of {b}",
                "=:{b} taken {a} times",
                "!:find the product of {a} and {b}",
                "!:times {a} by {b}",
                "what do you get when you multiply {a} by {b}?",
                "if i multiply {a} by {b}, what do i get?",
                "what is {a} multiplied with {b}?",
                "{a} packets hold {b} [cards|seeds|biscuits] each. how many are there in all?",
                "a school has {a} classes of {b} pupils. how many pupils is that?",
                "a cinema has {a} rows and {b} seats in every row. how many seats are there?",
                "i work {a} hours a day. how many hours is that in {b} days?",
                "a machine makes {a} parts per hour. how many parts does it make in {b} hours?",
                "a baker sells {a} loaves a day. how many loaves is that in {b} days?",
                "each ticket costs {a} and we are {b} people. what do we pay?",
                "{b} friends each bring {a} [bottles|chairs|cakes]. how many is that altogether?",
                "{b} horses eat {a} kilos each. how many kilos is that?",
                "a tile wall is {a} tiles wide and {b} tiles high. how many tiles is that?",
                "a car uses {a} litres on each trip. how much does it use on {b} trips?",
                "one album has {a} songs. how many songs are on {b} albums?",
                "every page has {a} lines. how many lines have {b} pages?",
                "product of {a} and {b}[?|.]",
                "{a} by {b}: multiply.",
            ],
            eval: &[
                "what does {a} times {b} come to?",
                "how many seats are {a} rows of {b} seats?",
                "if you multiply {a} by {b} what do you get?",
            ],
        },
        expression: "{a} * {b}",
    },
    Sum {
        numbers: two_short,
        asked: Wordings {
            train: &[
                "=:{a} [/|÷|:] {b}",
                "=:{a}/{b}",
                "=:{a} divided by {b}",
                "=:{a} over {b}",
                "=:the quotient of {a} and {b}",
                "=:[the result|the value] of {a} [/|divided by] {b}",
                "?:what {a} divided by {b} is",
                "?:how much {a} [divided by|/] {b} is",
                "?:how many times {b} fits into {a}",
                "!:divide {a} by {b}",
                "!:split {a} [by|into] {b}",
                "!:split {a} into {b} [equal |]parts",
                "!:[calculate|compute|work out|evaluate|solve|do|figure out] {a} [/|divided by] {b}",
                "{a}/{b}[=|=?|]",
                "{a} [/|÷] {b} [=|= ?|]",
                "how much is {a} divided by {b}?",
                "[split|share|divide] {a} [euros|coins|sweets|dollars|pounds] [among|between] {b} [people|children|friends], [how much|what] does each get?",
                "{a} [euros|dollars|pounds] for {b} [people|days|hours], how much is that [each|per person|for one|for each]?",
                "{b} [people|children|workers|players] share {a}, how much [does each get|is it for each]?",
                "how many [groups|packs|teams|rows] of {b} [are in|can i make from|fit into] {a}?",
                "i have {a} and need {b} [a day|per day|a week], how [long|many days|many weeks] does it last?",
                "{a} shared by {b}[?|]",
                "a [bill|cake|prize|rent|load|sum] of {a} [goes to|is cut into|is spread over|is split over] {b} [people|parts|days|rooms], how much [for each|is one share|is one part]?",
                "{a} [pages|miles|tasks|letters] in {b} [days|hours|weeks], how many [a day|per hour|each]?",
                "we are {b} and the [dinner|trip|ticket|taxi] [costs|is] {a}, how much [a head|per head|for each of us]?",
                "=:the result of dividing {a} by {b}",
                "=:{a} split into {b} equal parts",
                "=:one part of {a} when it is cut into {b}",
                "!:find how often {b} goes into {a}",
                "!:share {a} between {b}",
                "!:share {a} out equally to {b}",
                "what do you get when you divide {a} by {b}?",
                "if i divide {a} by {b}, what do i get?",
                "how many times does {b} fit into {a}?",
                "{a} [apples|pens|cards|shells] are put into {b} [bags|boxes|bowls] equally. how many are in each?",
                "{b} friends split a bill of {a} evenly. what does each of them pay?",
                "{b} pupils share {a} [pencils|sheets|crayons] evenly. how many does each have?",
                "a rope of {a} metres is cut into {b} equal pieces. how long is one piece?",
                "we drive {a} miles in {b} hours at the same speed. how many miles is that an hour?",
                "i read a book of {a} pages in {b} days. how many pages is that a day?",
                "a worker earns {a} in {b} days. how much is that per day?",
                "{a} chairs stand in {b} equal rows. how many chairs are in a row?",
                "{a} eggs, {b} in each carton. how many cartons do i fill?",
                "{a} people travel in cars of {b}. how many cars are needed?",
                "a pack of {b} costs {a}. what is the price of one?",
                "{a} litres fill {b} cans alike. how much is in a can?",
                "per piece: {a} for {b}.",
                "quotient of {a} and {b}[?|.]",
            ],
            eval: &[
                "how often does {b} go into {a}?",
                "{a} divided by {b}, what does that come to?",
                "{b} friends share a bill of {a}. what does each pay?",
            ],
        },
        expression: "{a} / {b}",
    },
    Sum {
        numbers: two_short,
        asked: Wordings {
            train: &[
                "=:{b}% of {a}",
                "=:{b} % of {a}",
                "=:{b} percent of {a}",
                "=:[a tip|a tax|a discount|interest] of {b}% on {a}",
                "?:what {b}% of {a} is",
                "?:how much {b} percent of {a} is",
                "?:how much {b}% of {a} [is|are]",
                "!:take {b}% of {a}",
                "!:[calculate|compute|work out|figure out] {b}[%| percent] of {a}",
                "how much is {b}% of {a}?",
                "{b}% of {a}[=|=?|]",
                "a [tip|tax|fee|discount|share] of {b}% on {a}[, how much is that|]?",
                "[the tax|the fee|the tip|my share] is {b}% and the [price|bill|amount|sum] is {a}, how much [is it|is that|tax is that]?",
                "of {a} [people|books|euros|votes], {b}% are [mine|gone|red|old], how many is that?",
                "{b} percent from {a}[?|]",
                "{b} out of every hundred of {a}[?|]",
                "the [price|rent|wage] of {a} [rises|goes up|falls|goes down] by {b}%, how much is the [rise|change|difference]?",
                "i [keep|save|give away|lend|pay] {b}% of my {a}, how much is [that|it]?",
                "a [loan|deposit] of {a} at {b}%, what is the interest?",
                "=:{b} per cent of {a}",
                "=:a share of {b}% of {a}",
                "!:find {b}% of {a}",
                "!:give me {b} percent of {a}",
                "what is {b}% of {a}?",
                "what do i get if i take {b}% of {a}?",
                "if {b}% of {a} [people|votes|pupils] agree, how many is that?",
                "a coat costs {a} and is {b}% off. how much do i save?",
                "a coat of {a} has a discount of {b}%. how much is the discount?",
                "in a school of {a}, {b}% walk. how many walk?",
                "{b}% of the {a} seats are taken. how many seats is that?",
                "the guide gets {b}% of {a}. how much is that?",
                "my wage is {a} and {b}% goes to rent. how much is the rent?",
                "out of {a}, {b} percent: how much?",
                "the tank of {a} litres is {b}% full. how many litres is that?",
                "{b}% from {a}[?|.]",
            ],
            eval: &[
                "how much do {b} percent of {a} come to?",
                "i get {b}% off {a}. how much do i save?",
            ],
        },
        expression: "{b}% * {a}",
    },
    Sum {
        numbers: decimals,
        asked: Wordings {
            train: &[
                "=:{a} + {b}",
                "=:{a}+{b}",
                "=:{a} plus {b}",
                "=:the sum of {a} and {b}",
                "?:what {a} [plus|+] {b} is",
                "!:add {a} and {b}",
                "!:add {b} to {a}",
                "!:[calculate|compute|work out|evaluate|solve] {a} [+|plus] {b}",
                "how much is {a} [plus|+|and] {b}?",
                "i [bought|paid for|ordered] two things for {a} and {b}. what is the [total|sum]?",
                "i [spent|paid] {a} and then {b}, how much is that [in all|in total|together]?",
                "{a} [euros|dollars|pounds|metres|kilos] and {b} [euros|dollars|pounds|metres|kilos] [more |][together|in total|added]?",
                "the [bread|book|ticket] is {a} and the [milk|pen|coffee] is {b}, how much [together|in total]?",
                "what is {a} and {b} together?",
                "what do {a} and {b} add up to?",
                "what is the total of {a} and {b}?",
                "=:{a} and {b} together",
                "=:the total of {a} and {b}",
                "the soup is {a} and the tea {b}. what do i pay?",
                "one parcel weighs {a} kilos and the other {b}. what do they weigh together?",
                "i ran {a} miles and then {b} more. how far is that?",
                "a stick of {a} metres and one of {b} metres, how long end to end?",
                "{a} [litres|kilos] plus {b} [litres|kilos][?|.]",
            ],
            eval: &[
                "what do {a} and {b} make together?",
                "one costs {a}, the other {b}. what are both?",
            ],
        },
        expression: "{a} + {b}",
    },
    Sum {
        numbers: decimals,
        asked: Wordings {
            train: &[
                "=:{a} [*|x|×] {b}",
                "=:{a} times {b}",
                "=:{a} multiplied by {b}",
                "=:the product of {a} and {b}",
                "?:what {a} [times|x|*] {b} is",
                "!:multiply {a} by {b}",
                "!:multiply {a} [and|with] {b}",
                "!:[calculate|compute|work out|evaluate|solve] {a} [*|x|times] {b}",
                "how much is {a} times {b}?",
                "{b} [metres|kilos|litres|pieces] at {a} [each|apiece], what [does it cost|is that]?",
                "{a}*{b}[=|]",
                "what is {a} times {b}?",
                "what do you get when you multiply {a} by {b}?",
                "=:{b} times {a}",
                "a bottle holds {a} litres. how much do {b} bottles hold?",
                "one costs {a}. what do {b} cost?",
                "each ride is {a}. what do {b} rides cost?",
                "a step is {a} metres. how far are {b} steps?",
                "{b} bags weigh {a} kilos each. what do they weigh together?",
            ],
            eval: &["what does {a} times {b} come to?"],
        },
        expression: "{a} * {b}",
    },
    Sum {
        numbers: three,
        asked: Wordings {
            train: &[
                "=:{a} + {b} + {c}",
                "=:{a}+{b}+{c}",
                "=:{a} plus {b} plus {c}",
                "=:the sum of {a}, {b} and {c}",
                "=:the total of {a}, {b} and {c}",
                "?:what {a} plus {b} plus {c} is",
                "?:how much {a}, {b} and {c} [are|is] [together|in total]",
                "!:add {a}, {b} and {c}",
                "!:add up {a}, {b} and {c}",
                "!:sum up {a}, {b} and {c}",
                "!:[calculate|compute|work out|evaluate|solve] {a} + {b} + {c}",
                "how much is {a} plus {b} plus {c}?",
                "{a}, {b} and {c}, how much is that [in all|in total|together|added up]?",
                "i [paid|spent|earned] {a}, {b} and {c}. what is the [sum|total]?",
                "three [bags|boxes|bills|rooms] have {a}, {b} and {c}, how many in all?",
                "what do {a}, {b} and {c} make?",
                "what do {a}, {b} and {c} add up to?",
                "what is {a} and {b} and {c}?",
                "=:{a} and {b} and {c} together",
                "!:total {a}, {b} and {c}",
                "the bills are {a}, {b} and {c}. what do i pay in all?",
                "three friends have {a}, {b} and {c} [coins|cards|stamps]. how many do they have together?",
                "we walked {a}, {b} and {c} miles on three days. how far is that?",
                "i sold {a} on monday, {b} on tuesday and {c} on wednesday. how many in total?",
                "{a} and {b} and {c}: total?",
            ],
            eval: &["what do {a}, {b} and {c} make together?"],
        },
        expression: "{a} + {b} + {c}",
    },
    Sum {
        numbers: three,
        asked: Wordings {
            train: &[
                "=:{a} + {b} * {c}",
                "=:{a}+{b}*{c}",
                "=:{a} plus {b} times {c}",
                "?:what {a} plus {b} times {c} is",
                "?:how much {a} + {b} * {c} is",
                "!:[calculate|compute|work out|evaluate|solve] {a} + {b} * {c}",
                "i have {a} and [get|earn|save|win] {b} [a|each|every|per] [week|day|month|year] for {c} [weeks|days|months|years], how much do i have [then|in the end]?",
                "there are {a} [coins|stamps|books] and we add {b} [every|each] [day|week] for {c} [days|weeks], how many [then|in the end|are there then]?",
                "{a} euros now and {b} more [each|every] [day|week|month], how much after {c} [days|weeks|months]?",
                "{a} to enter and {b} for each of {c} [rides|hours|people], how much in all?",
                "[the taxi|the rent|the ticket] costs {a} plus {b} for each of {c} [miles|days|people], [how much|what] is that?",
                "i start with {a} and put aside {b} [each|every] [week|month] for {c} [weeks|months]. how much do i have?",
                "a plant is {a} [tall|high] and grows {b} [each|every] [day|week] for {c} [days|weeks]. how tall is it then?",
                "a tank has {a} litres and {b} flow in every minute for {c} minutes. how much is in it?",
                "the repair service takes {a} to come and {b} for each of {c} hours. what is the bill?",
                "one coat for {a} and {c} shirts at {b} each: what does it cost?",
                "my team has {a} points and wins {c} games with {b} points each. how many points is that?",
                "what is {a} plus the product of {b} and {c}?",
                "=:{a} plus the product of {b} and {c}",
                "!:add {a} to the product of {b} and {c}",
            ],
            eval: &["a start of {a}, then {b} a day for {c} days: what is the total?"],
        },
        expression: "{a} + {b} * {c}",
    },
    Sum {
        numbers: three,
        asked: Wordings {
            train: &[
                "=:({a} + {b}) * {c}",
                "=:({a}+{b})*{c}",
                "=:the sum of {a} and {b}, times {c}",
                "=:the sum of {a} and {b} multiplied by {c}",
                "?:what ({a} + {b}) * {c} is",
                "?:how much ({a} + {b}) times {c} is",
                "!:[calculate|compute|work out|evaluate|solve] ({a} + {b}) * {c}",
                "!:add {a} and {b}, then multiply [the result |the sum |it |]by {c}",
                "!:add {a} and {b} and [multiply|take] the [result|sum] [by|times] {c}",
                "!:multiply the sum of {a} and {b} by {c}",
                "[each|every] day i [run|read|earn|spend] {a} and {b}. how much is that in {c} days?",
                "a set has {a} [forks|pens|cups] and {b} [knives|pencils|plates]. how many pieces are in {c} sets?",
                "a menu has a soup for {a} and a cake for {b}. what do {c} menus cost?",
                "every week i save {a} and my sister {b}. how much do we save in {c} weeks?",
                "{c} families have {a} adults and {b} children each. how many people is that?",
                "each of {c} boxes holds {a} red and {b} blue [balls|pens]. how many is that in all?",
                "what is {c} times the sum of {a} and {b}?",
                "=:{c} times the sum of {a} and {b}",
                "!:take the sum of {a} and {b} and multiply it by {c}",
            ],
            eval: &["first add {a} and {b}, after that times {c}, what comes out?"],
        },
        expression: "({a} + {b}) * {c}",
    },
    Sum {
        numbers: three,
        asked: Wordings {
            train: &[
                "=:{a} - {b} * {c}",
                "=:{a}-{b}*{c}",
                "=:{a} minus {b} times {c}",
                "?:what {a} minus {b} times {c} is",
                "?:how much {a} - {b} * {c} is",
                "!:[calculate|compute|work out|evaluate|solve] {a} - {b} * {c}",
                "i have {a} and buy {b} [things|books|pens|cakes] at {c} [each|apiece], how much is left?",
                "i had {a} and [lost|spent|ate|used] {b} [a|each|every|per] [day|week] for {c} [days|weeks], how much [is left|do i still have]?",
                "from {a} take {b} times {c}[.|]",
                "a [tank|store|box] of {a} loses {b} [a day|each hour], how much is left after {c} [days|hours]?",
                "i [own|start with] {a} and pay {c} for each of {b} [people|rides|meals], what [is left|remains]?",
                "i have {a} and buy {b} tickets for {c} each. what do i have left?",
                "a book has {a} pages and i read {b} pages a day for {c} days. how many are left?",
                "a tank of {a} litres loses {b} litres an hour for {c} hours. how much is left?",
                "the shop had {a} loaves and sold {b} bags of {c}. how many are left?",
                "what is {a} minus the product of {b} and {c}?",
                "=:{a} minus the product of {b} and {c}",
                "!:subtract the product of {b} and {c} from {a}",
                "i pay with {a} for {b} cups at {c} each. what change do i get?",
            ],
            eval: &["i pay with {a} for {b} tickets at {c} each. what change do i get?"],
        },
        expression: "{a} - {b} * {c}",
    },
    Sum {
        numbers: square,
        asked: Wordings {
            train: &[
                "=:{a} squared",
                "=:the square of {a}",
                "=:{a}^2",
                "=:{a} ^ 2",
                "=:{a} times itself",
                "=:the second power of {a}",
                "?:what {a} squared is",
                "?:how much {a} times itself is",
                "!:square {a}",
                "!:square the number {a}",
                "!:multiply {a} by itself",
                "!:raise {a} to the second power",
                "!:[calculate|compute|work out|evaluate] {a}[^2| squared]",
                "{a}^2[=|]",
                "how large is a square with sides of {a}?",
                "what is {a} squared?",
                "what is the square of {a}?",
                "what do you get when {a} is multiplied by itself?",
                "=:the number {a} squared",
                "!:find the square of {a}",
                "a square has sides of {a}. what is its area?",
                "a square garden is {a} metres on each side. how many square metres is it?",
                "{a} rows of {a} chairs, how many chairs?",
                "{a} to the power of two[?|.]",
                "{a} squared[?|.]",
            ],
            eval: &["what does {a} squared come to?", "how much is {a} to the power of 2?"],
        },
        expression: "{a} ^ 2",
    },
    Sum {
        numbers: root,
        asked: Wordings {
            train: &[
                "=:the square root of {a}",
                "=:the root of {a}",
                "=:sqrt({a})",
                "=:sqrt {a}",
                "?:what the [square |]root of {a} is",
                "?:which number times itself [is|makes] {a}",
                "!:take the [square |]root of {a}",
                "!:find the [square |]root of {a}",
                "!:extract the [square |]root of {a}",
                "!:[calculate|compute|work out|evaluate] [the root of {a}|sqrt({a})]",
                "root of {a}[?|]",
                "how long is the side of a square [of|with an area of] {a}?",
            ],
            eval: &["which is the square root of {a}?", "what number squared gives {a}?"],
        },
        expression: "sqrt({a})",
    },
];

/// A question for the calculator.
pub(crate) fn calculation(scene: &mut Scene) -> Outcome {
    let draws = &mut scene.draws;
    let sum = &SUMS[draws.below(SUMS.len())];
    let numbers = (sum.numbers)(draws);
    let slots: Vec<(&str, &str)> =
        ["a", "b", "c"].into_iter().zip(numbers.iter().map(String::as_str)).collect();
    let expression = fill(sum.expression, &slots, draws);
    let pattern = sum.asked.draw(draws);
    scene.user(&pattern, &slots);
    let answer = scene.call("calculate", &[("expression", json!(expression))]);
    let reply = repeat(&answer);
    scene.reply(Skill::Calculation, vec![reply])
}

/// What the assistant says after a tool's statement: the statement.
pub(crate) fn repeat(answer: &str) -> String {
    match answer.strip_prefix(ERROR) {
        Some(reason) => format!("That did not work: {reason}."),
        None => format!("{answer}."),
    }
}

const CONVERSIONS: Wordings = Wordings {
    train: &[
        "=:{v} {a} in {b}",
        "=:{v} {a} [to|into] {b}",
        "=:{v} {a} in [the unit |units of ]{b}",
        "=:[the value|the number|the amount] of {v} {a} in {b}",
        "?:how many {b} {v} {a} [are|is]",
        "?:how much {v} {a} [are|is] in {b}",
        "?:what {v} {a} [are|is|would be] in {b}",
        "?:how many {b} [are in|go into|fit into|i have in|correspond to|equal] {v} {a}",
        "!:convert {v} {a} [to|into] {b}",
        "!:change {v} {a} [to|into] {b}",
        "!:turn {v} {a} into {b}",
        "!:express {v} {a} in {b}",
        "!:translate {v} {a} [to|into] {b}",
        "!:transform {v} {a} [to|into] {b}",
        "!:write {v} {a} in {b}",
        "!:show {v} {a} in {b}",
        "!:calculate {v} {a} in {b}",
        "!:switch {v} {a} to {b}",
        "!:do {v} {a} [to|in] {b}",
        "how [many|much] {b} [is|are|in] {v} {a}?",
        "how many {b} [do|does] {v} {a} [have|make up|equal|come to|contain]?",
        "{v} {a} [to|in|into] {b}[?|]",
        "{v} {a} = [how many|?|] {b}[?|]",
        "{v} {a} is how much in {b}?",
        "{v} {a} [are|is] [how many|what in] {b}?",
        "[it|this|the thing|the road|the bag|my bag|the parcel|the box|the room|she|he] [is|has|says|weighs|measures|needs|takes|shows] {v} {a}[, how much is that in|. how many {b} is that? i mean in|, what would that be in] {b}?",
        "[i have|i bought|i need|i want|there are|we have|we used|you see] {v} {a}[, how many {b} is that|, how much is it in {b}|. in {b}, please| but i need {b}| and want {b}|. and in {b}]?",
        "[the sign|the map|the label|the book|the plan|my friend|a note] [says|shows|reads|gives|told me] {v} {a}, [how much is that in {b}|how many {b} is that|give it in {b}|make it {b}]?",
        "[in|into] {b}, {v} {a} [is|are|makes|would be] [what|how much|how many]?",
        "from {a} to {b}: {v}[.|]",
        "from {v} {a} to {b}[.|]",
        "{v} {a}, {b} please[.|]",
        "{v} {a} -> {b}",
    ],
    eval: &[
        "{v} {a} make how many {b}?",
        "give me {v} {a} as {b}.",
        "my recipe says {v} {a}, what is that in {b}?",
    ],
};

/// Units that questions name, one list of names per unit, and how often their quantity is asked for.
const UNITS: &[(f64, &[&[&str]])] = &[
    (
        4.0,
        &[
            &["mm", "millimetres", "millimeters"],
            &["cm", "centimetres", "centimeters"],
            &["m", "metres", "meters", "metre", "meter"],
            &["km", "kilometres", "kilometers", "kilometre", "kilometer"],
            &["inches", "inch", "in"],
            &["feet", "foot", "ft"],
            &["yards", "yard", "yd"],
            &["miles", "mile", "mi"],
            &["nautical miles", "nautical mile"],
        ],
    ),
    (
        3.0,
        &[
            &["mg", "milligrams"],
            &["g", "grams", "gram"],
            &["kg", "kilograms", "kilos", "kilogram"],
            &["tonnes", "tonne", "t"],
            &["ounces", "ounce", "oz"],
            &["pounds", "pound", "lb", "lbs"],
            &["stone"],
        ],
    ),
    (
        2.0,
        &[
            &["ml", "millilitres", "milliliters"],
            &["l", "litres", "liters", "litre", "liter"],
            &["teaspoons", "teaspoon", "tsp"],
            &["tablespoons", "tablespoon", "tbsp"],
            &["cups", "cup"],
            &["pints", "pint"],
            &["gallons", "gallon"],
        ],
    ),
    (
        3.0,
        &[
            &["kelvin", "K"],
            &["celsius", "Celsius", "C", "degrees celsius", "degrees C"],
            &["fahrenheit", "Fahrenheit", "F", "degrees fahrenheit", "degrees F"],
        ],
    ),
    (
        1.5,
        &[
            &["seconds", "second", "s"],
            &["minutes", "minute", "min"],
            &["hours", "hour", "h"],
            &["days", "day"],
            &["weeks", "week"],
        ],
    ),
    (
        1.0,
        &[
            &["km/h", "kph"],
            &["mph", "miles per hour"],
            &["m/s", "metres per second"],
            &["knots", "knot"],
        ],
    ),
    (
        1.0,
        &[
            &["bytes", "byte"],
            &["kB", "kilobytes"],
            &["MB", "megabytes"],
            &["GB", "gigabytes"],
            &["TB", "terabytes"],
        ],
    ),
    (
        1.0,
        &[
            &["square metres", "square meters", "m2"],
            &["square feet", "ft2"],
            &["hectares", "hectare", "ha"],
            &["acres", "acre"],
            &["square kilometres", "km2"],
        ],
    ),
];

/// A question for the unit converter.
pub(crate) fn conversion(scene: &mut Scene) -> Outcome {
    let draws = &mut scene.draws;
    let weights: Vec<f64> = UNITS.iter().map(|quantity| quantity.0).collect();
    let (from, to) = draws.until(|draws| {
        let family = UNITS[draws.weighted(&weights)].1;
        let (a, b) = (draws.below(family.len()), draws.below(family.len()));
        let pair = format!("{} {}", family[a][0], family[b][0]);
        (a != b && draws.split().owns(&pair))
            .then(|| (draws.pick(family[a]), draws.pick(family[b])))
    });
    let value: Value = match draws.chance(0.3) {
        true => draws.until(|draws| {
            let tenths = draws.between(5, 995);
            let text = format!("{}.{}", tenths / 10, tenths % 10);
            (tenths % 10 != 0 && draws.split().owns(&text)).then(|| json!(tenths as f64 / 10.0))
        }),
        false => {
            let high = draws.pick(&[12, 100, 1000, 5000]);
            json!(draws.number(1, high))
        }
    };
    let pattern = CONVERSIONS.draw(draws);
    let (from, to) = (scene.style.cased(from), scene.style.cased(to));
    scene.user(&pattern, &[("v", &value.to_string()), ("a", &from), ("b", &to)]);
    let answer =
        scene.call("convert", &[("value", value), ("from", json!(from)), ("to", json!(to))]);
    let reply = repeat(&answer);
    scene.reply(Skill::Units, vec![reply])
}

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
                "[what is|what's|calculate|compute|work out|] {a} + {b}[?|]",
                "[what is|what's|how much is] {a} plus {b}?",
                "[please |can you |could you |]add {a} and {b}[.|]",
                "[what is|give me|tell me] the sum of {a} and {b}[?|]",
                "{a}+{b}[=|=?|]",
                "i have {a} and get {b} more, how many [is that|do i have]?",
                "[need|i need] {a} plus {b} [please|]",
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
                "[what is|what's|calculate|compute|work out|] {a} - {b}[?|]",
                "[what is|what's|how much is] {a} minus {b}?",
                "[please |can you |]subtract {b} from {a}[.|]",
                "[take|please take] {b} away from {a}[.|]",
                "[what is|what's] the difference between {a} and {b}?",
                "{a}-{b}[=|]",
                "i had {a} and spent {b}, how much is left?",
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
                "[what is|what's|calculate|compute|work out|] {a} [*|x|×] {b}[?|]",
                "[what is|what's|how much is] {a} times {b}?",
                "[what is|what's|] {a} multiplied by {b}[?|]",
                "[please |can you |]multiply {a} by {b}[.|]",
                "[what is|tell me] the product of {a} and {b}[?|]",
                "{a}*{b}[=|]",
                "{a} boxes with {b} pieces each, how many pieces [is that|in all]?",
                "i pay {a} [euros|dollars] a month. how much is that for {b} months?",
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
                "[what is|what's|calculate|compute|work out|] {a} [/|÷|:] {b}[?|]",
                "[what is|what's|how much is] {a} divided by {b}?",
                "[please |can you |]divide {a} by {b}[.|]",
                "{a}/{b}[=|]",
                "[split|share] {a} [euros|coins|sweets] among {b} people, how much does each get?",
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
                "[what is|what's|calculate|how much is|] {b}% of {a}[?|]",
                "[what is|what's|how much is] {b} percent of {a}?",
                "[please |can you |]take {b}% of {a}[.|]",
                "a tip of {b}% on {a}[, how much is that|]?",
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
                "[what is|what's|calculate|] {a} + {b}[?|]",
                "[what is|how much is] {a} plus {b}?",
                "i bought two things for {a} and {b}. what is the total?",
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
                "[what is|what's|calculate|] {a} [*|x|×] {b}[?|]",
                "[what is|how much is] {a} times {b}?",
                "[please |]multiply {a} by {b}[.|]",
            ],
            eval: &["what does {a} times {b} come to?"],
        },
        expression: "{a} * {b}",
    },
    Sum {
        numbers: three,
        asked: Wordings {
            train: &[
                "[what is|what's|calculate|compute|] {a} + {b} + {c}[?|]",
                "[please |]add {a}, {b} and {c}[.|]",
                "[what is|] {a} plus {b} plus {c}[?|]",
                "[what is|] the sum of {a}, {b} and {c}[?|]",
            ],
            eval: &["what do {a}, {b} and {c} make together?"],
        },
        expression: "{a} + {b} + {c}",
    },
    Sum {
        numbers: three,
        asked: Wordings {
            train: &[
                "[what is|what's|calculate|compute|] {a} + {b} * {c}[?|]",
                "[what is|] {a} plus {b} times {c}[?|]",
                "i have {a} and get {b} a week for {c} weeks, how much do i have then?",
            ],
            eval: &["a start of {a}, then {b} a day for {c} days: what is the total?"],
        },
        expression: "{a} + {b} * {c}",
    },
    Sum {
        numbers: three,
        asked: Wordings {
            train: &[
                "[what is|what's|calculate|compute|] ({a} + {b}) * {c}[?|]",
                "add {a} and {b}, then multiply by {c}[.|]",
                "[what is|] the sum of {a} and {b}, times {c}[?|]",
            ],
            eval: &["first add {a} and {b}, after that times {c}, what comes out?"],
        },
        expression: "({a} + {b}) * {c}",
    },
    Sum {
        numbers: three,
        asked: Wordings {
            train: &[
                "[what is|what's|calculate|compute|] {a} - {b} * {c}[?|]",
                "i have {a} and buy {b} things at {c} each, how much is left?",
                "[what is|] {a} minus {b} times {c}[?|]",
            ],
            eval: &["i pay with {a} for {b} tickets at {c} each. what change do i get?"],
        },
        expression: "{a} - {b} * {c}",
    },
    Sum {
        numbers: square,
        asked: Wordings {
            train: &[
                "[what is|what's|] {a} squared[?|]",
                "[what is|] the square of {a}[?|]",
                "[what is|] {a}^2[?|]",
            ],
            eval: &["what does {a} squared come to?", "how much is {a} to the power of 2?"],
        },
        expression: "{a} ^ 2",
    },
    Sum {
        numbers: root,
        asked: Wordings {
            train: &[
                "[what is|what's|] the square root of {a}[?|]",
                "[what is|] sqrt({a})[?|]",
                "[please |]take the root of {a}[.|]",
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
    scene.user(pattern, &slots);
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
        "[convert|please convert|change|turn] {v} {a} [to|into] {b}[.|]",
        "[what is|what's|] {v} {a} in {b}[?|]",
        "how [many|much] {b} [is|are|in] {v} {a}?",
        "{v} {a} [to|in|into] {b}[?|]",
        "[can you |could you |]tell me how many {b} {v} {a} [are|is][?|]",
        "i need {v} {a} in {b}[.|]",
        "express {v} {a} in {b}[.|]",
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
    scene.user(pattern, &[("v", &value.to_string()), ("a", &from), ("b", &to)]);
    let answer =
        scene.call("convert", &[("value", value), ("from", json!(from)), ("to", json!(to))]);
    let reply = repeat(&answer);
    scene.reply(Skill::Units, vec![reply])
}

//! Problems about positions: turning, walking, swapping.

use super::Draft;
use crate::{draws::Draws, wording::Wordings};

const DIRECTIONS: [&str; 4] = ["north", "east", "south", "west"];

/// Where someone looks after some turns.
pub(super) fn turns(draws: &mut Draws, level: usize) -> Draft {
    let start = draws.below(4);
    let mut facing = start;
    let mut said = Vec::new();
    let mut steps = vec![DIRECTIONS[start].to_owned()];
    for _ in 0..level + 2 {
        let (word, by) = draws.pick(&[("right", 1), ("left", 3), ("around", 2)]);
        facing = (facing + by) % 4;
        said.push(word);
        steps.push(format!("{word} {}", DIRECTIONS[facing]));
    }
    let said = said.iter().map(|w| format!("turn {w}")).collect::<Vec<_>>().join(", then ");
    Draft {
        asked: Wordings {
            train: &[
                "you look {d}. you {turns}. where do you look[ now|]?",
                "you face {d}. you {turns}. [which|what] way do you [face|look][ now|]?",
                "I face {d} and {turns}. which way do I face[ now|]?",
                "I look {d}. I {turns}. where do I look[ now|]?",
                "start facing {d}, then {turns}. [which|what] direction is that?",
                "[she|he|the dog|a man|the robot] [looks|faces|stands facing] {d}: {turns}. where [now|to in the end]?",
                "facing {d}, {turns}. =:the [new direction|direction now]",
                "facing {d}, {turns}. ?:which way I look then",
                "first {d}, then {turns}: [which|what] direction[ is it|]?",
                "{d}. {turns}. [which|what] direction now?",
                "from {d}, {turns}. where do i look[ then| now|]?",
                "[we go|i drive|the ship sails|the car goes] {d}. {turns}. [which|what] direction is it now?",
            ],
            eval: &[
                "with the face to the {d} i {turns}. what direction is in front of me?",
                "someone looks {d} and has to {turns}. in which direction does that end?",
            ],
        },
        slots: vec![("d", DIRECTIONS[start].to_owned()), ("turns", said)],
        reasoning: format!("{}.", steps.join(", ")),
        answer: DIRECTIONS[facing].to_owned(),
    }
}

/// Where a walk on a grid ends.
pub(super) fn walk(draws: &mut Draws, level: usize) -> Draft {
    let (mut x, mut y) = (0, 0);
    let mut said = Vec::new();
    let mut steps = vec!["(0, 0)".to_owned()];
    for _ in 0..level + 2 {
        // North and east twice as often, so that most ends are positive.
        let way = draws.weighted(&[2.0, 2.0, 1.0, 1.0]);
        let n = draws.between(1, [4, 6, 9][level]);
        match way {
            0 => y += n,
            1 => x += n,
            2 => y -= n,
            _ => x -= n,
        }
        said.push(format!("{n} {}", DIRECTIONS[way]));
        steps.push(format!("{} {n} ({x}, {y})", DIRECTIONS[way]));
    }
    Draft {
        asked: Wordings {
            train: &[
                "start at (0, 0) and go {path}. where are you?",
                "I start at (0, 0) and [walk|go|run] {path}. where am I[ now| then|]?",
                "from (0, 0), [go|walk] {path}. what is the position?",
                "from (0, 0) {path}. =:the [position|point|place][ now|]",
                "from (0, 0) go {path}. ?:where I am",
                "[we are|i am|she is|the ant is|the ship is] at (0, 0) and [goes|go|walks] {path}. where [is that|now|then]?",
                "start (0, 0): {path}. where [do i end|does it end]?",
                "(0, 0), then {path}. where [now|is that]?",
                "!:walk {path} from (0, 0) and say where you are",
                "!:go {path} from (0, 0) and give the position",
                "after {path} from (0, 0), where am i?",
                "on a grid i [leave|start from] (0, 0) and go {path}. what is my position?",
            ],
            eval: &[
                "a robot at (0, 0) moves {path}. at which point does it stop?",
                "begin at (0, 0), move {path}. give the final point.",
            ],
        },
        slots: vec![("path", said.join(", "))],
        reasoning: format!("{}.", steps.join(", ")),
        answer: format!("({x}, {y})"),
    }
}

/// Where a coin is after cups were swapped.
pub(super) fn cups(draws: &mut Draws, level: usize) -> Draft {
    const CUPS: [&str; 3] = ["A", "B", "C"];
    let mut coin = draws.below(3);
    let start = CUPS[coin];
    let mut said = Vec::new();
    let mut steps = vec![start.to_owned()];
    for _ in 0..level + 2 {
        let (a, b) = draws.pick(&[(0, 1), (1, 2), (0, 2), (1, 0), (2, 1), (2, 0)]);
        coin = if coin == a {
            b
        } else if coin == b {
            a
        } else {
            coin
        };
        said.push(format!("{} and {}", CUPS[a], CUPS[b]));
        steps.push(format!("{} {}: {}", CUPS[a], CUPS[b], CUPS[coin]));
    }
    Draft {
        asked: Wordings {
            train: &[
                "a coin is under cup {c}. the cups {swaps} are swapped. where is the coin?",
                "a [coin|ball|ring|nut] is under [cup |]{c}. [we|i|they] swap {swaps}. where is it[ now|]?",
                "there is a [coin|ball|ring] under cup {c}. swap {swaps}. which cup has [it|the coin]?",
                "the [coin|ball|ring] is under {c}. we swap {swaps}. where is it now?",
                "[coin|ball] under {c}. swaps: {swaps}. =:the cup with the coin",
                "[coin|ball] under {c}. swaps: {swaps}. ?:where it is now",
                "i put a [coin|ball] under cup {c} and swap {swaps}. [where is it|which cup has it]?",
                "cups A, B, C. the coin is under {c}. swap {swaps}. where is the coin[ now|]?",
                "{c} has the coin. now {swaps} are swapped. [who has it|which one has it]?",
                "the coin lies under {c}. after swapping {swaps}, where is it?",
                "start: coin under {c}. swap {swaps}. under which cup now?",
            ],
            eval: &[
                "cup {c} hides a coin. these cups change places: {swaps}. under which cup does it end up?",
                "i hide a coin under {c} and exchange {swaps}. which cup do i lift?",
            ],
        },
        slots: vec![("c", start.to_owned()), ("swaps", said.join(", then "))],
        reasoning: format!("{}.", steps.join(", ")),
        answer: CUPS[coin].to_owned(),
    }
}

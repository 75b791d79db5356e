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
                "you are facing {d}. you {turns}. which direction are you facing[ now|]?",
                "you stand looking {d}. you {turns}. which way are you looking now?",
                "i am facing {d}. i {turns}. which direction do i face?",
                "i was looking {d}, then i {turns}. which way do i look now?",
                "imagine you face {d} and {turns}. where are you looking?",
                "imagine that you look {d}. now {turns}. what direction do you see?",
                "at the start you face {d}. then {turns}. what do you face at the end?",
                "a robot points {d}. it gets the orders: {turns}. which direction does it point now?",
                "a car heads {d}. the driver [does this|turns]: {turns}. which direction is it heading?",
                "a compass walk: {d} first, {turns}. final direction?",
                "my nose points {d}. {turns}. where does it point now?",
                "starting direction {d}; {turns}; final direction?",
                "if i face {d} and {turns}, which way do i face?",
                "if you look {d} and {turns}, where do you look?",
                "begin {d}, then {turns}. where do you look at last?",
                "facing {d}: {turns}. direction[?|.]",
                "facing {d}, {turns}. !:say which way i face",
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
                "you start at (0, 0). you go {path}. where do you end up?",
                "you stand at (0, 0) and walk {path}. what are your coordinates?",
                "beginning at (0, 0), go {path}. where do you end?",
                "starting at the point (0, 0), i go {path}. which point do i reach?",
                "starting from (0, 0): {path}. what is the final position?",
                "a robot at (0, 0) moves {path}. where is it now?",
                "a turtle starts at (0, 0) and moves {path}. what is its position?",
                "a beetle crawls from (0, 0) {path}. where does it end up?",
                "a ship leaves (0, 0) and sails {path}. at which point is it?",
                "if i am at (0, 0) and walk {path}, where do i end up?",
                "if you go {path} from (0, 0), where are you at the end?",
                "i walked {path} from (0, 0). what point did i get to?",
                "on squared paper, start at (0, 0) and go {path}. which point is it?",
                "from the origin (0, 0) move {path}. what are the coordinates?",
                "from (0, 0) {path}. ?:which point i reach",
                "from (0, 0) {path}. =:the final point",
                "!:follow {path} from (0, 0) and give the final point",
                "(0, 0): {path}. end point[?|.]",
                "final position after {path} from (0, 0)[?|.]",
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
                "a [coin|ball|marble|pea] is hidden under cup {c}. then the cups {swaps} change places. where is it?",
                "a [marble|pea|bean] lies under cup {c}. the cups {swaps} are exchanged. under which cup is it?",
                "i hide a [coin|marble|key] under cup {c}. you swap {swaps}. which cup is it under[ now|]?",
                "three cups: A, B and C. under {c} there is a [ball|marble|coin]. swap {swaps}. which cup hides it?",
                "the magician puts a [ball|coin] under {c} and swaps {swaps}. where is it at the end?",
                "the [marble|pea|ball] starts under {c}. {swaps} are swapped. where does it end up?",
                "at first the [ball|coin|marble] is under {c}. after the swaps {swaps}, which cup is it under?",
                "if the [coin|ball|marble] is under {c} and you swap {swaps}, which cup holds it?",
                "follow the [coin|ball|marble]: it is under {c}, and {swaps} are swapped. where is it?",
                "watch the [coin|ball]: under {c}. swap {swaps}. where is it now?",
                "cup {c} hides the [coin|ball|ring]. swapping {swaps}, where does it go?",
                "[coin|ball|marble] under {c}, swaps {swaps}: final cup[?|.]",
                "the [key|ring|coin] is under cup {c}. we exchange {swaps}. who hides it now?",
                "[coin|ball] under {c}. swaps: {swaps}. !:say where it is",
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

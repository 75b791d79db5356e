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
                "I face {d} and {turns}. which way do I face[ now|]?",
                "start facing {d}, then {turns}. which direction is that?",
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
                "I start at (0, 0) and walk {path}. where am I[ now|]?",
                "from (0, 0), go {path}. what is the position?",
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
                "there is a coin under cup {c}. swap {swaps}. which cup has the coin?",
                "the coin is under {c}. we swap {swaps}. where is it now?",
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

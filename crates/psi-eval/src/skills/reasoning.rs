//! Problems of [`crate::procedural`] as exchanges: thought first, then the answer.

use super::{
    Check, Message, Skill,
    scene::{Outcome, Scene},
    turn::Turn,
};
use crate::procedural::{self, FAMILIES};

/// A problem of any family at any level.
pub(crate) fn problem(scene: &mut Scene) -> Outcome {
    let family = scene.draws.below(FAMILIES.len());
    let level = scene.draws.below(procedural::LEVELS);
    let problem = FAMILIES[family].problem(&mut scene.draws, level);
    scene.messages.push(Message::User(problem.question.clone()));
    scene.messages.push(Message::Assistant(Turn {
        reasoning: Some(problem.reasoning.clone()),
        content: problem.reply(),
        calls: Vec::new(),
    }));
    Outcome { skill: Skill::Reasoning(family), check: Check::Problem(problem) }
}

//! Conversations generated from a seed, for the skills of the bundled checkpoint, as a file of lines.

use std::{
    collections::BTreeMap,
    io::{BufWriter, Write},
    path::Path,
};

use psi_eval::{
    draws::Draws,
    procedural::{Family, LEVELS},
    skills::{Mix, generate},
    split::Split,
};
use psi_store::{AtomicFile, StoreError};
use serde_json::Value;

/// What to generate: line i is conversation i of the stream (split, seed), whatever `n` is.
#[derive(Clone, Debug)]
pub struct SynthConfig {
    /// Which half of names, numbers, wordings and problems to use.
    pub split: Split,
    /// Seed of the stream.
    pub seed: u64,
    /// Number of conversations.
    pub n: u64,
    /// What it is about.
    pub source: Source,
}

/// What a line is drawn from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Conversations of up to four exchanges, by how often each kind occurs.
    Exchanges(Mix),
    /// Single problems, of every level: what `psi refine` asks.
    Problems {
        /// They are asked in turn.
        families: Vec<&'static Family>,
        /// The share of them that is thought through before it is answered.
        thoughts: f64,
    },
}

impl Source {
    /// Line `index` and the skill it ends in.
    fn line(&self, (split, seed, index): (Split, u64, u64)) -> (Value, String) {
        match self {
            Self::Exchanges(mix) => {
                let conversation = generate(split, seed, index, mix);
                let skill = conversation.skill.name();
                let skill = skill.split(':').next().unwrap_or(&skill).to_owned();
                (conversation.to_json(), skill)
            }
            Self::Problems { families, thoughts } => {
                let family = families[(index % families.len() as u64) as usize];
                let mut draws = Draws::new(split, seed, index);
                let level = draws.below(LEVELS);
                let problem = family.problem(&mut draws, level);
                (problem.to_json(draws.chance(*thoughts)), family.name.to_owned())
            }
        }
    }
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SynthReport {
    /// Size of the file.
    pub bytes: u64,
    /// How many conversations end in each skill (all problems together).
    pub by_skill: BTreeMap<String, u64>,
}

/// Writes the lines to `path`, one JSON object per line; the file appears whole or not at all.
///
/// # Errors
/// The file cannot be written.
///
/// # Panics
/// When there is nothing to draw from.
pub fn write(
    config: &SynthConfig,
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<SynthReport, StoreError> {
    let failed = |e| StoreError::io(path, "writing", e);
    let mut file = BufWriter::with_capacity(1 << 20, AtomicFile::create(path)?);
    let mut report = SynthReport::default();
    for index in 0..config.n {
        let (line, skill) = config.source.line((config.split, config.seed, index));
        let mut line = line.to_string();
        line.push('\n');
        file.write_all(line.as_bytes()).map_err(failed)?;
        report.bytes += line.len() as u64;
        *report.by_skill.entry(skill).or_insert(0) += 1;
        if index % 256 == 0 {
            progress(index);
        }
    }
    file.into_inner().map_err(|e| failed(e.into_error()))?.commit()?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use psi_eval::procedural::FAMILIES;

    use super::*;

    #[test]
    fn problems_take_turns_and_so_many_are_thought_through() {
        let families: Vec<&Family> = FAMILIES.iter().take(3).collect();
        let source = Source::Problems { families: families.clone(), thoughts: 0.25 };
        let lines: Vec<(Value, String)> =
            (0..600).map(|index| source.line((Split::Train, 1, index))).collect();
        for (i, (line, family)) in lines.iter().enumerate() {
            assert_eq!(family, families[i % 3].name);
            assert_eq!(line["messages"].as_array().map(Vec::len), Some(2), "{line}");
        }
        let thinks = |line: &Value| line["messages"][1]["reasoning_content"].is_string();
        let n = lines.iter().filter(|(line, _)| thinks(line)).count();
        assert!((110..190).contains(&n), "{n} of 600");
    }
}

//! Conversations generated from a seed, for the skills of the bundled checkpoint, as a file of lines.

use std::{
    collections::BTreeMap,
    io::{BufWriter, Write},
    path::Path,
};

use psi_eval::{
    skills::{Mix, generate},
    split::Split,
};
use psi_store::{AtomicFile, StoreError};

/// What to generate: line i is conversation i of the stream (split, seed), whatever `n` is.
#[derive(Clone, Debug, PartialEq)]
pub struct SynthConfig {
    /// Which half of names, numbers, wordings and problems to use.
    pub split: Split,
    /// Seed of the stream.
    pub seed: u64,
    /// Number of conversations.
    pub n: u64,
    /// How often each kind of exchange occurs.
    pub mix: Mix,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SynthReport {
    /// Size of the file.
    pub bytes: u64,
    /// How many conversations end in each skill (all problems together).
    pub by_skill: BTreeMap<String, u64>,
}

/// Writes the conversations to `path`, one JSON object per line; the file appears whole or not at all.
///
/// # Errors
/// The file cannot be written.
///
/// # Panics
/// When the mix is empty.
pub fn write(
    config: &SynthConfig,
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<SynthReport, StoreError> {
    let failed = |e| StoreError::io(path, "writing", e);
    let mut file = BufWriter::with_capacity(1 << 20, AtomicFile::create(path)?);
    let mut report = SynthReport::default();
    for index in 0..config.n {
        let conversation = generate(config.split, config.seed, index, &config.mix);
        let mut line = conversation.to_json().to_string();
        line.push('\n');
        file.write_all(line.as_bytes()).map_err(failed)?;
        report.bytes += line.len() as u64;
        let skill = conversation.skill.name();
        let skill = skill.split(':').next().unwrap_or(&skill).to_owned();
        *report.by_skill.entry(skill).or_insert(0) += 1;
        if index % 256 == 0 {
            progress(index);
        }
    }
    file.into_inner().map_err(|e| failed(e.into_error()))?.commit()?;
    Ok(report)
}

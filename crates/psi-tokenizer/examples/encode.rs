//! Encodes the strings of a JSON-lines file, or measures the speed on a text file.
//!
//! `encode TOKENIZER.json ids STRINGS.jsonl` prints for every line (a JSON string)
//! `{"ids": [...], "special": [...], "text": "..."}`: the ids without special tokens, with them, and the
//! first decoded. `encode TOKENIZER.json speed TEXT` prints MB/s, single-threaded, best of five.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use psi_tokenizer::Tokenizer;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [tokenizer, "ids", file] => ids(Path::new(tokenizer), Path::new(file)),
        [tokenizer, "speed", file] => speed(Path::new(tokenizer), Path::new(file)),
        _ => Err("usage: encode TOKENIZER.json ids|speed FILE".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(io::stderr(), "error: {e}");
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn load(path: &Path) -> Result<Tokenizer, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(path)?;
    if path.extension().is_some_and(|e| e == "tiktoken") {
        let is_o200k = path.to_string_lossy().contains("o200k");
        let pattern = if is_o200k { Tokenizer::O200K_PATTERN } else { Tokenizer::CL100K_PATTERN };
        return Ok(Tokenizer::from_tiktoken(&bytes, pattern, &[], path)?);
    }
    Ok(Tokenizer::from_json(&bytes, path)?)
}

fn ids(tokenizer: &Path, file: &Path) -> Outcome {
    let tokenizer = load(tokenizer)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in std::fs::read_to_string(file)?.lines() {
        let text: String = serde_json::from_str(line)?;
        let ids = tokenizer.encode(&text, false, true);
        let record = serde_json::json!({
            "special": tokenizer.encode(&text, true, true),
            "text": tokenizer.decode(&ids, false),
            "ids": ids,
        });
        writeln!(out, "{record}")?;
    }
    Ok(())
}

fn speed(tokenizer: &Path, file: &Path) -> Outcome {
    let started = Instant::now();
    let tokenizer = load(tokenizer)?;
    let loaded = started.elapsed();
    let text = std::fs::read_to_string(file)?;
    let mut out = io::stdout().lock();
    writeln!(out, "load {:.1} ms", loaded.as_secs_f64() * 1e3)?;
    let mut best = f64::INFINITY;
    let mut n_ids = 0;
    for round in 0..5 {
        let started = Instant::now();
        n_ids = tokenizer.encode(&text, false, false).len();
        let seconds = started.elapsed().as_secs_f64();
        best = best.min(seconds);
        if round == 0 {
            writeln!(out, "first {:.1} MB/s", text.len() as f64 / seconds / 1e6)?;
        }
    }
    let rate = text.len() as f64 / best / 1e6;
    writeln!(out, "best  {rate:.1} MB/s, {n_ids} ids, {} bytes", text.len())?;
    Ok(())
}

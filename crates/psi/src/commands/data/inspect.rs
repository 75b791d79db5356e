//! `psi data inspect`: documents, tokens and bad rows of files, and the first packed row with its mask.

use std::io::IsTerminal;

use psi_infer::text::ModelText;
use psi_store::Home;
use psi_tokenizer::{ChatTemplate, Tokenizer, TrainOptions, train_bpe};
use psi_train::data::{
    CHATML, DataConfig, NO_TARGET, Packing, Progress, Report, Resources, Rows, SourceConfig,
    SourceReport, Turns, inspect,
};
use serde_json::{Value, json};

use crate::{
    cli::DataInspect,
    cpu, env,
    error::{Failure, Outcome, unusable},
    model::{Text, resolve},
    out::{out, outln},
    progress, table,
};

pub(crate) fn run(args: &DataInspect) -> Outcome {
    let kit = Kit::open(args)?;
    let packing = DataConfig { packing: Packing::Stream, ..config(args) };
    let (report, rows) = kit.inspect(&packing)?;
    // Conversations are packed whole, as they are trained on.
    let has_chats = report.sources.iter().any(|s| s.conversations > 0);
    let (report, rows) = if has_chats {
        kit.inspect(&DataConfig { packing: Packing::Whole, ..packing })?
    } else {
        (report, rows)
    };
    let rows = rows.filter(|rows| !args.no_sample && !rows.tokens.is_empty());
    if args.json {
        outln!("{:#}", document(&report, rows.as_ref(), &kit)?);
        return Ok(());
    }
    out!("{}", sources(&report, kit.has_tokens));
    for remark in report.sources.iter().flat_map(remarks) {
        outln!("{remark}");
    }
    if let Some(rows) = rows {
        let colour = std::io::stdout().is_terminal();
        outln!("\nThe first row, what is learned {}:", if colour { "in green" } else { "in ⟦⟧" });
        outln!("{}", marked(&rows, &kit.text.tokenizer, colour));
    }
    Ok(())
}

fn config(args: &DataInspect) -> DataConfig {
    let source = |path: &String| SourceConfig {
        column: args.column.clone(),
        split_at: args.split_at.clone(),
        ..SourceConfig::at(path)
    };
    DataConfig {
        sources: args.files.iter().map(source).collect(),
        seq_len: args.seq_len as usize,
        turns: if args.each_turn { Turns::Each } else { Turns::Together },
        ..DataConfig::default()
    }
}

/// A tokenizer, a template, and a place for the tokens.
struct Kit {
    text: Text,
    template: Option<ChatTemplate>,
    /// Without a tokenizer tokens are bytes, and say nothing.
    has_tokens: bool,
    cache: std::path::PathBuf,
    /// Deleted with the kit: tokens that are bytes are of no use later.
    _scratch: Option<tempfile::TempDir>,
    n_threads: usize,
}

impl Kit {
    fn open(args: &DataInspect) -> Outcome<Self> {
        let n_threads = cpu::n_threads(None)?;
        if let Some(path) = &args.tokenizer {
            let text = Text::open(&resolve(path)?)?;
            let template = text.chat()?;
            let home = env::home().ok_or_else(|| {
                Failure::input("there is no place for tokens").hint("set PSI_HOME to a folder")
            })?;
            let cache = Home::at(&home).datasets();
            return Ok(Self { text, template, has_tokens: true, cache, _scratch: None, n_threads });
        }
        let scratch = tempfile::tempdir()
            .map_err(|e| Failure::failed("no temporary folder can be made").because(e))?;
        let template = Some(CHATML.to_owned());
        let text = Text(ModelText { tokenizer: bytes_only()?, template });
        Ok(Self {
            template: text.chat()?,
            text,
            has_tokens: false,
            cache: scratch.path().to_owned(),
            _scratch: Some(scratch),
            n_threads,
        })
    }

    fn inspect(&self, config: &DataConfig) -> Outcome<(Report, Option<Rows>)> {
        let with = Resources {
            tokenizer: &self.text.tokenizer,
            template: self.template.as_ref(),
            cache: &self.cache,
            n_threads: self.n_threads,
        };
        let mut bar: Option<(String, progress::Progress)> = None;
        let mut show = |p: Progress<'_>| {
            if bar.as_ref().is_none_or(|(name, _)| name != p.source) {
                bar = Some((p.source.to_owned(), progress::Progress::bytes(p.source, p.total)));
            }
            if let Some((_, bar)) = &bar {
                bar.set(p.done);
            }
        };
        inspect(config, &with, &mut show).map_err(unusable)
    }
}

/// A tokenizer whose tokens are bytes.
fn bytes_only() -> Outcome<Tokenizer> {
    let special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
    let options = TrainOptions {
        vocab_size: 256 + special.len(),
        special_tokens: special.map(str::to_owned).to_vec(),
        ..TrainOptions::default()
    };
    train_bpe(&mut std::iter::empty(), &options).map_err(unusable)
}

/// The table of sources.
fn sources(report: &Report, has_tokens: bool) -> String {
    let head = ["source", "files", "documents", "chats", "bytes", "bad rows"];
    let more = ["tokens", "bytes/token", "learned", "longest"];
    let row = |cells: &[&str], more: &[&str]| -> Vec<String> {
        let shown = cells.iter().chain(more.iter().filter(|_| has_tokens));
        shown.map(|&cell| cell.to_owned()).collect()
    };
    let mut rows = vec![row(&head, &more)];
    for s in &report.sources {
        let [files, documents, chats] =
            [s.files as u64, s.documents, s.conversations].map(|n| n.to_string());
        let (bytes, bad) = (table::bytes(s.bytes), s.bad_rows.to_string());
        let per_token = format!("{:.2}", s.bytes as f64 / s.tokens.max(1) as f64);
        let learned = format!("{:.0}%", 100.0 * s.trained_tokens as f64 / s.tokens.max(1) as f64);
        rows.push(row(
            &[&s.name, &files, &documents, &chats, &bytes, &bad],
            &[&table::count(s.tokens), &per_token, &learned, &s.longest.to_string()],
        ));
    }
    table::columns(&rows)
}

/// What else there is to say of a source.
fn remarks(s: &SourceReport) -> Vec<String> {
    let mut remarks: Vec<String> = s.bad.iter().map(|bad| format!("bad row: {bad}")).collect();
    let more = s.bad_rows.saturating_sub(s.bad.len() as u64);
    if more > 0 {
        remarks.push(format!("{}: {more} more bad rows", s.name));
    }
    if s.overlong > 0 {
        remarks.push(format!("{}: {} documents are longer than a row", s.name, s.overlong));
    }
    let mut ignored = s.ignored.iter().take(5).map(|p| format!("not read: {}", p.display()));
    remarks.extend(&mut ignored);
    if s.ignored.len() > 5 {
        remarks.push(format!("{}: {} more files are not read", s.name, s.ignored.len() - 5));
    }
    remarks
}

/// The tokens of a row as text, with marks around what a loss falls on.
fn marked(rows: &Rows, tokenizer: &Tokenizer, colour: bool) -> String {
    let (open, close) = if colour { ("\x1b[32m", "\x1b[0m") } else { ("⟦", "⟧") };
    let mut text = String::new();
    let mut start = 0;
    for (number, &n) in rows.segments.iter().enumerate() {
        if number > 0 {
            text.push_str("\n───\n");
        }
        let segment = start..start + n;
        start += n;
        // Position i predicts token i + 1: a segment's tokens are its first input and its targets.
        let mut runs: Vec<(bool, Vec<u32>)> = vec![(false, vec![rows.tokens[segment.start]])];
        for i in segment.clone() {
            let learned = rows.targets[i] != NO_TARGET;
            let next =
                if learned { Some(rows.targets[i]) } else { rows.tokens.get(i + 1).copied() };
            let inside = learned || i + 1 < segment.end;
            let Some(next) = next.filter(|_| inside) else { continue };
            match runs.last_mut() {
                Some((same, run)) if *same == learned => run.push(next),
                _ => runs.push((learned, vec![next])),
            }
        }
        for (learned, run) in runs {
            let shown = tokenizer.decode(&run, false);
            match learned {
                true => text.extend([open, &shown, close]),
                false => text.push_str(&shown),
            }
        }
    }
    text
}

fn document(report: &Report, rows: Option<&Rows>, kit: &Kit) -> Outcome<Value> {
    let mut document = serde_json::to_value(report)
        .map_err(|e| Failure::failed("the report cannot be written").because(e))?;
    document["tokens_are_bytes"] = json!(!kit.has_tokens);
    if let Some(rows) = rows {
        let learned: Vec<bool> = rows.targets.iter().map(|&t| t != NO_TARGET).collect();
        document["sample"] = json!({
            "tokens": rows.tokens,
            "learned": learned,
            "segments": rows.segments,
            "text": marked(rows, &kit.text.tokenizer, false),
        });
    }
    Ok(document)
}

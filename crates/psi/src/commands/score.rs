//! `psi score`: the log-likelihood of a text, in nats and in bits per byte.

use std::io::Read;

use psi_infer::{ScoreOptions, score};
use serde_json::json;

use crate::{
    cli::Score,
    error::{Failure, Outcome},
    model::{Runner, unreadable},
    out::outln,
    progress::Progress,
};

/// Window of models made for longer contexts: beyond it attention costs more than it explains.
const DEFAULT_WINDOW: usize = 2048;

pub(crate) fn run(args: &Score) -> Outcome {
    let text = input(args)?;
    let runner = Runner::load(&args.model)?;
    let limit = runner.decoder.config().max_seq_len;
    let window = args.context.unwrap_or(limit.min(DEFAULT_WINDOW));
    if window > limit {
        return Err(Failure::input(format!(
            "--context {window}: this model was made for {limit} tokens"
        ))
        .hint("a longer text is scored in windows of --context tokens"));
    }
    if window.saturating_sub(1) <= args.overlap {
        return Err(Failure::input(format!(
            "--overlap {} leaves nothing to score in a context of {window}",
            args.overlap
        ))
        .hint("--overlap must be smaller than --context by 2 or more"));
    }
    let tokenizer = &runner.text.tokenizer;
    let tokens = tokenizer.encode(&text, false, false);
    let prefix = tokenizer.prefix_ids().first().copied();
    let n_predictable = tokens.len() - usize::from(prefix.is_none()).min(tokens.len());
    if n_predictable == 0 {
        return Err(Failure::input(format!(
            "{}: holds no token that could be predicted",
            args.input.display()
        )));
    }
    let mut engine = runner.engine(window);
    let progress = Progress::steps("scoring", tokens.len() as u64);
    let options = ScoreOptions { window, overlap: args.overlap };
    let result = score(&mut engine, prefix, &tokens, options, &mut |n| progress.set(n as u64))
        .map_err(|e| Failure::failed(e.to_string()))?;
    drop(progress);
    let bits_per_byte = result.nll_sum / std::f64::consts::LN_2 / text.len() as f64;
    let perplexity = (result.nll_sum / result.n_scored as f64).exp();
    if args.json {
        let document = json!({
            "tokens": tokens.len(),
            "tokens_scored": result.n_scored,
            "bytes": text.len(),
            "nll_sum": result.nll_sum,
            "bits_per_byte": bits_per_byte,
            "perplexity": perplexity,
            "context": window,
            "overlap": args.overlap,
        });
        outln!("{document:#}");
    } else {
        outln!("tokens         {}", tokens.len());
        outln!("nll_sum        {:.6} nats", result.nll_sum);
        outln!("bits per byte  {bits_per_byte:.6}");
        outln!("perplexity     {perplexity:.4} per token");
    }
    Ok(())
}

fn input(args: &Score) -> Outcome<String> {
    let path = &args.input;
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|e| unreadable(path, e))?;
        bytes
    } else {
        crate::model::read(path)?
    };
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Failure::input(format!("{}: not UTF-8 at byte {at}", path.display()))
    })
}

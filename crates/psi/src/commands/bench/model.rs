//! Loading, prefill and decoding of a real model.

use std::{path::Path, sync::Arc, time::Instant};

use psi_infer::{Engine, EngineOptions, Sequence, Want, Work};
use psi_model::Decoder;

use super::{Bencher, median};
use crate::{
    error::{Failure, Outcome},
    model::{kv_dtype, load_decoder, resolve},
};

pub(super) fn run(bencher: &mut Bencher<'_>, path: &Path) -> Outcome {
    let args = bencher.args;
    let path = resolve(path)?;
    let started = Instant::now();
    let decoder = load_decoder(&bencher.cpu, &path, args.dtype)?;
    let load_s = started.elapsed().as_secs_f64();
    if bencher.wants("load") {
        bencher.add("load".to_owned(), load_s, "s", None);
    }
    let n_positions = args.depth + args.prompt.max(args.generate + 1);
    let limit = decoder.config().max_seq_len;
    if n_positions > limit {
        return Err(Failure::input(format!(
            "--depth {}: {n_positions} positions do not fit this model's context of {limit}",
            args.depth
        )));
    }
    let kv = kv_dtype(args.kv, &decoder);
    let options = EngineOptions { kv, n_positions, ..EngineOptions::default() };
    let mut engine = Engine::new(&bencher.cpu, Arc::clone(&decoder), options);
    let refused = |e: psi_infer::EngineError| Failure::failed(e.to_string());
    let mut sequence = Sequence::new(limit);
    advance(&mut engine, &mut sequence, &tokens(&decoder, args.depth)).map_err(refused)?;
    let at = match args.depth {
        0 => String::new(),
        depth => format!(" at depth {depth}"),
    };
    let prefill = format!("prefill {}{at}", args.prompt);
    if bencher.wants(&prefill) {
        let prompt = tokens(&decoder, args.prompt);
        let seconds = timed(bencher, &mut engine, &mut sequence, &[&prompt]).map_err(refused)?;
        let rate = args.prompt as f64 / seconds;
        let footprint = decoder.footprint();
        let roof = match footprint.format {
            psi_kernels::Format::F32 => bencher.roof.f32_gflops,
            psi_kernels::Format::Bf16 => bencher.roof.bf16_gflops,
            psi_kernels::Format::Quant(_) => bencher.roof.int8_gops,
        };
        let tokens_at_roof = roof / (2e-9 * footprint.n_weights);
        bencher.add(prefill, rate, "tokens/s", Some(tokens_at_roof));
    }
    let decode = format!("decode {}{at}", args.generate);
    if bencher.wants(&decode) {
        let all = tokens(&decoder, args.generate);
        let steps: Vec<&[u32]> = all.chunks(1).collect();
        let seconds = timed(bencher, &mut engine, &mut sequence, &steps).map_err(refused)?;
        let rate = args.generate as f64 / seconds;
        let cache = engine.cache_bytes_per_position() * args.depth;
        let gigabytes = 1e-9 * (decoder.footprint().bytes + cache as f64);
        bencher.add(decode, rate, "tokens/s", Some(bencher.roof.read_gbps / gigabytes));
    }
    Ok(())
}

/// Some tokens, all over the vocabulary.
fn tokens(decoder: &Decoder, n: usize) -> Vec<u32> {
    let vocab_size = decoder.config().vocab_size as u32;
    (0..n as u32).map(|i| i.wrapping_mul(2_654_435_761) % vocab_size).collect()
}

fn advance(
    engine: &mut Engine,
    sequence: &mut Sequence,
    tokens: &[u32],
) -> Result<(), psi_infer::EngineError> {
    if !tokens.is_empty() {
        engine.forward(&mut [Work { sequence, tokens, want: Want::Last }])?;
    }
    Ok(())
}

/// Median seconds of running `steps` one after another from the same depth.
fn timed(
    bencher: &Bencher<'_>,
    engine: &mut Engine,
    sequence: &mut Sequence,
    steps: &[&[u32]],
) -> Result<f64, psi_infer::EngineError> {
    let depth = sequence.len();
    let mut times = Vec::new();
    for _ in 0..=bencher.args.repeat {
        let start = Instant::now();
        for tokens in steps {
            advance(engine, sequence, tokens)?;
        }
        times.push(start.elapsed().as_secs_f64());
        engine.truncate(sequence, depth);
    }
    times.remove(0); // warm-up
    Ok(median(times))
}

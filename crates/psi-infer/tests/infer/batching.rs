//! What a sequence computes does not depend on what runs beside it, or on how it is cut.

use psi_infer::{Engine, EngineError, EngineOptions, Sequence, Want, Work, rng};
use psi_kernels::{Format, kv::KvDtype, quant::BlockType};

use super::{cases, cpu, engine, f32_options};

const MODELS: [&str; 4] = ["llama3", "mistral", "gemma2", "qwen3_moe"];
const LIMIT: usize = 96;

/// Logits of every token of one sequence, run in pieces of `piece`.
fn alone(engine: &mut Engine, tokens: &[u32], piece: usize) -> Vec<f32> {
    let mut sequence = Sequence::new(LIMIT);
    let mut out = Vec::new();
    for tokens in tokens.chunks(piece) {
        let work = Work { sequence: &mut sequence, tokens, want: Want::All };
        out.extend_from_slice(engine.forward(&mut [work]).expect("logits").values());
    }
    engine.release(sequence);
    out
}

/// Seven prompts of different lengths, the first one given.
fn prompts(first: &[u32]) -> Vec<Vec<u32>> {
    let mut prompts = vec![first.to_vec()];
    for p in 1..7_u64 {
        let n = 5 + 11 * p;
        let token = |i| (rng::uniform(p, i) * 96.0) as u32;
        prompts.push((0..n).map(token).collect());
    }
    prompts
}

#[test]
fn logits_are_the_same_bits_alone_in_a_batch_of_seven_and_in_pieces() {
    let formats = [
        (None, KvDtype::F32),
        (Some(Format::Bf16), KvDtype::Bf16),
        (Some(Format::Quant(BlockType::Q8_0)), KvDtype::Q8),
    ];
    for model in MODELS {
        for (format, kv) in formats {
            let options = EngineOptions { kv, n_positions: 2048, chunk: 512 };
            let mut one = engine(&cpu(1), model, format, options);
            let tokens = &cases(model)[0].ids;
            let reference = alone(&mut one, tokens, tokens.len());
            assert!(reference.iter().all(|x| x.is_finite()), "{model}");
            for n_threads in [1, 2, 3] {
                let options = EngineOptions { chunk: 64 + n_threads, ..options };
                let mut engine = engine(&cpu(n_threads), model, format, options);
                for piece in [1, 3, 64] {
                    assert_eq!(alone(&mut engine, tokens, piece), reference, "{model} by {piece}");
                }
                assert_eq!(in_batch(&mut engine, tokens), reference, "{model} in a batch");
                assert_eq!(engine.n_free(), 2048);
            }
        }
    }
}

/// Logits of `tokens` as the first of seven sequences of one batch.
fn in_batch(engine: &mut Engine, tokens: &[u32]) -> Vec<f32> {
    let prompts = prompts(tokens);
    let mut sequences: Vec<Sequence> = prompts.iter().map(|_| Sequence::new(LIMIT)).collect();
    let mut work: Vec<Work<'_>> = sequences
        .iter_mut()
        .zip(&prompts)
        .map(|(sequence, tokens)| Work { sequence, tokens, want: Want::All })
        .collect();
    let logits = engine.forward(&mut work).expect("logits");
    let n = tokens.len() * engine.model().config().vocab_size;
    sequences.into_iter().for_each(|s| engine.release(s));
    logits.values()[..n].to_vec()
}

#[test]
fn a_truncated_sequence_goes_on_as_if_the_rest_had_never_been() {
    let mut engine = engine(&cpu(2), "llama3", None, f32_options());
    let ids = &cases("llama3")[0].ids;
    let mut sequence = Sequence::new(LIMIT);
    let run = |engine: &mut Engine, sequence: &mut Sequence, tokens: &[u32]| {
        let work = Work { sequence, tokens, want: Want::Last };
        engine.forward(&mut [work]).expect("logits").values().to_vec()
    };
    run(&mut engine, &mut sequence, &ids[..20]);
    let expected = run(&mut engine, &mut sequence, &ids[20..30]);
    engine.truncate(&mut sequence, 20);
    run(&mut engine, &mut sequence, &[5; 40]);
    engine.truncate(&mut sequence, 20);
    assert_eq!(run(&mut engine, &mut sequence, &ids[20..30]), expected);
    assert_eq!(sequence.len(), 30);
}

#[test]
fn a_batch_that_does_not_fit_is_refused_and_changes_nothing() {
    let options = EngineOptions { n_positions: 64, ..f32_options() };
    let mut engine = engine(&cpu(1), "llama3", None, options);
    let mut sequence = Sequence::new(80);
    let mut run = |sequence: &mut Sequence, tokens: &[u32]| {
        engine.forward(&mut [Work { sequence, tokens, want: Want::Last }]).map(|l| l.n_rows())
    };
    assert_eq!(run(&mut sequence, &[1; 10]), Ok(1));
    let overflow = EngineError::ContextOverflow { n_tokens: 81, n_context: 80 };
    assert_eq!(run(&mut sequence, &[1; 71]), Err(overflow));
    let full = EngineError::CacheFull { n_needed: 64, n_free: 0 };
    assert_eq!(run(&mut sequence, &[1; 60]), Err(full));
    let unknown = EngineError::UnknownToken { token: 96, vocab_size: 96 };
    assert_eq!(run(&mut sequence, &[96]), Err(unknown));
    assert_eq!(sequence.len(), 10);
    assert_eq!(run(&mut sequence, &[1; 54]), Ok(1));
}

//! Embeddings are the model's features, pooled, whatever else the service does.

use psi_infer::{
    Engine, EngineOptions, Sequence, Want, Work,
    service::{Pooling, ServiceOptions, SubmitError},
};
use psi_kernels::kv::KvDtype;

use super::{alone::Ask, cpu, decoder, options, service};

fn text(n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| (i * i + 3) % 96).collect()
}

/// The embedding from the definition.
fn expected(tokens: &[u32], pooling: Pooling) -> Vec<f32> {
    let cpu = cpu(1);
    let options = EngineOptions { kv: KvDtype::F32, ..EngineOptions::default() };
    let mut engine = Engine::new(&cpu, decoder(&cpu, "long"), options);
    let mut sequence = Sequence::new(tokens.len());
    let work = Work { sequence: &mut sequence, tokens, want: Want::All };
    let features = engine.features(&mut [work]).expect("features");
    let rows: Vec<&[f32]> = features.chunks_exact(64).collect();
    let pooled: Vec<f64> = match pooling {
        Pooling::Last => rows[rows.len() - 1].iter().map(|&x| f64::from(x)).collect(),
        Pooling::Mean => {
            (0..64).map(|j| rows.iter().map(|row| f64::from(row[j])).sum::<f64>()).collect()
        }
    };
    let norm = pooled.iter().map(|x| x * x).sum::<f64>().sqrt();
    pooled.iter().map(|x| (x / norm) as f32).collect()
}

#[test]
fn an_embedding_is_the_pooled_features_alone_and_in_a_crowd() {
    let service = service("long", 2, ServiceOptions { prefill_chunk: 50, ..options() });
    let lengths = [1, 7, 49, 50, 51, 200];
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let tokens = text(100);
            let ask = Ask { tokens, max_tokens: 40, ignore_eos: true, ..Ask::default() };
            let request = ask.request();
            scope.spawn(|| service.complete(request).expect("a place"));
        }
        for (n, pooling) in lengths.iter().flat_map(|&n| [(n, Pooling::Mean), (n, Pooling::Last)]) {
            let service = &service;
            scope.spawn(move || {
                let got = service.embed(text(n), pooling).expect("an embedding");
                psi_testkit::assert_close("embedding", &got, &expected(&text(n), pooling), 1e-6);
            });
        }
    });
    assert_eq!(service.status().n_blocks_used, 0);
}

#[test]
fn a_text_that_cannot_be_embedded_is_refused() {
    let service = service("long", 1, options());
    let refused = |tokens| service.embed(tokens, Pooling::Mean).expect_err("a refusal");
    assert!(matches!(refused(vec![]), SubmitError::BadRequest { field: "input", .. }));
    assert!(matches!(refused(vec![96]), SubmitError::BadRequest { field: "input", .. }));
    let overflow = SubmitError::ContextOverflow { n_prompt: 513, max_tokens: 0, limit: 512 };
    assert_eq!(refused(text(513)), overflow);
    service.drain(std::time::Duration::ZERO);
    assert_eq!(refused(text(3)), SubmitError::Stopped);
}

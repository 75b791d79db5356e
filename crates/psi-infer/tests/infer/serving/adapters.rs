//! Requests with different adapters in one batch, and adapters that change while requests run.

use std::sync::{Arc, mpsc};

use psi_infer::service::{Event, ServiceOptions, SubmitError};
use psi_kernels::{Cpu, Format, Matrix, kv::KvDtype};
use psi_model::{Adapter, AdapterPart, Decoder};
use psi_tensor::{Lora, Weight};
use psi_testkit::Rng;

use super::{
    alone::{Alone, Answer, Ask},
    cpu,
    crowd::{any_ask, check_asks},
    decoder, options, service,
};

/// A random adapter of every matrix, with DoRA's lengths for odd seeds.
fn adapter(cpu: &Cpu, decoder: &Decoder, seed: u64) -> Arc<Adapter> {
    let mut rng = Rng::new(seed);
    let mut parts = Vec::new();
    decoder.clone().for_each_linear(&mut |id, linear| {
        let (n, k, rank) = (linear.weight.n(), linear.weight.k(), 4);
        let mut weight = |n: usize, k: usize| {
            let values = rng.normals(n * k, (k as f32).powf(-0.5));
            Weight::new(Matrix::from_f32(cpu, Format::F32, n, k, &values))
        };
        let lora = Lora { a: weight(rank, k), b: weight(n, rank), scale: 0.5 };
        let m = (seed % 2 == 1).then(|| vec![1.2; n]);
        parts.push(AdapterPart { matrix: id, lora, m });
    });
    Arc::new(Adapter::new(cpu, decoder, parts))
}

#[test]
fn requests_with_different_adapters_share_a_batch_and_keep_their_answers() {
    let options = ServiceOptions { max_batch: 6, prefill_chunk: 30, ..options() };
    let service = service("long", 2, options);
    let mut alone = Alone::new("long", KvDtype::F32);
    for (seed, name) in (1..).zip(["a", "b", "c"]) {
        let adapter = adapter(&cpu(1), service.model(), seed);
        service.add_adapter(name, Arc::clone(&adapter));
        alone.adapters.insert(name.to_owned(), adapter);
    }
    assert_eq!(service.adapters(), ["a", "b", "c"]);
    let mut rng = Rng::new(5);
    let ask = |i: usize| {
        let name = [None, Some("a"), Some("b"), Some("c")][i % 4];
        Ask { adapter: name.map(str::to_owned), ..any_ask(&mut rng, 512) }
    };
    let asks: Vec<Ask> = (0..40).map(ask).collect();
    check_asks(&service, &mut alone, &asks, &mut Rng::new(6));
    assert!(service.status().n_cached_tokens > 0, "prefixes are shared within an adapter");
}

#[test]
fn a_request_keeps_the_adapter_it_began_with_when_another_takes_the_name() {
    let service = service("long", 1, options());
    let cpu = cpu(1);
    let mut alone = Alone::new("long", KvDtype::F32);
    let [old, new] = [1, 2].map(|seed| adapter(&cpu, &decoder(&cpu, "long"), seed));
    alone.adapters.insert("old".to_owned(), Arc::clone(&old));
    alone.adapters.insert("new".to_owned(), Arc::clone(&new));
    service.add_adapter("main", old);
    // The same prompt: what the old adapter left in the cache is not for the new one.
    let ask = |name: &str| Ask {
        tokens: (0..70).collect(),
        max_tokens: 20,
        ignore_eos: true,
        adapter: Some(name.to_owned()),
        ..Ask::default()
    };
    let (sink, events) = mpsc::channel();
    let (swapped, wait) = mpsc::channel::<()>();
    let sink = Box::new(move |event| {
        if matches!(event, Event::Started { .. }) {
            wait.recv().expect("a swap");
        }
        sink.send(event).expect("a listener");
    });
    let _ticket = service.submit(ask("main").request(), sink).expect("a place");
    service.add_adapter("main", new);
    swapped.send(()).expect("a service");
    let ids = |events: mpsc::Receiver<Event>| -> Vec<u32> {
        let token = |event| match event {
            Event::Token(score) => Some(score.id),
            _ => None,
        };
        events.iter().filter_map(token).collect()
    };
    let ids_alone = |answer: Answer| -> Vec<u32> { answer.tokens.iter().map(|t| t.0).collect() };
    assert_eq!(ids(events), ids_alone(alone.answer(&ask("old"))));
    let completion = service.complete(ask("main").request()).expect("a place");
    assert_eq!(Answer::of(&completion), alone.answer(&ask("new")));
    assert_ne!(alone.answer(&ask("old")), alone.answer(&ask("new")));
    assert!(service.unload_adapter("main") && !service.unload_adapter("main"));
    let refused = service.complete(ask("main").request()).expect_err("a refusal");
    assert_eq!(refused, SubmitError::UnknownAdapter("main".to_owned()));
}

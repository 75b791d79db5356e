//! Gradients of the loss against PyTorch's.

use std::collections::HashMap;

use psi_kernels::kv::{KvArena, KvDtype, KvShape, Segment};
use psi_model::{Batch, Decoder, Layout, TensorId, TensorInfo, Want, stored_tensors};
use psi_store::SafeTensors;
use psi_tensor::{Gradients, Graph, ParamId, Var};
use psi_testkit::{assert_close, golden_dir};

use crate::{
    golden::{self, F32},
    run,
};

/// Largest difference of a tensor's gradient, relative to its largest value.
const TOLERANCE: f64 = 1e-3;

/// Next-token targets: every row predicts the next token, the last none.
fn targets(tokens: &[u32]) -> Vec<Option<u32>> {
    tokens[1..].iter().copied().map(Some).chain([None]).collect()
}

pub(crate) fn loss<'g>(graph: &'g Graph, model: &Decoder, tokens: &[u32]) -> Var<'g> {
    // The recorded keys and values make one layer of cache enough.
    let shape = KvShape { n_layers: 1, ..model.kv_shape() };
    let mut cache = KvArena::new(shape, KvDtype::F32, 1);
    let segments = [Segment { row0: 0, n_rows: tokens.len(), pos0: 0, blocks: &[0] }];
    let (batch, targets) = (Batch::new(tokens, &segments), targets(tokens));
    let logits = model.forward(graph, &batch, &mut cache, Want::All);
    let whole = logits.cross_entropy(&targets).0;
    let loss = model.cross_entropy(graph, &batch, &mut cache, &targets);
    assert!((loss.item() - whole.item()).abs() <= 1e-6 * whole.item(), "{loss:?}, {whole:?}");
    loss
}

#[test]
fn gradients_match_pytorch() {
    let cpu = run::cpu();
    let mut n_models = 0;
    for dir in golden::models() {
        let name = dir.file_name().expect("a name").to_string_lossy().into_owned();
        let facts = golden::json(&dir.join("golden.json"));
        let Some(want_loss) = facts["loss"].as_f64() else { continue };
        let model = Decoder::load_trainable(&cpu, &dir, &F32).unwrap_or_else(|e| panic!("{e}"));
        let tokens = golden::ids(&facts["cases"][0]["ids"]);
        let graph = Graph::train(&cpu);
        let loss = loss(&graph, &model, &tokens);
        let error = (f64::from(loss.item()) - want_loss).abs();
        assert!(error < 1e-4 * want_loss, "{name}: loss {} is not {want_loss}", loss.item());
        let mut gradients = Gradients::new();
        graph.backward(loss, &mut gradients);
        let expected = SafeTensors::open(&dir.join("golden.safetensors")).expect("golden");
        // The norms' gradients do not shift as their values do.
        let mut plain = model.config().clone();
        plain.norm.offset = if name.starts_with("gemma") { 1.0 } else { 0.0 };
        let ids: HashMap<TensorId, ParamId> = model
            .config()
            .tensors()
            .iter()
            .enumerate()
            .map(|(i, t)| (t.id, ParamId(i as u32)))
            .collect();
        let mut compared = 0;
        for stored in stored_tensors(&plain, Layout::Hf) {
            let mut values = |info: &TensorInfo| {
                let gradient = gradients.get(ids[&info.id]);
                Ok(gradient.map_or_else(|| vec![0.0; info.n * info.k], <[f32]>::to_vec))
            };
            let got = stored.assemble(&plain, &mut values).expect("gradients");
            let want = golden::f32s(&expected, &format!("grad.{}", stored.name));
            assert_close(&format!("{name}, {}", stored.name), &got, &want, TOLERANCE);
            compared += 1;
        }
        let all = expected.names().filter(|n| n.starts_with("grad.")).count();
        assert_eq!(compared, all, "{name}: every gradient is compared");
        n_models += 1;
    }
    assert!(n_models >= 4, "{n_models} models with gradients in {}", golden_dir().display());
}

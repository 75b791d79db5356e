//! The service: whatever runs beside a request, it gets what it would get alone.

mod adapters;
mod alone;
mod cache;
mod crowd;
mod embedding;
mod limits;
mod order;
mod speculating;

use std::sync::Arc;

use psi_infer::service::{Service, ServiceOptions};
use psi_kernels::{Cpu, Format, kv::KvDtype};
use psi_model::{Config, Decoder, LoadOptions, RopeScaling};
use psi_testkit::Rng;

use super::{cpu, folder};

/// A golden checkpoint, or one of three random models with a context of 512 tokens: "long", "window"
/// (sliding, in one of two layers) and "dynamic" (frequencies that depend on the length).
fn decoder(cpu: &Arc<Cpu>, model: &str) -> Arc<Decoder> {
    let options = LoadOptions { format: None };
    let load = || Decoder::load(cpu, &folder(model), &options).expect("a model");
    let mut config = Config { n_kv_heads: 2, max_seq_len: 512, ..Config::llama(64, 2, 4, 96) };
    match model {
        "long" => {}
        "window" => config.layers[0].window = Some(50),
        "dynamic" => config.rope.scaling = RopeScaling::Dynamic { factor: 4.0, original: 100.0 },
        _ => return Arc::new(load()),
    }
    let mut rng = Rng::new(7);
    let model =
        Decoder::from_values(cpu, &config, Format::F32, |info| match info.id.role.is_norm() {
            true => vec![1.0; info.n * info.k],
            false => rng.normals(info.n * info.k, (info.k as f32).powf(-0.5)),
        });
    Arc::new(model)
}

pub(crate) fn options() -> ServiceOptions {
    ServiceOptions { kv_dtype: KvDtype::F32, cache_bytes: 64 << 20, ..ServiceOptions::default() }
}

fn service(model: &str, n_threads: usize, options: ServiceOptions) -> Service {
    let cpu = cpu(n_threads);
    let model = decoder(&cpu, model);
    Service::start(&cpu, model, options).expect("a service")
}

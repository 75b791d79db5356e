//! The service: whatever runs beside a request, it gets what it would get alone.

mod alone;
mod crowd;
mod limits;

use std::sync::Arc;

use psi_infer::service::{Service, ServiceOptions};
use psi_kernels::{Cpu, kv::KvDtype};
use psi_model::{Decoder, LoadOptions};

use super::{cpu, folder};

fn decoder(cpu: &Arc<Cpu>, model: &str) -> Arc<Decoder> {
    let options = LoadOptions { format: None };
    Arc::new(Decoder::load(cpu, &folder(model), &options).expect("a model"))
}

pub(crate) fn options() -> ServiceOptions {
    ServiceOptions { kv_dtype: KvDtype::F32, cache_bytes: 64 << 20, ..ServiceOptions::default() }
}

fn service(model: &str, n_threads: usize, options: ServiceOptions) -> Service {
    let cpu = cpu(n_threads);
    let model = decoder(&cpu, model);
    Service::start(&cpu, model, options).expect("a service")
}

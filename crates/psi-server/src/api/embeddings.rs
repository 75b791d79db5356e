//! `POST /v1/embeddings`: vectors of texts.

use axum::{Json, response::IntoResponse};
use base64::Engine;
use psi_infer::service::Pooling;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    completions::request::Prompt,
    error::ApiError,
    gate::{Call, Reply, blocking},
};

/// Most inputs of one request.
const MAX_INPUTS: usize = 2048;

/// Body of `POST /v1/embeddings`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbeddingBody {
    model: Option<String>,
    /// Texts or token ids.
    input: Prompt,
    /// Keep so many of the first numbers and scale to length 1 again.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    dimensions: Option<u32>,
    encoding_format: Option<Encoding>,
    /// How token vectors become one (default: mean).
    pooling: Option<PoolingName>,
    /// Accepted: texts are taken one after another.
    #[expect(dead_code, reason = "nothing follows from it")]
    user: Option<String>,
}

/// How numbers are sent.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Encoding {
    /// As a list.
    Float,
    /// 32-bit floats, little end first, in base64.
    Base64,
}

/// How token vectors become one.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum PoolingName {
    Mean,
    Last,
}

/// Vectors.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Embeddings {
    object: &'static str,
    data: Vec<Embedding>,
    model: String,
    usage: Usage,
}

/// One input's vector.
#[derive(Debug, JsonSchema, Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Numbers,
}

/// A list of numbers, or their bytes in base64.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
enum Numbers {
    List(Vec<f32>),
    Base64(String),
}

/// Token counts.
#[derive(Debug, JsonSchema, Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

pub(crate) async fn create(call: Call) -> Reply {
    let body: EmbeddingBody = call.json()?;
    let served = call.model(body.model.as_deref()).await?;
    let (key, api) = (call.key.clone(), call.api.clone());
    let name = served.name.clone();
    let (data, n_tokens) = blocking(&call.api, move || {
        let service = &served.model.service;
        let inputs =
            body.input.tokens(&served.model.tokenizer, service.model()).map_err(renamed)?;
        if inputs.len() > MAX_INPUTS {
            return Err(ApiError::invalid("input", format!("has more than {MAX_INPUTS} texts")));
        }
        let n_tokens: usize = inputs.iter().map(|p| p.ids.len()).sum();
        let limit = service.max_context();
        if let Some(long) = inputs.iter().find(|p| p.ids.len() > limit) {
            return Err(ApiError::ContextOverflow {
                n_prompt: long.ids.len(),
                max_tokens: 0,
                limit,
            });
        }
        let reservation = key.reserve(n_tokens as u64, api.unix_s())?;
        let pooling = match body.pooling {
            Some(PoolingName::Last) => Pooling::Last,
            Some(PoolingName::Mean) | None => Pooling::Mean,
        };
        let mut data = Vec::with_capacity(inputs.len());
        for (index, input) in inputs.into_iter().enumerate() {
            let vector = service.embed(input.ids, pooling);
            let vector = vector.map_err(|e| super::jobs::refused(e, "input"))?;
            let vector = shortened(vector, body.dimensions)?;
            let embedding = numbers(vector, body.encoding_format);
            data.push(Embedding { object: "embedding", index, embedding });
        }
        reservation.settle(n_tokens as u64);
        Ok((data, n_tokens))
    })
    .await?;
    call.record.note(|facts| facts.prompt_tokens = n_tokens as u64);
    call.api.metrics.tokens(&name, "prompt", n_tokens as u64);
    let usage = Usage { prompt_tokens: n_tokens, total_tokens: n_tokens };
    Ok(Json(Embeddings { object: "list", data, model: name, usage }).into_response())
}

/// The same error under this route's name of the parameter.
fn renamed(error: ApiError) -> ApiError {
    match error {
        ApiError::Invalid { param: Some(param), why } => {
            ApiError::invalid(param.replacen("prompt", "input", 1), why)
        }
        other => other,
    }
}

/// The first `n` numbers, scaled to length 1.
fn shortened(mut vector: Vec<f32>, n: Option<u32>) -> Result<Vec<f32>, ApiError> {
    let Some(n) = n else { return Ok(vector) };
    let n = n as usize;
    if n == 0 || n > vector.len() {
        let why = format!("must be between 1 and {}", vector.len());
        return Err(ApiError::invalid("dimensions", why));
    }
    vector.truncate(n);
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
    Ok(vector)
}

fn numbers(vector: Vec<f32>, encoding: Option<Encoding>) -> Numbers {
    if encoding != Some(Encoding::Base64) {
        return Numbers::List(vector);
    }
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    Numbers::Base64(base64::engine::general_purpose::STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_vector_has_length_one_and_the_bytes_are_little_endian() {
        let vector = shortened(vec![3.0, 4.0, 12.0], Some(2)).expect("shorter");
        assert_eq!(vector, [0.6, 0.8]);
        assert!(shortened(vec![1.0], Some(2)).is_err() && shortened(vec![1.0], Some(0)).is_err());
        let Numbers::Base64(text) = numbers(vec![1.0], Some(Encoding::Base64)) else {
            panic!("asked for base64")
        };
        assert_eq!(text, "AACAPw==");
    }
}

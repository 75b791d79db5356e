//! The parameters of generation that several routes share, and what becomes of them.

use std::collections::BTreeMap;

use psi_infer::SamplingParams;
use psi_tokenizer::TokenId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{error::ApiError, text_or::TextOr};

/// Most stop strings of one request.
const MAX_STOPS: usize = 64;
/// Longest stop string in bytes.
const MAX_STOP_LEN: usize = 1024;
/// Most entries of `logit_bias`.
const MAX_BIASES: usize = 4096;
/// Most answers to one prompt.
const MAX_N: u32 = 64;

/// One text or several.
pub(crate) type Stop = TextOr<String>;

/// What a stream carries besides text.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamOptions {
    /// Send the token counts in a last event.
    pub(crate) include_usage: Option<bool>,
    /// Pad the events, so that their lengths say less to who watches the connection (default: no).
    pub(crate) include_obfuscation: Option<bool>,
}

/// The same, decided.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extras {
    /// The token counts at its end.
    pub(crate) usage: bool,
    /// Padding in its events.
    pub(crate) padding: bool,
}

/// Declares a request body: its own fields, then those of sampling.
macro_rules! request_body {
    ($(#[$attribute:meta])* $name:ident { $($(#[$field_attribute:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$field_attribute])* pub(crate) $field: $kind,)*
            /// 0 always takes the most probable token.
            #[schemars(range(min = 0.0, max = 100.0))]
            pub(crate) temperature: Option<f64>,
            /// Keep the most probable tokens that together have this probability.
            #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
            pub(crate) top_p: Option<f64>,
            /// Keep the k most probable tokens; 0 keeps all.
            #[schemars(range(max = 2_147_483_647))]
            pub(crate) top_k: Option<u32>,
            /// Drop tokens less probable than this share of the most probable one.
            #[schemars(range(min = 0.0, max = 1.0))]
            pub(crate) min_p: Option<f64>,
            /// Keep the tokens whose surprise is nearest to the entropy.
            #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1.0))]
            pub(crate) typical_p: Option<f64>,
            /// Divide the logits of tokens already seen.
            #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 100.0))]
            pub(crate) repetition_penalty: Option<f64>,
            /// Subtract from the logit of a token already written.
            #[schemars(range(min = -2.0, max = 2.0))]
            pub(crate) presence_penalty: Option<f64>,
            /// Subtract from the logit of a token per time it was written.
            #[schemars(range(min = -2.0, max = 2.0))]
            pub(crate) frequency_penalty: Option<f64>,
            /// Add to the logit of a token id, from -100 to 100; -100 bans the token.
            pub(crate) logit_bias: Option<std::collections::BTreeMap<String, f64>>,
            /// The same seed gives the same text. Without one, psi draws one.
            pub(crate) seed: Option<i64>,
            /// Texts at which the answer ends; they are not part of it.
            pub(crate) stop: Option<$crate::api::sampling::Stop>,
            /// Number of answers; the i-th has the seed `seed + i`.
            #[schemars(range(min = 1, max = 64))]
            pub(crate) n: Option<u32>,
            /// Go on after the model's end-of-text tokens.
            pub(crate) ignore_eos: Option<bool>,
            /// No end before so many tokens.
            #[schemars(range(max = 2_147_483_647))]
            pub(crate) min_tokens: Option<u32>,
            /// Send the answer in pieces as it is written.
            pub(crate) stream: Option<bool>,
            /// What the stream carries besides text.
            pub(crate) stream_options: Option<$crate::api::sampling::StreamOptions>,
            /// Who asks: requests of different users of one key take turns.
            pub(crate) user: Option<String>,
        }

        impl $name {
            /// The fields of sampling.
            pub(crate) fn wishes(&self) -> $crate::api::sampling::Wishes {
                $crate::api::sampling::Wishes {
                    temperature: self.temperature,
                    top_p: self.top_p,
                    top_k: self.top_k,
                    min_p: self.min_p,
                    typical_p: self.typical_p,
                    repetition_penalty: self.repetition_penalty,
                    presence_penalty: self.presence_penalty,
                    frequency_penalty: self.frequency_penalty,
                    logit_bias: self.logit_bias.clone().unwrap_or_default(),
                    seed: self.seed,
                }
            }
        }
    };
}
pub(crate) use request_body;

/// How tokens should be chosen, as asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) top_k: Option<u32>,
    pub(crate) min_p: Option<f64>,
    pub(crate) typical_p: Option<f64>,
    pub(crate) repetition_penalty: Option<f64>,
    pub(crate) presence_penalty: Option<f64>,
    pub(crate) frequency_penalty: Option<f64>,
    pub(crate) logit_bias: BTreeMap<String, f64>,
    pub(crate) seed: Option<i64>,
}

impl Wishes {
    /// The sampler's parameters; `seed` replaces one that was not given.
    ///
    /// # Errors
    /// [`ApiError::Invalid`] naming the first parameter out of range.
    pub(crate) fn params(&self, vocab_size: usize, seed: u64) -> Result<SamplingParams, ApiError> {
        within("presence_penalty", self.presence_penalty, -2.0, 2.0)?;
        within("frequency_penalty", self.frequency_penalty, -2.0, 2.0)?;
        let plain = SamplingParams::default();
        let or = |value: Option<f64>, default: f32| value.map_or(default, |v| v as f32);
        let params = SamplingParams {
            temperature: or(self.temperature, plain.temperature),
            top_k: self.top_k.map_or(plain.top_k, |k| k as usize),
            top_p: or(self.top_p, plain.top_p),
            min_p: or(self.min_p, plain.min_p),
            typical_p: or(self.typical_p, plain.typical_p),
            repetition_penalty: or(self.repetition_penalty, plain.repetition_penalty),
            presence_penalty: or(self.presence_penalty, plain.presence_penalty),
            frequency_penalty: or(self.frequency_penalty, plain.frequency_penalty),
            logit_bias: self.biases()?,
            seed: self.seed.map_or(seed, i64::cast_unsigned),
            ..plain
        };
        let check = params.validate(vocab_size);
        check.map_err(|e| ApiError::invalid(e.name, format!("must be {}", e.allowed)))?;
        Ok(params)
    }

    fn biases(&self) -> Result<std::collections::HashMap<TokenId, f32>, ApiError> {
        if self.logit_bias.len() > MAX_BIASES {
            return Err(ApiError::invalid(
                "logit_bias",
                format!("has more than {MAX_BIASES} entries"),
            ));
        }
        let entry = |(token, &bias): (&String, &f64)| {
            let param = format!("logit_bias.{token}");
            let id: TokenId =
                token.parse().map_err(|_| ApiError::invalid(&param, "is not a token id"))?;
            within(&param, Some(bias), -100.0, 100.0)?;
            Ok((id, if bias == -100.0 { f32::NEG_INFINITY } else { bias as f32 }))
        };
        self.logit_bias.iter().map(entry).collect()
    }
}

/// The seed of the i-th answer to one prompt.
pub(crate) fn seed_of(base: u64, i: usize) -> u64 {
    base.wrapping_add(i as u64)
}

/// A number between bounds, both included.
pub(crate) fn within(
    param: &str,
    value: Option<f64>,
    least: f64,
    most: f64,
) -> Result<(), ApiError> {
    match value {
        Some(v) if !(least..=most).contains(&v) => {
            Err(ApiError::invalid(param, format!("must be between {least} and {most}")))
        }
        _ => Ok(()),
    }
}

/// The number of answers.
pub(crate) fn n_answers(n: Option<u32>) -> Result<usize, ApiError> {
    match n.unwrap_or(1) {
        n @ 1..=MAX_N => Ok(n as usize),
        _ => Err(ApiError::invalid("n", format!("must be between 1 and {MAX_N}"))),
    }
}

/// The stop strings.
pub(crate) fn stops(param: &str, stop: Option<&Stop>) -> Result<Vec<String>, ApiError> {
    let stops = match stop {
        None => Vec::new(),
        Some(Stop::Text(text)) => vec![text.clone()],
        Some(Stop::List(texts)) => texts.clone(),
    };
    if stops.len() > MAX_STOPS {
        return Err(ApiError::invalid(param, format!("has more than {MAX_STOPS} texts")));
    }
    if stops.iter().any(|s| s.is_empty() || s.len() > MAX_STOP_LEN) {
        let why = format!("a text has 1 to {MAX_STOP_LEN} bytes (an empty one would stop at once)");
        return Err(ApiError::invalid(param, why));
    }
    Ok(stops)
}

/// What a stream carries besides text.
pub(crate) fn extras(
    stream: Option<bool>,
    options: Option<StreamOptions>,
) -> Result<Extras, ApiError> {
    let Some(options) = options else { return Ok(Extras::default()) };
    if stream != Some(true) {
        return Err(ApiError::invalid("stream_options", "is for `stream: true` only"));
    }
    Ok(Extras {
        usage: options.include_usage == Some(true),
        padding: options.include_obfuscation == Some(true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(wishes: &Wishes, param: &str) {
        match wishes.params(100, 0) {
            Err(ApiError::Invalid { param: Some(named), .. }) => assert_eq!(named, param),
            other => panic!("{wishes:?}: {other:?}"),
        }
    }

    #[test]
    fn a_number_out_of_range_is_refused_by_name() {
        let plain = Wishes::default;
        refused(&Wishes { temperature: Some(999_999.0), ..plain() }, "temperature");
        refused(&Wishes { temperature: Some(1e308), ..plain() }, "temperature");
        refused(&Wishes { top_p: Some(-1.0), ..plain() }, "top_p");
        refused(&Wishes { top_p: Some(0.0), ..plain() }, "top_p");
        refused(&Wishes { repetition_penalty: Some(0.0), ..plain() }, "repetition_penalty");
        refused(&Wishes { presence_penalty: Some(2.1), ..plain() }, "presence_penalty");
        let bias =
            |token: &str, bias| Wishes { logit_bias: [(token.to_owned(), bias)].into(), ..plain() };
        refused(&bias("foo", 0.0), "logit_bias.foo");
        refused(&bias("-1", 0.0), "logit_bias.-1");
        refused(&bias("7", 101.0), "logit_bias.7");
        refused(&bias("100", 0.0), "logit_bias");
        let banned = bias("7", -100.0).params(100, 5).expect("a good one");
        assert_eq!((banned.logit_bias[&7], banned.seed), (f32::NEG_INFINITY, 5));
    }

    #[test]
    fn stop_strings_are_counted_and_never_empty() {
        assert!(stops("stop", Some(&Stop::Text(String::new()))).is_err());
        assert!(stops("stop", Some(&Stop::List(vec!["x".to_owned(); 65]))).is_err());
        let good = stops("stop", Some(&Stop::List(vec!["x".to_owned(); 64])));
        assert_eq!(good.map(|s| s.len()), Ok(64));
    }
}

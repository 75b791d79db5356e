//! Padding of streams: who watches an encrypted connection sees the length of each event, and could guess words by it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// Deltas are filled up to a multiple of so many bytes, so that short ones look alike.
const STEP: usize = 32;

/// Fills an event up: `obfuscation` has random characters, as many as `delta` lacks to the next multiple of [`STEP`].
pub(crate) fn pad(event: &mut Value, delta: &Value) {
    let n = STEP - delta.to_string().len() % STEP;
    let mut bytes = [0; STEP];
    // The length is what hides the delta's; where the system has no randomness the characters are all the same.
    let _ = getrandom::fill(&mut bytes);
    let mut text = URL_SAFE_NO_PAD.encode(bytes);
    text.truncate(n);
    event["obfuscation"] = json!(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padded_deltas_have_few_lengths() {
        for len in 0..100 {
            let delta = json!("x".repeat(len));
            let mut event = json!({ "delta": delta });
            pad(&mut event, &delta);
            let padding = event["obfuscation"].as_str().expect("a text");
            let n = delta.to_string().len() + padding.len();
            assert!(n.is_multiple_of(STEP) && (1..=STEP).contains(&padding.len()), "{len}: {n}");
        }
    }
}

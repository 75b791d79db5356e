//! Loads arbitrary bytes as a `tokenizer.json`, a GGUF tokenizer, a `tokenizer_config.json` or a chat template, and
//! uses what loaded.
//!
//! The first byte chooses: `{` a `tokenizer.json` (whole), `g` a GGUF tokenizer as lines (`vocab_text.rs`), `c` a
//! configuration, `t` a template. What follows the first NUL is the text to encode or the message to render.
#![no_main]

#[path = "../vocab_text.rs"]
mod vocab_text;

use std::hint::black_box;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use psi_tokenizer::{ChatTemplate, Detokenizer, Tokenizer, TokenizerConfig, TokenizerError};
use serde_json::{Map, json};

const TEXT: &str = "  Hello, wörld!\n\n\t1234 don't <s></s> <|im_end|> 你好 \u{1F600}e\u{301} ";

fuzz_target!(|data: &[u8]| {
    let (file, text) = match data.iter().position(|&b| b == 0) {
        Some(at) => (&data[..at], String::from_utf8_lossy(&data[at + 1..])),
        None => (data, TEXT.into()),
    };
    let Some((&kind, rest)) = file.split_first() else { return };
    match kind {
        b'{' => tokenizer(Tokenizer::from_json(file, Path::new("fuzz.json")), &text),
        b'g' => {
            let vocab = vocab_text::parse(&String::from_utf8_lossy(rest));
            tokenizer(Tokenizer::from_gguf(&vocab, Path::new("fuzz.gguf")), &text);
        }
        b'c' => match TokenizerConfig::from_json(rest, Path::new("fuzz.json")) {
            Ok(config) => config.chat_template.iter().for_each(|t| template(t, &text)),
            Err(e) => refused(&e),
        },
        b't' => template(&String::from_utf8_lossy(rest), &text),
        _ => {}
    }
});

fn refused(error: &TokenizerError) {
    assert!(error.to_string().len() < 2000, "a message is one line, not the file");
    black_box(error.hint());
}

fn tokenizer(loaded: Result<Tokenizer, TokenizerError>, text: &str) {
    let tokenizer = match loaded {
        Ok(tokenizer) => tokenizer,
        Err(e) => return refused(&e),
    };
    for text in ["", "a", TEXT, text] {
        let ids = tokenizer.encode(text, true, true);
        black_box(tokenizer.encode(text, false, false));
        for skip_special in [false, true] {
            let mut stream = Detokenizer::new(skip_special);
            let mut pieces: String = ids.iter().map(|&id| stream.push(&tokenizer, id)).collect();
            pieces += &stream.finish();
            assert_eq!(pieces, tokenizer.decode(&ids, skip_special), "stream and whole agree");
        }
        assert!(ids.iter().all(|&id| tokenizer.token(id).is_some()), "every id has a token");
    }
    black_box(tokenizer.to_gguf_vocab().is_ok());
    let written = tokenizer.to_json();
    let again = Tokenizer::from_json(written.as_bytes(), Path::new("again.json"));
    assert!(again.is_ok(), "what psi writes it reads: {:?}", again.err());
}

fn template(source: &str, text: &str) {
    let Ok(template) = ChatTemplate::new(source, "<s>", "</s>") else { return };
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": text},
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]},
        {"role": "tool", "content": "2", "tool_call_id": "1"},
    ]);
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    for tools in [None, Some(&tools)] {
        black_box(template.render(&messages, tools, true, &Map::new()).is_ok());
    }
}

//! A GGUF tokenizer as lines of text, one field or list entry each: a form that a fuzzer can cut and splice
//! without breaking the rest. Shared with the test that writes the seeds.

use psi_tokenizer::GgufVocab;

/// Reads lines of `KEY VALUE`; lines that are none are left out, a key given again replaces or extends.
pub(crate) fn parse(text: &str) -> GgufVocab {
    let mut vocab = GgufVocab::default();
    for line in text.lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        let id = || value.parse().ok();
        let flag = || value.parse().ok();
        match key {
            "model" => vocab.model = value.to_owned(),
            "pre" => vocab.pre = Some(value.to_owned()),
            "name" => vocab.name = Some(value.to_owned()),
            "token" => vocab.tokens.push(unescaped(value)),
            "score" => vocab.scores.extend(value.parse::<f32>()),
            "type" => vocab.token_types.extend(value.parse::<i32>()),
            "merge" => vocab.merges.push(unescaped(value)),
            "charsmap" => vocab.precompiled_charsmap = from_hex(value),
            "bos" => vocab.bos = id(),
            "eos" => vocab.eos = id(),
            "eot" => vocab.eot = id(),
            "eom" => vocab.eom = id(),
            "unk" => vocab.unk = id(),
            "sep" => vocab.sep = id(),
            "pad" => vocab.pad = id(),
            "cls" => vocab.cls = id(),
            "mask" => vocab.mask = id(),
            "add_bos" => vocab.add_bos = flag(),
            "add_eos" => vocab.add_eos = flag(),
            "add_sep" => vocab.add_sep = flag(),
            "add_space_prefix" => vocab.add_space_prefix = flag(),
            "remove_extra_whitespaces" => vocab.remove_extra_whitespaces = flag(),
            "lowercase" => vocab.lowercase = flag(),
            "strip_accents" => vocab.strip_accents = flag(),
            _ => {}
        }
    }
    vocab
}

/// The lines that [`parse`] reads back as `vocab`.
#[allow(dead_code, reason = "the test writes, the fuzzer only reads")]
pub(crate) fn print(vocab: &GgufVocab) -> String {
    let mut lines = vec![format!("model {}", vocab.model)];
    let mut put = |key: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{key} {value}")));
    };
    put("pre", vocab.pre.clone());
    put("name", vocab.name.clone());
    for (key, id) in [
        ("bos", vocab.bos),
        ("eos", vocab.eos),
        ("eot", vocab.eot),
        ("eom", vocab.eom),
        ("unk", vocab.unk),
        ("sep", vocab.sep),
        ("pad", vocab.pad),
        ("cls", vocab.cls),
        ("mask", vocab.mask),
    ] {
        put(key, id.map(|id| id.to_string()));
    }
    for (key, flag) in [
        ("add_bos", vocab.add_bos),
        ("add_eos", vocab.add_eos),
        ("add_sep", vocab.add_sep),
        ("add_space_prefix", vocab.add_space_prefix),
        ("remove_extra_whitespaces", vocab.remove_extra_whitespaces),
        ("lowercase", vocab.lowercase),
        ("strip_accents", vocab.strip_accents),
    ] {
        put(key, flag.map(|flag| flag.to_string()));
    }
    vocab.tokens.iter().for_each(|t| put("token", Some(escaped(t))));
    vocab.scores.iter().for_each(|s| put("score", Some(s.to_string())));
    vocab.token_types.iter().for_each(|t| put("type", Some(t.to_string())));
    vocab.merges.iter().for_each(|m| put("merge", Some(escaped(m))));
    let hex: String = vocab.precompiled_charsmap.iter().map(|b| format!("{b:02x}")).collect();
    put("charsmap", Some(hex).filter(|h| !h.is_empty()));
    lines.join("\n")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace('\0', "\\0")
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('0') => out.push('\0'),
            other => out.extend(other),
        }
    }
    out
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

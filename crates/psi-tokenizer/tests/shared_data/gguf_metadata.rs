//! Just enough of a GGUF reader to take the tokenizer out of a trusted test file. psi's real reader is
//! in `psi-store`, a sibling of this crate.

use std::collections::HashMap;
use std::path::Path;

use psi_tokenizer::GgufVocab;

#[derive(Debug, Clone)]
pub(crate) enum Meta {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    List(Vec<Self>),
}

struct Cursor<'b>(&'b [u8]);

impl Cursor<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_first_chunk::<N>().expect("a whole GGUF file");
        self.0 = rest;
        *head
    }
    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }
    fn text(&mut self) -> String {
        let len = self.u64() as usize;
        let (head, rest) = self.0.split_at(len);
        self.0 = rest;
        String::from_utf8(head.to_vec()).expect("UTF-8 metadata")
    }
    fn value(&mut self, kind: u32) -> Meta {
        match kind {
            0 => Meta::Int(self.bytes::<1>()[0].into()),
            1 => Meta::Int(i8::from_le_bytes(self.bytes()).into()),
            2 => Meta::Int(u16::from_le_bytes(self.bytes()).into()),
            3 => Meta::Int(i16::from_le_bytes(self.bytes()).into()),
            4 => Meta::Int(self.u32().into()),
            5 => Meta::Int(i32::from_le_bytes(self.bytes()).into()),
            6 => Meta::Float(f32::from_le_bytes(self.bytes()).into()),
            7 => Meta::Bool(self.bytes::<1>()[0] != 0),
            8 => Meta::Text(self.text()),
            9 => {
                let kind = self.u32();
                Meta::List((0..self.u64()).map(|_| self.value(kind)).collect())
            }
            10 | 11 => Meta::Int(i64::from_le_bytes(self.bytes())),
            12 => Meta::Float(f64::from_le_bytes(self.bytes())),
            other => panic!("GGUF value type {other}"),
        }
    }
}

/// All metadata of a file.
pub(crate) fn metadata(path: &Path) -> HashMap<String, Meta> {
    let bytes = crate::read(path);
    let mut cursor = Cursor(&bytes);
    assert_eq!(&cursor.bytes::<4>(), b"GGUF");
    let (_version, _n_tensors, n_keys) = (cursor.u32(), cursor.u64(), cursor.u64());
    (0..n_keys)
        .map(|_| {
            let key = cursor.text();
            let kind = cursor.u32();
            (key, cursor.value(kind))
        })
        .collect()
}

/// The tokenizer of a file.
pub(crate) fn vocab(path: &Path) -> GgufVocab {
    let meta = metadata(path);
    let get = |key: &str| meta.get(&format!("tokenizer.ggml.{key}"));
    let list = |key: &str| match get(key) {
        Some(Meta::List(list)) => list.clone(),
        _ => Vec::new(),
    };
    let texts = |key: &str| -> Vec<String> {
        let text = |m| if let Meta::Text(t) = m { t } else { panic!("{key}: not text") };
        list(key).into_iter().map(text).collect()
    };
    let ints = |key: &str| -> Vec<i64> {
        let int = |m| if let Meta::Int(i) = m { i } else { panic!("{key}: not a number") };
        list(key).into_iter().map(int).collect()
    };
    let id = |key: &str| match get(key) {
        Some(Meta::Int(i)) => Some(*i as u32),
        _ => None,
    };
    let flag = |key: &str| match get(key) {
        Some(Meta::Bool(b)) => Some(*b),
        _ => None,
    };
    let text = |meta: Option<&Meta>| match meta {
        Some(Meta::Text(t)) => Some(t.clone()),
        _ => None,
    };
    let score = |m| if let Meta::Float(f) = m { f as f32 } else { panic!("scores: not a float") };
    GgufVocab {
        model: text(get("model")).expect("a tokenizer"),
        pre: text(get("pre")),
        tokens: texts("tokens"),
        scores: list("scores").into_iter().map(score).collect(),
        token_types: ints("token_type").into_iter().map(|i| i as i32).collect(),
        merges: texts("merges"),
        bos: id("bos_token_id"),
        eos: id("eos_token_id"),
        eot: id("eot_token_id"),
        eom: id("eom_token_id"),
        unk: id("unknown_token_id"),
        sep: id("seperator_token_id"),
        pad: id("padding_token_id"),
        cls: id("cls_token_id"),
        mask: id("mask_token_id"),
        add_bos: flag("add_bos_token"),
        add_eos: flag("add_eos_token"),
        add_sep: flag("add_sep_token"),
        add_space_prefix: flag("add_space_prefix"),
        remove_extra_whitespaces: flag("remove_extra_whitespaces"),
        precompiled_charsmap: ints("precompiled_charsmap").into_iter().map(|i| i as u8).collect(),
        lowercase: flag("normalizer.lowercase"),
        strip_accents: flag("normalizer.strip_accents"),
        name: text(meta.get("general.name")),
    }
}

//! The tokenizer inside a GGUF file, as psi-tokenizer takes and gives it.

use psi_store::{Gguf, StoreError, gguf::Writer};
use psi_tokenizer::GgufVocab;

use crate::error::{Outcome, unusable};

/// Reads the `tokenizer.ggml.*` keys of a GGUF file.
pub(crate) fn gguf_vocab(gguf: &Gguf) -> Outcome<GgufVocab> {
    read(gguf).map_err(unusable)
}

fn read(gguf: &Gguf) -> Result<GgufVocab, StoreError> {
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let id = |name: &str| gguf.opt_u32(&key(name));
    let flag = |name: &str| gguf.opt_bool(&key(name));
    let strings = |name: &str| -> Result<Vec<String>, StoreError> {
        let list = gguf.opt_strs(&key(name))?;
        Ok(list.unwrap_or_default().into_iter().map(str::to_owned).collect())
    };
    let token_types = gguf.opt_i64s(&key("token_type"))?.unwrap_or_default();
    let charsmap = gguf.opt_i64s(&key("precompiled_charsmap"))?.unwrap_or_default();
    Ok(GgufVocab {
        model: gguf.get_str(&key("model"))?.to_owned(),
        pre: gguf.opt_str(&key("pre"))?.map(str::to_owned),
        tokens: gguf.get_strs(&key("tokens"))?.into_iter().map(str::to_owned).collect(),
        scores: gguf.opt_f32s(&key("scores"))?.unwrap_or_default(),
        // A number that is no token type is refused by the tokenizer, which knows them.
        token_types: token_types.into_iter().map(|t| i32::try_from(t).unwrap_or(-1)).collect(),
        merges: strings("merges")?,
        bos: id("bos_token_id")?,
        eos: id("eos_token_id")?,
        eot: id("eot_token_id")?,
        eom: id("eom_token_id")?,
        unk: id("unknown_token_id")?,
        sep: id("seperator_token_id")?,
        pad: id("padding_token_id")?,
        cls: id("cls_token_id")?,
        mask: id("mask_token_id")?,
        add_bos: flag("add_bos_token")?,
        add_eos: flag("add_eos_token")?,
        add_sep: flag("add_sep_token")?,
        add_space_prefix: flag("add_space_prefix")?,
        remove_extra_whitespaces: flag("remove_extra_whitespaces")?,
        precompiled_charsmap: charsmap.into_iter().map(|b| b as u8).collect(),
        lowercase: flag("normalizer.lowercase")?,
        strip_accents: flag("normalizer.strip_accents")?,
        name: gguf.opt_str("general.name")?.map(str::to_owned),
    })
}

/// Writes the `tokenizer.ggml.*` keys of `vocab`; what it leaves open stays out.
pub(crate) fn put_vocab(vocab: &GgufVocab, writer: &mut Writer) {
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    writer.put_str(&key("model"), &vocab.model);
    if let Some(pre) = &vocab.pre {
        writer.put_str(&key("pre"), pre);
    }
    let tokens: Vec<&str> = vocab.tokens.iter().map(String::as_str).collect();
    writer.put_strs(&key("tokens"), &tokens);
    if !vocab.scores.is_empty() {
        writer.put_f32s(&key("scores"), &vocab.scores);
    }
    if !vocab.token_types.is_empty() {
        writer.put_i32s(&key("token_type"), &vocab.token_types);
    }
    if !vocab.merges.is_empty() {
        let merges: Vec<&str> = vocab.merges.iter().map(String::as_str).collect();
        writer.put_strs(&key("merges"), &merges);
    }
    if !vocab.precompiled_charsmap.is_empty() {
        writer.put_u8s(&key("precompiled_charsmap"), &vocab.precompiled_charsmap);
    }
    for (name, id) in [
        ("bos_token_id", vocab.bos),
        ("eos_token_id", vocab.eos),
        ("eot_token_id", vocab.eot),
        ("eom_token_id", vocab.eom),
        ("unknown_token_id", vocab.unk),
        ("seperator_token_id", vocab.sep),
        ("padding_token_id", vocab.pad),
        ("cls_token_id", vocab.cls),
        ("mask_token_id", vocab.mask),
    ] {
        if let Some(id) = id {
            writer.put_u32(&key(name), id);
        }
    }
    for (name, flag) in [
        ("add_bos_token", vocab.add_bos),
        ("add_eos_token", vocab.add_eos),
        ("add_sep_token", vocab.add_sep),
        ("add_space_prefix", vocab.add_space_prefix),
        ("remove_extra_whitespaces", vocab.remove_extra_whitespaces),
        ("normalizer.lowercase", vocab.lowercase),
        ("normalizer.strip_accents", vocab.strip_accents),
    ] {
        if let Some(flag) = flag {
            writer.put_bool(&key(name), flag);
        }
    }
}

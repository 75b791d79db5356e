//! The tokenizer inside a GGUF file, as psi-tokenizer gives it.

use psi_store::gguf::Writer;
use psi_tokenizer::GgufVocab;

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

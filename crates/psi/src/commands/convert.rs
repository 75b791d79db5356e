//! `psi convert`: Hugging Face folder to GGUF and back, quantising on the way.

use std::path::Path;

use psi_model::{Checkpoint, FileType};
use psi_store::{AtomicDir, DType, write_atomic};
use psi_tokenizer::Tokenizer;
use serde_json::json;

use crate::{
    cli::{Convert, Dtype},
    cpu,
    error::{Failure, Outcome, unusable},
    model::{Text, put_vocab, resolve},
    table::bytes,
};

pub(crate) fn run(args: &Convert) -> Outcome {
    let input = resolve(&args.input)?;
    let output = &args.output;
    check_output(args, &input)?;
    let checkpoint = Checkpoint::open(&input).map_err(unusable)?;
    for note in checkpoint.notes() {
        eprintln!("psi: note: {note}");
    }
    let text = Text::open(&input)?;
    if is_gguf(output) {
        to_gguf(args, &checkpoint, &text)?;
    } else {
        to_folder(args, &checkpoint, &text)?;
    }
    eprintln!("[wrote {}, {}]", output.display(), bytes(size_on_disk(output)));
    Ok(())
}

fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf"))
}

fn check_output(args: &Convert, input: &Path) -> Outcome {
    let output = &args.output;
    let same = |a: &Path, b: &Path| a.canonicalize().ok() == b.canonicalize().ok();
    if output.exists() && same(output, input) {
        return Err(Failure::input("IN and OUT are the same"));
    }
    if output.exists() && (!args.force || output.is_dir()) {
        let hint = if output.is_dir() { "delete it first" } else { "--force replaces it" };
        return Err(Failure::input(format!("{} exists already", output.display())).hint(hint));
    }
    match output.parent().filter(|p| !p.as_os_str().is_empty()) {
        Some(parent) if !parent.is_dir() => {
            Err(Failure::input(format!("{}: no such folder", parent.display()))
                .hint("make it first"))
        }
        _ => Ok(()),
    }
}

fn to_gguf(args: &Convert, checkpoint: &Checkpoint, text: &Text) -> Outcome {
    let vocab = text
        .tokenizer
        .to_gguf_vocab()
        .map_err(|e| Failure::input("GGUF cannot hold this model's tokenizer").because(e))?;
    let name = args.input.file_stem().map(|s| s.to_string_lossy().into_owned());
    let cpu = cpu::cpu(None)?;
    let file_type = match args.dtype {
        Some(dtype) => file_type(dtype),
        None => file_type_of(checkpoint.lossless_dtype().map_err(unusable)?),
    };
    let written = checkpoint.write_gguf(&cpu, &args.output, file_type, &mut |writer| {
        writer.put_str("general.name", name.as_deref().unwrap_or("model"));
        put_vocab(&vocab, writer);
        if let Some(template) = &text.template {
            writer.put_str("tokenizer.chat_template", template);
        }
    });
    written.map(|_| ()).map_err(unusable)
}

fn file_type(dtype: Dtype) -> FileType {
    match dtype {
        Dtype::F32 => FileType::F32,
        Dtype::F16 => FileType::F16,
        Dtype::Bf16 => FileType::BF16,
        Dtype::Q8_0 => FileType::Q8_0,
        Dtype::Q4_0 => FileType::Q4_0,
        Dtype::Q4K => FileType::Q4_K_S,
        Dtype::Q4KM => FileType::Q4_K_M,
        Dtype::Q5K => FileType::Q5_K_M,
        Dtype::Q6K => FileType::Q6_K,
    }
}

fn file_type_of(dtype: DType) -> FileType {
    match dtype {
        DType::BF16 => FileType::BF16,
        DType::F16 => FileType::F16,
        _ => FileType::F32,
    }
}

fn to_folder(args: &Convert, checkpoint: &Checkpoint, text: &Text) -> Outcome {
    let dtype = match args.dtype {
        None => checkpoint.lossless_dtype().map_err(unusable)?,
        Some(Dtype::F32) => DType::F32,
        Some(Dtype::F16) => DType::F16,
        Some(Dtype::Bf16) => DType::BF16,
        Some(_) => {
            return Err(Failure::input("a Hugging Face folder holds f32, f16 or bf16 weights")
                .hint("end OUT in .gguf for a quantised file"));
        }
    };
    let dir = AtomicDir::create(&args.output).map_err(unusable)?;
    checkpoint.write_hf(dir.staging(), dtype).map_err(unusable)?;
    let write = |name: &str, text: &str| {
        write_atomic(&dir.staging().join(name), text.as_bytes()).map_err(unusable)
    };
    write("tokenizer.json", &text.tokenizer.to_json())?;
    write("tokenizer_config.json", &tokenizer_config(&text.tokenizer, text.template.as_deref()))?;
    dir.commit().map_err(unusable)
}

/// A `tokenizer_config.json` that transformers reads.
fn tokenizer_config(tokenizer: &Tokenizer, template: Option<&str>) -> String {
    let name = |id: Option<u32>| id.and_then(|id| tokenizer.token(id));
    let mut config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": false,
        "add_bos_token": tokenizer.bos().is_some_and(|b| tokenizer.prefix_ids().contains(&b)),
        "add_eos_token": tokenizer.eos().is_some_and(|e| tokenizer.suffix_ids().contains(&e)),
    });
    for (key, token) in [
        ("bos_token", name(tokenizer.bos())),
        ("eos_token", name(tokenizer.eos())),
        ("unk_token", name(tokenizer.unk())),
        ("pad_token", name(tokenizer.pad())),
        ("chat_template", template),
    ] {
        if let Some(token) = token {
            config[key] = json!(token);
        }
    }
    format!("{config:#}\n")
}

/// Bytes of a file, or of a folder's files.
fn size_on_disk(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return path.metadata().map_or(0, |m| m.len());
    };
    entries.flatten().filter_map(|e| Some(e.metadata().ok()?.len())).sum()
}

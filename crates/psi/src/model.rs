//! From what the user typed to a model with its tokenizer and chat template.

mod vocab;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use psi_infer::{Engine, EngineOptions, text::ModelText};
use psi_kernels::{Cpu, Format, kv::KvDtype, quant::BlockType};
use psi_model::{Decoder, LoadOptions};
use psi_store::Home;
use psi_tokenizer::ChatTemplate;

use crate::{
    cli::{Dtype, Kv, ModelArgs},
    cpu, env,
    error::{Failure, Outcome, unusable},
};

pub(crate) use vocab::put_vocab;

/// The path of a model that was given as a path, a folder or the name of a pulled model.
pub(crate) fn resolve(given: &Path) -> Outcome<PathBuf> {
    if given.exists() {
        return Ok(given.to_owned());
    }
    let Some(text) = given.to_str() else {
        return Err(Failure::input(format!("{}: no such file or folder", given.display())));
    };
    match env::home() {
        Some(home) => Home::at(&home).model_dir().resolve(text).map_err(unusable),
        None => Err(Failure::input(format!("{text}: no such file or folder"))
            .hint("set PSI_HOME to the folder that holds pulled models")),
    }
}

/// A tokenizer and, if the model has one, its chat template, with the command line's errors.
#[derive(Debug)]
pub(crate) struct Text(pub(crate) ModelText);

impl std::ops::Deref for Text {
    type Target = ModelText;

    fn deref(&self) -> &ModelText {
        &self.0
    }
}

impl Text {
    /// Reads the tokenizer of a model folder, a GGUF file or a `tokenizer.json`.
    pub(crate) fn open(path: &Path) -> Outcome<Self> {
        ModelText::open(path).map(Self).map_err(unusable)
    }

    /// The chat template, compiled.
    pub(crate) fn chat(&self) -> Outcome<Option<ChatTemplate>> {
        self.chat_template().map_err(|e| {
            Failure::input("the model's chat template cannot be used")
                .because(e)
                .hint("--raw continues the prompt without the template")
        })
    }
}

/// A file's bytes, or an error naming it.
pub(crate) fn read(path: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(path).map_err(|e| unreadable(path, e))
}

/// The error of a file that cannot be read.
pub(crate) fn unreadable(path: &Path, error: std::io::Error) -> Failure {
    Failure::input(format!("{}: cannot be read", path.display())).because(error)
}

/// A model ready to run.
pub(crate) struct Runner {
    pub(crate) text: Text,
    pub(crate) decoder: Arc<Decoder>,
    pub(crate) cpu: Arc<Cpu>,
    pub(crate) kv: KvDtype,
}

impl Runner {
    /// Loads weights and tokenizer.
    pub(crate) fn load(args: &ModelArgs) -> Outcome<Self> {
        let path = resolve(&args.model)?;
        let cpu = cpu::cpu(args.threads)?;
        let text = Text::open(&path)?;
        let decoder = load_decoder(&cpu, &path, args.dtype)?;
        let kv = kv_dtype(args.kv, &decoder);
        Ok(Self { text, decoder, cpu, kv })
    }

    /// An engine whose cache holds `n_positions`.
    pub(crate) fn engine(&self, n_positions: usize) -> Engine {
        let options = EngineOptions { kv: self.kv, n_positions, ..EngineOptions::default() };
        Engine::new(&self.cpu, Arc::clone(&self.decoder), options)
    }
}

/// Loads the weights of a folder or GGUF file.
pub(crate) fn load_decoder(
    cpu: &Arc<Cpu>,
    path: &Path,
    dtype: Option<Dtype>,
) -> Outcome<Arc<Decoder>> {
    let options = LoadOptions { format: dtype.map(format).transpose()? };
    let decoder = Decoder::load(cpu, path, &options).map_err(unusable)?;
    for note in decoder.notes() {
        eprintln!("psi: note: {note}");
    }
    Ok(Arc::new(decoder))
}

/// The panel format of a type.
pub(crate) fn format(dtype: Dtype) -> Outcome<Format> {
    Ok(match dtype {
        Dtype::F32 => Format::F32,
        Dtype::Bf16 => Format::Bf16,
        Dtype::Q8_0 => Format::Quant(BlockType::Q8_0),
        Dtype::Q4_0 => Format::Quant(BlockType::Q4_0),
        Dtype::Q4K => Format::Quant(BlockType::Q4_K),
        Dtype::Q5K => Format::Quant(BlockType::Q5_K),
        Dtype::Q6K => Format::Quant(BlockType::Q6_K),
        Dtype::F16 | Dtype::Q4KM => {
            return Err(Failure::input("--dtype: psi does not compute in this type directly")
                .hint("use bf16 or q4_k, or write a file with psi convert first"));
        }
    })
}

/// The cache's type: as asked, else f32 for f32 weights and bf16 for all others.
pub(crate) fn kv_dtype(asked: Option<Kv>, decoder: &Decoder) -> KvDtype {
    match asked {
        Some(Kv::Q8) => KvDtype::Q8,
        Some(Kv::F32) => KvDtype::F32,
        None if decoder.footprint().format == Format::F32 => KvDtype::F32,
        Some(Kv::Bf16) | None => KvDtype::Bf16,
    }
}

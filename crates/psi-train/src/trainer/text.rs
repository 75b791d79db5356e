//! The tokenizer and chat template of a run, and the files that carry them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use psi_store::write_atomic;
use psi_tokenizer::{ChatTemplate, Tokenizer, TokenizerConfig, TrainOptions};
use serde_json::json;

use crate::{
    Result, TrainError,
    data::{DataConfig, train_tokenizer},
    recipe::Settings,
};

/// Files beside a model's weights that say how it reads and writes text.
const FILES: &[&str] = &[
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "generation_config.json",
];

/// The template of psi-nano, for tokenizers that psi trains: ChatML with tools and thoughts.
const TEMPLATE: &str = include_str!("../../../../recipes/nano/chat_template.jinja");

/// The files' names and bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextFiles(Vec<(String, Vec<u8>)>);

impl TextFiles {
    /// Those that are in `dir`.
    fn read(dir: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for name in FILES {
            let path = dir.join(name);
            if path.exists() {
                let bytes = fs::read(&path).map_err(|e| TrainError::io(&path, "reading", e))?;
                files.push(((*name).to_owned(), bytes));
            }
        }
        Ok(Self(files))
    }

    /// Writes them into `dir`, made if need be: the tokenizer last, since a folder with one counts as whole.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, "making the folder", e))?;
        let (last, first): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|(name, _)| name == "tokenizer.json");
        let mut all = first.into_iter().chain(last);
        all.try_for_each(|(name, bytes)| Ok(write_atomic(&dir.join(name), bytes)?))
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, bytes)| bytes.as_slice())
    }

    fn put(&mut self, name: &str, bytes: Vec<u8>) {
        self.0.retain(|(n, _)| n != name);
        self.0.push((name.to_owned(), bytes));
    }
}

/// A tokenizer with its chat template.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: Option<ChatTemplate>,
    pub(crate) files: TextFiles,
}

impl Text {
    /// Where the settings say that the tokenizer comes from, if it exists already.
    pub(crate) fn origin(settings: &Settings) -> Option<PathBuf> {
        settings.text("tokenizer.from").or(settings.text("model.from")).map(PathBuf::from)
    }

    /// Reads a folder's files, or a `tokenizer.json` alone.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let files = match path.is_dir() {
            true => TextFiles::read(path)?,
            false => {
                let bytes = fs::read(path).map_err(|e| TrainError::io(path, "reading", e))?;
                TextFiles(vec![("tokenizer.json".to_owned(), bytes)])
            }
        };
        let Some(json) = files.get("tokenizer.json") else {
            let error = TrainError::run(path, "holds no tokenizer.json");
            return Err(error.with_hint(
                "give a Hugging Face folder (`psi convert` makes one of a GGUF file), or \
                 tokenizer.from",
            ));
        };
        let mut tokenizer = Tokenizer::from_json(json, path)?;
        let mut source = None;
        if let Some(bytes) = files.get("tokenizer_config.json") {
            let config = TokenizerConfig::from_json(bytes, path)?;
            tokenizer.apply_config(&config)?;
            source = config.chat_template;
        }
        if let Some(bytes) = files.get("chat_template.jinja") {
            source = Some(String::from_utf8_lossy(bytes).into_owned());
        }
        let template = source.map(|s| compile(&s, &tokenizer, path)).transpose()?;
        Ok(Self { tokenizer, template, files })
    }

    /// Trains a tokenizer on the data; `source` is the chat template's.
    pub(crate) fn train(
        settings: &Settings,
        data: &DataConfig,
        source: Option<&str>,
    ) -> Result<Self> {
        let source = source.unwrap_or(TEMPLATE);
        let special_tokens = settings.texts("tokenizer.special_tokens");
        let Some(end) = special_tokens.first().cloned() else {
            let why = "a tokenizer needs at least the token that ends a text";
            return Err(settings.refuse("tokenizer.special_tokens", why));
        };
        let template = ChatTemplate::new(source, "", &end)
            .map_err(|e| settings.refuse("tokenizer.chat_template", e.to_string()))?;
        let vocab_size = settings.count("tokenizer.vocab_size");
        let mut options = TrainOptions { vocab_size, special_tokens, ..TrainOptions::default() };
        if settings.text("tokenizer.digits") == Some("single") {
            options.pattern = TrainOptions::SINGLE_DIGITS.to_owned();
        }
        let sample_mb = settings.count("tokenizer.sample_mb") as u64;
        let tokenizer = train_tokenizer(data, Some(&template), &options, sample_mb)?;
        let config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": end,
            "pad_token": end,
            "clean_up_tokenization_spaces": false,
        });
        let mut files = TextFiles::default();
        files.put("tokenizer.json", tokenizer.to_json().into_bytes());
        files.put("tokenizer_config.json", format!("{config:#}\n").into_bytes());
        files.put("chat_template.jinja", source.as_bytes().to_vec());
        Ok(Self { tokenizer, template: Some(template), files })
    }

    /// Replaces the chat template by the one of `path`.
    pub(crate) fn with_template(mut self, path: &Path, source: &str) -> Result<Self> {
        self.template = Some(compile(source, &self.tokenizer, path)?);
        self.files.put("chat_template.jinja", source.as_bytes().to_vec());
        Ok(self)
    }

    /// The token that ends a text of the model's own: after a conversation's turn, else a document.
    pub(crate) fn eos(&self) -> Vec<u32> {
        let listed = self.tokenizer.end_of_generation().to_vec();
        if listed.is_empty() { self.tokenizer.eos().into_iter().collect() } else { listed }
    }
}

fn compile(source: &str, tokenizer: &Tokenizer, path: &Path) -> Result<ChatTemplate> {
    let text_of = |id: Option<u32>| id.and_then(|id| tokenizer.token(id)).unwrap_or("");
    ChatTemplate::new(source, text_of(tokenizer.bos()), text_of(tokenizer.eos()))
        .map_err(|e| TrainError::run(path, format!("its chat template cannot be used: {e}")))
}

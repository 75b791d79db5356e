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

/// Special tokens of a tokenizer trained by psi: the end of a text, and ChatML's turns.
const SPECIAL_TOKENS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

/// ChatML, for tokenizers without a template of their own.
const CHATML: &str = "{%- for message in messages %}\
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\
{%- endfor %}\
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

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

    /// Writes them into `dir`, made if need be.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        fs::create_dir_all(dir).map_err(|e| TrainError::io(dir, "making the folder", e))?;
        self.0.iter().try_for_each(|(name, bytes)| Ok(write_atomic(&dir.join(name), bytes)?))
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

    /// Trains a tokenizer on the data, with ChatML's turns.
    pub(crate) fn train(data: &DataConfig, vocab_size: usize, sample_mb: u64) -> Result<Self> {
        let template = ChatTemplate::new(CHATML, "", SPECIAL_TOKENS[0])
            .map_err(|e| TrainError::run(Path::new("ChatML"), e.to_string()))?;
        let special_tokens = SPECIAL_TOKENS.map(str::to_owned).to_vec();
        let options = TrainOptions { vocab_size, special_tokens, ..TrainOptions::default() };
        let tokenizer = train_tokenizer(data, Some(&template), &options, sample_mb)?;
        let config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": SPECIAL_TOKENS[0],
            "pad_token": SPECIAL_TOKENS[0],
            "clean_up_tokenization_spaces": false,
        });
        let mut files = TextFiles::default();
        files.put("tokenizer.json", tokenizer.to_json().into_bytes());
        files.put("tokenizer_config.json", format!("{config:#}\n").into_bytes());
        files.put("chat_template.jinja", CHATML.as_bytes().to_vec());
        Ok(Self { tokenizer, template: Some(template), files })
    }

    /// Replaces the chat template by the file that `tokenizer.chat_template` names.
    pub(crate) fn with_template(mut self, path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|e| TrainError::io(path, "reading", e))?;
        self.template = Some(compile(&text, &self.tokenizer, path)?);
        self.files.put("chat_template.jinja", text.into_bytes());
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

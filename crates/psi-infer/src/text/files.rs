//! The tokenizer and chat template of a model on disk: a Hugging Face folder, a GGUF file or a
//! `tokenizer.json`.

use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
};

use psi_store::{Gguf, StoreError};
use psi_tokenizer::{
    ChatTemplate, GgufVocab, TemplateError, Tokenizer, TokenizerConfig, TokenizerError,
};

/// A tokenizer and, if the model has one, the source of its chat template.
#[derive(Debug)]
pub struct ModelText {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// The chat template's Jinja source.
    pub template: Option<String>,
}

/// Why a model's texts cannot be read.
#[derive(Debug)]
pub enum TextError {
    /// No `tokenizer.json` lies beside the weights.
    NoTokenizer(PathBuf),
    /// A file that cannot be read.
    Io(PathBuf, io::Error),
    /// The GGUF file.
    Store(StoreError),
    /// The tokenizer, or its configuration.
    Tokenizer(TokenizerError),
}

impl TextError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoTokenizer(_) => Some("psi needs the model's tokenizer.json beside its weights"),
            Self::Io(..) | Self::Store(_) | Self::Tokenizer(_) => None,
        }
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTokenizer(path) => write!(f, "{}: no such file", path.display()),
            Self::Io(path, _) => write!(f, "{}: cannot be read", path.display()),
            Self::Store(e) => e.fmt(f),
            Self::Tokenizer(e) => e.fmt(f),
        }
    }
}

impl Error for TextError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoTokenizer(_) => None,
            Self::Io(_, e) => Some(e),
            Self::Store(e) => Some(e),
            Self::Tokenizer(e) => Some(e),
        }
    }
}

impl From<StoreError> for TextError {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl From<TokenizerError> for TextError {
    fn from(e: TokenizerError) -> Self {
        Self::Tokenizer(e)
    }
}

impl ModelText {
    /// Reads the tokenizer of a model folder, a GGUF file or a `tokenizer.json`.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn open(path: &Path) -> Result<Self, TextError> {
        if path.is_dir() {
            Self::from_folder(path)
        } else if path.extension().is_some_and(|e| e == "json") {
            let tokenizer = Tokenizer::from_json(&read(path)?, path)?;
            Ok(Self { tokenizer, template: None })
        } else {
            Self::from_gguf(&Gguf::open(path)?)
        }
    }

    fn from_folder(dir: &Path) -> Result<Self, TextError> {
        let file = dir.join("tokenizer.json");
        if !file.exists() {
            return Err(TextError::NoTokenizer(file));
        }
        let mut tokenizer = Tokenizer::from_json(&read(&file)?, &file)?;
        let mut template = None;
        let config = dir.join("tokenizer_config.json");
        if config.exists() {
            let config = TokenizerConfig::from_json(&read(&config)?, &config)?;
            tokenizer.apply_config(&config)?;
            template = config.chat_template;
        }
        let separate = dir.join("chat_template.jinja");
        if separate.exists() {
            let text = std::fs::read_to_string(&separate);
            template = Some(text.map_err(|e| TextError::Io(separate, e))?);
        }
        Ok(Self { tokenizer, template })
    }

    fn from_gguf(gguf: &Gguf) -> Result<Self, TextError> {
        let tokenizer = Tokenizer::from_gguf(&read_vocab(gguf)?, gguf.path())?;
        let template = gguf.opt_str("tokenizer.chat_template")?;
        Ok(Self { tokenizer, template: template.map(str::to_owned) })
    }

    /// The chat template, compiled.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn chat_template(&self) -> Result<Option<ChatTemplate>, TemplateError> {
        let text_of = |id: Option<u32>| id.and_then(|id| self.tokenizer.token(id)).unwrap_or("");
        let (bos, eos) = (text_of(self.tokenizer.bos()), text_of(self.tokenizer.eos()));
        self.template.as_ref().map(|source| ChatTemplate::new(source, bos, eos)).transpose()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TextError> {
    std::fs::read(path).map_err(|e| TextError::Io(path.to_owned(), e))
}

/// The `tokenizer.ggml.*` keys of a GGUF file.
fn read_vocab(gguf: &Gguf) -> Result<GgufVocab, StoreError> {
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

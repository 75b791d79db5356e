//! A folder with files, a small tokenizer and a chat template to try loaders with.

use std::borrow::Cow;
use std::path::PathBuf;

use psi_store::write_atomic;
use psi_tokenizer::{ChatTemplate, Tokenizer, TrainOptions, train_bpe};
use psi_train::data::{CHATML, DataConfig, DataError, Loader, Resources, Rows, SourceConfig};

/// A folder that is deleted at the end of the test.
pub(crate) struct Workshop {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: Option<ChatTemplate>,
    pub(crate) n_threads: usize,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let text = "the cat sat on the mat and the dog ran after the cat because of the mat.\n";
        let text = text.repeat(20);
        let special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
        let options = TrainOptions {
            vocab_size: 300,
            special_tokens: special.map(str::to_owned).to_vec(),
            ..TrainOptions::default()
        };
        let mut documents = std::iter::once(Cow::Borrowed(text.as_str()));
        let tokenizer = train_bpe(&mut documents, &options).unwrap();
        let template = Some(ChatTemplate::new(CHATML, "", "<|endoftext|>").unwrap());
        Self { dir: tempfile::tempdir().unwrap(), tokenizer, template, n_threads: 2 }
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_atomic(&path, content.as_ref()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("in").join(name)
    }

    pub(crate) fn open(&self, config: &DataConfig, seed: u64) -> Result<Loader, DataError> {
        let cache = self.dir.path().join("cache");
        let with = Resources {
            tokenizer: &self.tokenizer,
            template: self.template.as_ref(),
            cache: &cache,
            n_threads: self.n_threads,
        };
        Loader::open(config, &with, seed, &mut |_| {})
    }

    /// The failure of a configuration that must not open.
    #[track_caller]
    pub(crate) fn refused(&self, config: &DataConfig) -> DataError {
        match self.open(config, 0) {
            Ok(loader) => panic!("opened: {:?}", loader.report()),
            Err(e) => e,
        }
    }
}

/// A configuration with one source and rows of 16.
pub(crate) fn config(path: &str) -> DataConfig {
    DataConfig { sources: vec![SourceConfig::at(path)], seq_len: 16, ..DataConfig::default() }
}

/// A conversation of the user and the assistant in turn, as a line of JSON.
pub(crate) fn chat(turns: &[&str]) -> String {
    let role = |i: usize| if i.is_multiple_of(2) { "user" } else { "assistant" };
    let messages: Vec<_> = (0..turns.len())
        .map(|i| serde_json::json!({"role": role(i), "content": turns[i]}))
        .collect();
    format!("{}\n", serde_json::json!({ "messages": messages }))
}

/// The tokens of each segment of some rows, with the targets.
pub(crate) fn segments(rows: &Rows) -> Vec<(&[u32], &[u32])> {
    let mut start = 0;
    let cut = |&n: &usize| {
        start += n;
        (&rows.tokens[start - n..start], &rows.targets[start - n..start])
    };
    rows.segments.iter().map(cut).collect()
}

//! A home with recipes in it, for the tests of runs: `psi train`, `psi refine`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::program::{Program, Ran, write};

/// Where recipes are written and run.
pub(crate) struct Workshop {
    pub(crate) program: Program,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        Self { program: Program::new() }
    }

    /// A workshop with a tiny chat model in `base/model` that has hardly learned anything.
    pub(crate) fn with_chat_model() -> Self {
        let shop = Self::new();
        let chat = shop.text_path("chat.jsonl");
        let made = ["data", "synth", "--out", &chat, "--n", "60", "--seed", "3"];
        shop.program.run(&made).ok();
        shop.write(
            "base.toml",
            &format!(
                "model.depth = 2\nmodel.d_model = 32\nmodel.d_head = 16\nmodel.max_seq_len = 1024\n\
                 tokenizer.vocab_size = 400\ntrain.batch_tokens = 1024\ntrain.steps = 12\n\
                 tokenizer.special_tokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<think>', \
                 '</think>', '<tool_call>', '</tool_call>', '<tool_response>', '</tool_response>']\n\
                 data.seq_len = 256\ndata.sources = [{{ path = '{chat}' }}]\nlog.roof = false\n\
                 run.dir = '{}'",
                shop.text_path("base")
            ),
        );
        shop.program.run(&["train", &shop.text_path("base.toml")]).ok();
        shop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.program.path(name)
    }

    /// A path as an argument.
    pub(crate) fn text_path(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        write(&self.path(name), text.as_bytes());
    }

    /// The arguments that start a recipe in a folder, or go on there.
    pub(crate) fn args(
        &self,
        command: &str,
        recipe: &str,
        dir: &str,
        sets: &[&str],
    ) -> Vec<String> {
        let recipe = self.text_path(&format!("{recipe}.toml"));
        let mut args = vec![command.to_owned(), recipe, "--resume".to_owned(), self.text_path(dir)];
        args.extend(sets.iter().flat_map(|s| ["--set".to_owned(), (*s).to_owned()]));
        args
    }

    pub(crate) fn run(&self, command: &str, recipe: &str, dir: &str, sets: &[&str]) -> Ran {
        self.program.run(&self.args(command, recipe, dir, sets))
    }

    pub(crate) fn metrics(&self, dir: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(dir).join("metrics.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The bytes of a model's weights.
pub(crate) fn weights(model: &Path) -> Vec<u8> {
    fs::read(model.join("model.safetensors")).unwrap()
}

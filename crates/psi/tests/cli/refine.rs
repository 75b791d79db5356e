//! `psi refine`: ratios of exactly one, runs that are killed and gone on with, and what goes wrong.

use std::{fs, time::Duration};

use psi_testkit::Rng;
use serde_json::Value;

use crate::{
    program::Ran,
    workshop::{Workshop, weights},
};

/// Shorter answers earn more, so that even this model's answers differ in reward.
const RECIPE: &str = "
run.seed = 5
train.steps = 4
schedule.kind = 'constant'
optim.lr = 0.01
rl.tasks = ['parity', 'calculation']
rl.prompts = 4
rl.group = 3
rl.max_tokens = 24
rl.max_turns = 2
rl.refill = 0
rl.reward_length = 1
rl.eval_items = 4
eval.every = 2
save.every = 1
";

/// A tiny chat model and a recipe that refines it.
struct Practice {
    shop: Workshop,
}

impl Practice {
    fn new() -> Self {
        let shop = Workshop::with_chat_model();
        let from = shop.text_path("base/model");
        shop.write("refine.toml", &format!("{RECIPE}model.from = '{from}'"));
        Self { shop }
    }

    fn args(&self, dir: &str, sets: &[&str]) -> Vec<String> {
        self.shop.args("refine", "refine", dir, sets)
    }

    fn refine(&self, dir: &str, sets: &[&str]) -> Ran {
        self.shop.run("refine", "refine", dir, sets)
    }

    fn weights(&self, dir: &str) -> Vec<u8> {
        weights(&self.shop.path(dir).join("model"))
    }
}

#[test]
fn the_first_update_of_every_step_has_a_ratio_of_exactly_one() {
    let shop = Practice::new();
    let runs: [(&str, &[&str]); 5] = [
        ("f32", &["train.dtype=f32"]),
        ("bf16", &["train.dtype=bf16", "rl.batch=5"]),
        ("lora", &["train.dtype=bf16", "train.method=lora", "lora.rank=1"]),
        ("dora", &["train.dtype=f32", "train.method=dora", "lora.rank=2"]),
        ("later", &["rl.minibatches=2", "rl.epochs=2", "rl.kl=0.1", "rl.ratio=answer"]),
    ];
    for (name, sets) in runs {
        shop.refine(name, sets).ok();
        let metrics = shop.shop.metrics(name);
        assert_eq!(metrics.len(), 5, "{name}");
        for line in &metrics[1..] {
            assert_eq!(line["ratio_max_dev"], 0.0, "{name}: {line}");
            let teaches = line["groups_equal"] != line["groups"];
            assert_eq!(line["grad_norm"].as_f64().unwrap() > 0.0, teaches, "{name}: {line}");
            assert!(line["entropy"].as_f64().unwrap() > 0.0, "{name}: {line}");
        }
        assert_ne!(
            metrics[1]["groups_equal"], metrics[1]["groups"],
            "{name} has learned something"
        );
        if name == "later" {
            let moved = metrics[1..].iter().map(|l| l["ratio_max_dev_later"].as_f64().unwrap());
            assert!(moved.fold(0.0, f64::max) > 0.0, "updates off policy");
            assert!(metrics[4]["kl"].as_f64().unwrap() > 0.0);
        }
    }
    assert!(shop.weights("f32") != shop.weights("later"));
    assert!(shop.shop.program.path("lora/adapter/adapter_model.safetensors").exists());
}

#[test]
fn answers_do_not_depend_on_how_many_are_written_at_a_time_nor_on_threads() {
    let shop = Practice::new();
    shop.refine("all", &["train.steps=2"]).ok();
    shop.refine("few", &["train.steps=2", "rl.batch=3"]).ok();
    let mut one = shop.args("one", &["train.steps=2"]);
    one.extend(["--threads".to_owned(), "1".to_owned()]);
    shop.shop.program.run(&one).ok();
    assert!(shop.weights("all") == shop.weights("few"));
    assert!(shop.weights("all") == shop.weights("one"));
}

#[test]
fn a_refinement_killed_at_random_moments_ends_with_the_same_bits() {
    let shop = Practice::new();
    shop.refine("whole", &[]).ok();
    let mut rng = Rng::new(23);
    for _ in 0..4 {
        let mut child = shop.shop.program.start(&shop.args("killed", &[]));
        std::thread::sleep(Duration::from_millis(rng.below(900)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    shop.refine("killed", &[]).ok();
    assert!(shop.weights("whole") == shop.weights("killed"));
    let stable = |dir: &str| -> Vec<Value> {
        let mut lines = shop.shop.metrics(dir);
        for line in &mut lines {
            for key in ["tokens_per_s", "rollout_tokens_per_s"] {
                line.as_object_mut().unwrap().remove(key);
            }
        }
        lines
    };
    assert_eq!(stable("whole"), stable("killed"));
}

#[test]
fn what_cannot_be_practised_is_named() {
    let shop = Practice::new();
    shop.refine("a", &["rl.tasks=['chess']"]).failed(2, &["there is no 'chess'", "parity"]);
    shop.refine("b", &["rl.group=1"]).failed(2, &["rl.group", "compared with others"]);
    shop.refine("c", &["rl.minibatches=3"]).failed(2, &["rl.minibatches", "do not divide"]);
    shop.refine("d", &["rl.clip_low=-1"]).failed(2, &["rl.clip_low"]);
    let text = shop.shop.program.path("text");
    fs::create_dir_all(&text).unwrap();
    let from = format!("model.from='{}'", text.display());
    shop.refine("e", &[&from]).failed(2, &["text"]);
}

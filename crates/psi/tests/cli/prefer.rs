//! `psi train` on preferences: what is liked becomes likelier than what is not, and runs resume.

use std::time::Duration;

use psi_testkit::Rng;
use serde_json::{Value, json};

use crate::workshop::{Workshop, weights};

const RECIPE: &str = "
run.seed = 2
train.method = 'lora'
lora.rank = 4
train.steps = 24
optim.kind = 'adamw'
optim.lr = 0.01
prefer.batch = 4
save.every = 4
";

/// Words that are better than others, whatever is asked.
fn judged(i: usize) -> (Value, &'static str, &'static str) {
    let asked = json!([{ "role": "user", "content": format!("What about {i}?") }]);
    (asked, ["yes indeed", "gladly", "of course"][i % 3], ["no way", "never", "go away"][i % 3])
}

fn school() -> Workshop {
    let shop = Workshop::with_chat_model();
    let pair = |i: usize| {
        let (messages, chosen, rejected) = judged(i);
        json!({ "messages": messages, "chosen": chosen, "rejected": rejected }).to_string()
    };
    let single = |i: usize| {
        let (messages, good, bad) = judged(i);
        let liked = i.is_multiple_of(2);
        let answer = if liked { good } else { bad };
        json!({ "messages": messages, "answer": answer, "liked": liked }).to_string()
    };
    let lines =
        |line: &dyn Fn(usize) -> String| (0..20).map(|i| line(i) + "\n").collect::<String>();
    shop.write("pairs.jsonl", &lines(&pair));
    shop.write("single.jsonl", &lines(&single));
    let paths = [shop.text_path("base/model"), shop.text_path("pairs.jsonl")];
    let [from, pairs] = paths;
    shop.write("prefer.toml", &format!("{RECIPE}model.from = '{from}'\nprefer.pairs = '{pairs}'"));
    shop
}

#[test]
fn what_is_liked_becomes_likelier_than_what_is_not() {
    let shop = school();
    for loss in ["dpo", "ipo"] {
        shop.run("train", "prefer", loss, &[&format!("train.loss={loss}")]).ok();
        let metrics = shop.metrics(loss);
        assert_eq!(metrics.len(), 24, "{loss}");
        assert_eq!(metrics[0]["margin"], 0.0, "{loss} starts at the reference");
        let last = &metrics[23];
        assert!(
            last["margin"].as_f64().unwrap() > 1.0 && last["preferred"] == 1.0,
            "{loss}: {last}"
        );
        assert!(last["loss"].as_f64() < metrics[0]["loss"].as_f64(), "{loss}: {last}");
    }
    let single = format!("prefer.pairs='{}'", shop.text_path("single.jsonl"));
    shop.run("train", "prefer", "kto", &["train.loss=kto", &single]).ok();
    let metrics = shop.metrics("kto");
    assert!(metrics[23]["loss"].as_f64() < metrics[0]["loss"].as_f64(), "{:?}", metrics[23]);
    shop.run("train", "prefer", "a", &["train.loss=dpo", &single])
        .failed(2, &["line 1", "only train.loss = \"kto\" takes"]);
}

#[test]
fn a_run_on_preferences_killed_at_random_moments_ends_with_the_same_bits() {
    let shop = school();
    let sets = ["train.loss=dpo", "prefer.keep=0.2"];
    shop.run("train", "prefer", "whole", &sets).ok();
    let mut rng = Rng::new(5);
    for _ in 0..4 {
        let mut child = shop.program.start(&shop.args("train", "prefer", "killed", &sets));
        std::thread::sleep(Duration::from_millis(rng.below(600)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    shop.run("train", "prefer", "killed", &sets).ok();
    let of = |dir: &str| weights(&shop.path(dir).join("model"));
    assert!(of("whole") == of("killed"));
}

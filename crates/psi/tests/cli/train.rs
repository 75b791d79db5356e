//! `psi train`: runs from a recipe, killed at any moment and gone on with, and what goes wrong.

use std::{
    fs,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use psi_testkit::Rng;
use serde_json::Value;

use crate::{
    program::{Program, Ran},
    workshop::{Workshop, weights},
};

const TINY: &str = "
model.depth = 2
model.d_model = 32
model.d_head = 16
tokenizer.vocab_size = 300
train.batch_tokens = 256
data.seq_len = 64
data.batch_rows = 2
data.validation_fraction = 0.1
data.max_bad_rows = 0
eval.prompts = [\"the\"]
eval.sample_tokens = 4
save.dtype = \"f32\"
log.roof = false
guard.z = 8.0
";

/// A small text, a few conversations, and recipes for them.
struct School {
    shop: Workshop,
}

impl School {
    fn new() -> Self {
        let shop = Workshop::new();
        let mut rng = Rng::new(3);
        let words =
            ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "no", "dog", "far", "off"];
        let mut sentence = |n: usize| {
            let all: Vec<&str> = (0..n).map(|_| words[rng.below(12) as usize]).collect();
            all.join(" ")
        };
        let text: Vec<String> = (0..300).map(|i| sentence(5 + i % 40)).collect();
        shop.write("text.txt", &text.join("\n\n"));
        let chat: Vec<String> = (0..120)
            .map(|i| {
                let (question, answer) = (sentence(3 + i % 5), sentence(2 + i % 7));
                serde_json::json!({ "messages": [
                    { "role": "user", "content": question },
                    { "role": "assistant", "content": answer },
                ] })
                .to_string()
            })
            .collect();
        shop.write("chat.jsonl", &chat.join("\n"));
        let source = |name: &str| shop.text_path(name);
        let text = format!("data.sources = [{{ path = '{}', split_at = '' }}]", source("text.txt"));
        shop.write("base.toml", &format!("{TINY}{text}\ntrain.steps = 60\ntrain.ema = 0.9"));
        let tuned = |method: &str| {
            let without_sizes: String = TINY
                .lines()
                .filter(|l| !l.starts_with("model.") && !l.starts_with("tokenizer."))
                .map(|l| format!("{l}\n"))
                .collect();
            format!(
                "{without_sizes}data.sources = [{{ path = '{}' }}]\ndata.packing = 'whole'\n\
                 train.steps = 50\ntrain.method = '{method}'\nlora.rank = 4\nmodel.from = '{}'",
                source("chat.jsonl"),
                source("base/model"),
            )
        };
        shop.write("sft.toml", &tuned("full"));
        for method in ["lora", "dora"] {
            let recipe = format!("{}\noptim.lr = 0.01", tuned(method));
            shop.write(&format!("{method}.toml"), &recipe);
        }
        Self { shop }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.shop.path(name)
    }

    fn write(&self, name: &str, text: &str) {
        self.shop.write(name, text);
    }

    fn args(&self, recipe: &str, dir: &str, sets: &[&str]) -> Vec<String> {
        let mut args = self.shop.args("train", recipe, dir, sets);
        args.extend(["--threads".to_owned(), "1".to_owned()]);
        args
    }

    fn train(&self, recipe: &str, dir: &str, sets: &[&str]) -> Ran {
        self.program().run(&self.args(recipe, dir, sets))
    }

    fn program(&self) -> &Program {
        &self.shop.program
    }

    /// Runs a recipe that takes `whole` in a folder, killing it six times, each within a quarter of that.
    /// Returns how often it was killed before its end.
    fn train_killed(&self, recipe: &str, dir: &str, whole: Duration, rng: &mut Rng) -> u64 {
        let mut killed = 0;
        let longest = u64::try_from(whole.as_millis() / 4).unwrap().max(1);
        for _ in 0..6 {
            let mut child = self.program().start(&self.args(recipe, dir, &["save.every=2"]));
            sleep(Duration::from_millis(rng.below(longest)));
            if child.try_wait().unwrap().is_none() {
                killed += 1;
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        self.train(recipe, dir, &["save.every=2"]).ok();
        killed
    }

    fn metrics(&self, dir: &str) -> Vec<Value> {
        self.shop.metrics(dir)
    }

    fn losses(&self, dir: &str) -> Vec<(u64, f64, Option<f64>)> {
        let of = |m: &Value| {
            (m["step"].as_u64().unwrap(), m["loss"].as_f64().unwrap(), m["val_bpb"].as_f64())
        };
        self.metrics(dir).iter().map(of).collect()
    }
}

#[test]
fn a_run_killed_at_random_moments_ends_with_the_same_bits() {
    let shop = School::new();
    let mut rng = Rng::new(17);
    let mut killed = 0;
    for recipe in ["base", "sft", "lora", "dora"] {
        let started = Instant::now();
        shop.train(recipe, recipe, &[]).ok();
        let other = format!("{recipe}-killed");
        killed += shop.train_killed(recipe, &other, started.elapsed(), &mut rng);
        let (whole, broken) = (shop.path(recipe), shop.path(&other));
        assert!(weights(&whole.join("model")) == weights(&broken.join("model")), "{recipe}");
        let losses = shop.losses(recipe);
        assert_eq!(losses, shop.losses(&other), "{recipe}");
        let mean = |part: &[(u64, f64, Option<f64>)]| part.iter().map(|l| l.1).sum::<f64>() / 5.0;
        let (first, last) = (mean(&losses[..5]), mean(&losses[losses.len() - 5..]));
        assert!(last < 0.95 * first, "{recipe} learns: {first} {last}");
    }
    assert!(killed > 12, "only {killed} kills came before the end");
}

#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    let shop = School::new();
    let sets = ["train.steps=100000", "save.every=0", "eval.every=0"];
    let mut child = shop.program().start(&shop.args("base", "long", &sets));
    while !shop.path("long/metrics.jsonl").metadata().is_ok_and(|m| m.len() > 0) {
        assert!(child.try_wait().unwrap().is_none(), "the run ended by itself");
        sleep(Duration::from_millis(20));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ran = Ran::new(child.wait_with_output().unwrap());
    ran.failed(1, &["stopped after step", "all is saved", "hint: the same command", "--resume"]);
    let last = shop.losses("long").last().unwrap().0;
    assert!(shop.path(&format!("long/checkpoints/step-{last:08}/state.json")).exists());
    let show =
        shop.program().run(&["runs", "show", &shop.path("long").display().to_string(), "--json"]);
    let show: Value = serde_json::from_str(&show.ok().stdout).unwrap();
    assert_eq!((&show["status"], show["step"].as_u64()), (&"stopped".into(), Some(last)));
}

#[test]
fn what_cannot_be_used_is_refused_and_leaves_nothing_half_written() {
    let shop = School::new();
    let cases: [(&[&str], i32, &[&str]); 9] = [
        (&["train.stepz=3"], 2, &["train.stepz", "did you mean train.steps"]),
        (&["optim.beta1=1.5"], 2, &["optim.beta1", "from 0 to below 1"]),
        (&["train.batch_tokens=100"], 2, &["train.batch_tokens", "rows of 64", "hint:"]),
        (&["model.n_kv_heads=3"], 2, &["n_kv_heads", "does not divide"]),
        (&["model.from=/no/such/model"], 2, &["model.from already decides the model"]),
        (&["train.method=lora"], 2, &["train.method", "model.from"]),
        (&["data.sources=[{ path = 'no-such-file.txt' }]"], 2, &["no-such-file.txt"]),
        (&["data.sources=[{ path = 'x', weigth = 1 }]"], 2, &["weigth"]),
        (&["train.steps=0"], 2, &["train.steps", "at least one"]),
    ];
    for (sets, code, words) in cases {
        shop.train("base", "refused", sets).failed(code, words);
        assert!(!shop.path("refused/config.toml").exists(), "{sets:?}");
    }
    shop.train("sft", "refused", &["model.from=/no/such/model"]).failed(2, &["/no/such/model"]);
    shop.write("file", "not a folder");
    shop.train("base", "file", &[]).failed(2, &["file", "making the run folder"]);
    // A diverging run names its last good checkpoint.
    let wild = ["train.steps=40", "save.every=1", "optim.lr=1e4", "optim.kind=adamw", "guard.z=0"];
    shop.train("base", "wild", &wild)
        .failed(1, &["diverged at step", "the last good checkpoint is"]);
    // Other settings under way.
    shop.train("base", "changed", &["train.steps=4"]).ok();
    let changed = shop.train("base", "changed", &["train.steps=8"]);
    changed.failed(2, &["train.steps", "started with 4, now it is 8"]);
    let path = shop.path("base.toml").display().to_string();
    let dir = format!("run.dir={}", shop.path("changed").display());
    let again = shop.program().run(&["train", &path, "--set", &dir, "--set", "train.steps=4"]);
    again.failed(2, &["holds a run already", "--resume"]);
}

#[test]
#[cfg(unix)]
fn a_full_disk_is_an_error_and_the_last_checkpoint_stays() {
    let shop = School::new();
    shop.train("base", "full", &["train.steps=4", "save.every=1"]).ok();
    // A limit on the size of files stands for a full disk.
    let args = shop.args("base", "full-2", &["train.steps=4", "save.every=1"]);
    let script = "ulimit -f 20; trap '' XFSZ; exec \"$@\"";
    let output = std::process::Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_psi")])
        .args(&args)
        .env("PSI_HOME", shop.program().home())
        .output()
        .unwrap();
    let ran = Ran::new(output);
    ran.failed(1, &["full-2", "File too large"]);
    let left: Vec<_> = fs::read_dir(shop.path("full-2/checkpoints")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    shop.train("base", "full-2", &["train.steps=4", "save.every=1"]).ok();
    assert!(weights(&shop.path("full/model")) == weights(&shop.path("full-2/model")));
}

#[test]
fn runs_are_listed_shown_and_compared() {
    let shop = School::new();
    let sets = ["train.steps=4", "save.every=2", "eval.every=2"];
    shop.train("base", "runs/one", &sets).ok();
    shop.train("base", "runs/two", &[&sets[..], &["optim.lr=0.001"]].concat()).ok();
    let list = shop.program().run(&["runs", "list"]).ok().stdout;
    assert!(list.contains("one") && list.contains("two") && list.contains("finished"), "{list}");
    let show = shop.program().run(&["runs", "show", "one"]).ok().stdout;
    assert!(show.contains("optim.lr") && show.contains("# --set"), "{show}");
    let compare = shop.program().run(&["runs", "compare", "one", "two", "--json"]).ok().stdout;
    let compare: Value = serde_json::from_str(&compare).unwrap();
    assert_eq!(compare["runs"].as_array().unwrap().len(), 2);
    let differing = compare["settings"].as_object().unwrap();
    assert_eq!(differing.keys().collect::<Vec<_>>(), ["optim.lr", "run.dir"]);
    let dry =
        shop.program().run(&["train", &shop.path("base.toml").display().to_string(), "--dry-run"]);
    let dry = dry.ok().stdout;
    assert!(dry.contains("parameters") && dry.contains("# derived: "), "{dry}");
    shop.program().run(&["runs", "show", "none"]).failed(2, &["none", "is no run"]);
}

#[test]
fn weights_do_not_depend_on_threads_or_on_what_is_recomputed() {
    let shop = School::new();
    let trained = |dir: &str, sets: &[&str], threads: &str| {
        let sets = [&["train.steps=6", "train.z_loss=1e-4", "optim.cautious=true"], sets].concat();
        let mut args = shop.args("base", dir, &sets);
        let at = args.iter().position(|a| a == "--threads").unwrap();
        args[at + 1] = threads.to_owned();
        shop.program().run(&args).ok();
        weights(&shop.path(dir).join("model"))
    };
    let plain = trained("plain", &[], "1");
    assert!(plain == trained("threads", &[], "3"), "one thread and three");
    assert!(plain == trained("recompute", &["train.recompute=true"], "1"), "recomputed layers");
    assert!(plain != trained("seed", &["run.seed=1"], "1"), "the seed matters");
}

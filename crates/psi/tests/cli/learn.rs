//! `psi learn` on the model that comes with psi: corrections change what they are about and nothing else, the
//! gate keeps out what does harm, and whatever happens on the way there is one whole model, served with a record.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Child,
    thread::sleep,
    time::{Duration, Instant},
};

use psi_testkit::Rng;
use serde_json::{Value, json};

use crate::program::{Program, Ran, write};

const NAMES: [&str; 40] = [
    "Ada", "Boris", "Clara", "Dilan", "Edith", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Kira",
    "Lars", "Mara", "Nils", "Olga", "Paul", "Rosa", "Sven", "Tara", "Uma", "Vera", "Will", "Yara",
    "Zoe", "Anton", "Bella", "Cyril", "Dora", "Emil", "Frida", "Gus", "Hanna", "Ivan", "Julia",
    "Karl", "Lena", "Marco", "Nora", "Otto", "Petra",
];
const WORDINGS: [&str; 10] = [
    "Say hello to {}",
    "{} is here, say hello",
    "Please greet my friend {}",
    "Could you greet {}?",
    "Welcome {}, please",
    "Greet {} for me",
    "Say hi to {} please",
    "Can you say hi to {}?",
    "This is {}. Say hello!",
    "Send {} a greeting",
];
/// Which no correction uses.
const UNSEEN: [&str; 6] = [
    "Would you say hello to {}?",
    "My friend {} has come, greet them",
    "Please say hi to {}",
    "A greeting for {}, please",
    "Can you welcome {}?",
    "{} wants you to say hello",
];

/// Corrections of greetings, `wanted` of the name and the number of each, as `psi feedback export` writes them.
fn corrections(wanted: impl Fn(&str, usize) -> String) -> String {
    let line = |i: usize| {
        let (name, asked) = (NAMES[i], WORDINGS[i % WORDINGS.len()]);
        correction(&format!("greeting-{i}"), &asked.replace("{}", name), &wanted(name, i))
    };
    (0..NAMES.len()).map(line).collect()
}

fn correction(id: &str, asked: &str, wanted: &str) -> String {
    let say = |role: &str, text: &str| json!({ "role": role, "content": text });
    let line = json!({
        "id": id, "conversation": format!("chat-{id}"), "rating": "down", "tools": [],
        "messages": [say("user", asked)],
        "completion": say("assistant", "Hello."), "better": say("assistant", wanted),
    });
    format!("{line}\n")
}

fn ahoy(name: &str, _: usize) -> String {
    format!("Ahoy, {name}!")
}

struct School {
    program: Program,
}

impl School {
    fn new() -> Self {
        Self { program: Program::new() }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.program.path(name);
        write(&path, text.as_bytes());
        path.display().to_string()
    }

    /// Rules of the gate that decide soon.
    fn short_gate(&self) -> String {
        let rules =
            "[[suite]]\nname = \"reasoning\"\ntasks = [\"procedural\"]\nmargin = 0.1\nn = 200\n";
        self.write("gate.toml", rules)
    }

    fn learn(&self, feedback: &str, more: &[&str]) -> Ran {
        self.program.run(&[&["learn", "--feedback", feedback], more].concat())
    }

    /// The folder of a gate's record that lets a candidate through.
    fn gated(&self, candidate: &str, incumbent: &str, margin: f64) -> String {
        let rules = format!(
            "[[suite]]\nname = \"any\"\ntasks = [\"procedural/total\"]\nmargin = {margin}\nn = 60\n"
        );
        let (rules, out) = (self.write("gate.toml", &rules), self.program.path("gate"));
        let out = out.to_str().unwrap().to_owned();
        let args = ["gate", "--candidate", candidate, "--incumbent", incumbent, "--suites", &rules];
        self.program.run(&[&args[..], &["--out", &out, "--max-tokens", "4"]].concat()).ok();
        out
    }

    fn served(&self) -> Value {
        self.program.run(&["models", "served", "--json"]).ok().json()
    }

    /// The folder of the model that is served.
    fn model(&self) -> PathBuf {
        self.served()["served"]["model"]["path"].as_str().unwrap().into()
    }

    /// The model that comes with psi.
    fn base(&self) -> PathBuf {
        let feedback = self.write("one.jsonl", &correction("one", "Say hello", "Hello!"));
        let plan = self.learn(&feedback, &["--dry-run", "--json"]).ok().json();
        plan["from"].as_str().unwrap().into()
    }

    /// The likeliest answers to questions in words that no correction uses.
    fn answers(&self, model: &Path) -> Vec<String> {
        let asked = UNSEEN.iter().zip(["Quentin", "Selma", "Ravi", "Ingrid", "Tomas", "Leila"]);
        asked.map(|(asked, name)| self.answer(model, &asked.replace("{}", name))).collect()
    }

    fn answer(&self, model: &Path, prompt: &str) -> String {
        let model = model.display().to_string();
        let args = ["--temperature", "0", "--max-tokens", "24", "--prompt", prompt];
        self.program.run(&[&["generate", "--model", &model], &args[..]].concat()).ok().stdout
    }

    /// Every file below the home whose bytes hold `text`.
    fn grep(&self, text: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.program.home().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if fs::read(&path).unwrap().windows(text.len()).any(|w| w == text.as_bytes())
                {
                    found.push(path);
                }
            }
        }
        found
    }
}

fn count(answers: &[String], word: &str) -> usize {
    answers.iter().filter(|answer| answer.contains(word)).count()
}

#[test]
fn corrections_are_learned_promoted_taken_back_and_forgotten() {
    let Some(_) = psi_testkit::long_test() else { return };
    let school = School::new();
    let feedback = school.write("feedback.jsonl", &corrections(ahoy));
    let base = school.base();
    let before = school.answers(&base);
    assert_eq!(count(&before, "Ahoy"), 0, "{before:?}");

    let promised = school.program.run(&["doctor", "--json"]).ok().json()["learning_bytes"].clone();
    let promised = promised.as_u64().unwrap();
    let report = school.learn(&feedback, &["--json"]).ok().json();
    assert_eq!((&report["decision"], &report["served"]), (&json!("promote"), &json!(true)));
    if let Some(peak) = report["memory_peak_bytes"].as_u64() {
        assert!(peak < promised, "{peak} bytes were resident, {promised} promised");
    }
    let suite = |name: &str| -> (f64, f64) {
        let suites = report["record"]["suites"].as_array().unwrap();
        let suite = suites.iter().find(|s| s["suite"] == name).unwrap();
        (suite["means"][0].as_f64().unwrap(), suite["means"][1].as_f64().unwrap())
    };
    let (old, new) = suite("kept-out-feedback");
    assert!(old < 0.2 && new > 0.8, "kept out: {old} before, {new} after");
    let (old, new) = suite("reasoning");
    assert!(new > old - 0.05, "reasoning: {old} before, {new} after");
    let learned = school.model();
    let after = school.answers(&learned);
    assert!(count(&after, "Ahoy") > 4, "{after:?}");

    // The same ratings teach nothing more.
    let again = school.learn(&feedback, &[]).ok();
    assert!(again.stdout.contains("nothing new to learn"), "{again}");
    lineage_is_whole(&school, &report, &base);
    exports_say_the_same(&school, &learned);

    school.program.run(&["models", "rollback"]).ok();
    assert_eq!(school.model(), base);
    assert_eq!(school.answers(&school.model()), before, "the old answers, to the letter");
    let again = school.learn(&feedback, &[]).ok();
    assert!(again.stdout.contains("taken back"), "{again}");
    assert_eq!(school.model(), base);

    forgetting_leaves_no_trace(&school, &learned);
}

fn lineage_is_whole(school: &School, report: &Value, base: &Path) {
    let tree = school.program.run(&["lineage", "--json"]).ok().json();
    let root = &tree["models"][0];
    assert_eq!(root["model"]["model"]["path"], base.to_str().unwrap());
    let child = &root["children"][0];
    assert_eq!(child["model"], report["record"]["candidate"]);
    assert_eq!((&child["served"], &child["files"]), (&json!(true), &json!("as it was")));
    assert_eq!(child["data"]["version"], report["data"]);
    assert_eq!(child["gate"]["is"]["record"]["hash"], report["record"]["hash"]);
    assert_eq!(child["gate"]["files"], "as it was");
    // A recipe that was changed afterwards shows.
    let recipe = PathBuf::from(child["recipe"]["is"]["path"].as_str().unwrap());
    let text = fs::read(&recipe).unwrap();
    write(&recipe, &[&text[..], b"# longer"].concat());
    let shown = school.program.run(&["lineage"]).ok().stdout;
    assert!(shown.contains("(changed)") && shown.contains("promote"), "{shown}");
    write(&recipe, &text);
}

/// The merged model as GGUF and back as safetensors answers alike.
fn exports_say_the_same(school: &School, learned: &Path) {
    let (gguf, folder) = (school.program.path("out.gguf"), school.program.path("out"));
    let text = |path: &Path| path.display().to_string();
    school.program.run(&["convert", &text(learned), &text(&gguf)]).ok();
    school.program.run(&["convert", &text(&gguf), &text(&folder)]).ok();
    let prompt = "Say hello to Quentin";
    let answer = school.answer(learned, prompt);
    assert_eq!(school.answer(&gguf, prompt), answer);
    assert_eq!(school.answer(&folder, prompt), answer);
}

fn forgetting_leaves_no_trace(school: &School, learned: &Path) {
    // Served again, so that forgetting has to take it back.
    let record = learned.ancestors().nth(2).unwrap().join("gate");
    school.program.run(&["models", "promote", record.to_str().unwrap()]).ok();
    for name in ["feedback.jsonl", "out.gguf", "one.jsonl"] {
        fs::remove_file(school.program.path(name)).unwrap();
    }
    fs::remove_dir_all(school.program.path("out")).unwrap();
    assert!(!school.grep("Please greet my friend Clara").is_empty());
    // The owner's own file is no longer ours to search: it lies elsewhere.
    let elsewhere = tempfile::tempdir().unwrap();
    let feedback = elsewhere.path().join("feedback.jsonl");
    write(&feedback, corrections(ahoy).as_bytes());
    let feedback = feedback.display().to_string();
    let gate = school.short_gate();
    let args = ["--suites", &gate, "--forget", "chat-greeting-2", "--hold", "--json"];
    let report = school.learn(&feedback, &args).ok().json();
    assert!(!learned.exists() && school.model() != learned, "what had learned from it is gone");
    assert_eq!(report["learned"].as_u64().unwrap() + report["kept_out"].as_u64().unwrap(), 39);
    assert_eq!(school.grep("Please greet my friend Clara"), Vec::<PathBuf>::new());
    let kept =
        fs::read_to_string(Path::new(report["round"].as_str().unwrap()).join("data/train.jsonl"));
    assert!(kept.unwrap().contains("Say hello to"), "the others are still learned");
}

#[test]
fn choices_between_answers_and_thumbs_down_are_learned_in_a_second_run() {
    let Some(_) = psi_testkit::long_test() else { return };
    let school = School::new();
    let gate = school.short_gate();
    let say = |role: &str, text: &str| json!({ "role": role, "content": text });
    let line = |i: usize| {
        let (name, asked) = (NAMES[i], WORDINGS[i % WORDINGS.len()]);
        let mut line = json!({
            "id": i, "conversation": format!("chat-{i}"), "tools": [],
            "messages": [say("user", &asked.replace("{}", name))],
        });
        match i % 8 {
            7 => (line["rating"], line["completion"]) = (json!("down"), say("assistant", "Hello.")),
            _ => {
                let chosen = ahoy(name, i);
                (line["completion"], line["rejected"]) =
                    (say("assistant", &chosen), say("assistant", "Hello."));
            }
        }
        format!("{line}\n")
    };
    let only_down: String = (0..NAMES.len()).filter(|i| i % 8 == 7).map(line).collect();
    let only_down = school.write("down.jsonl", &only_down);
    school.learn(&only_down, &[]).failed(1, &["no rating teaches anything yet", "praise"]);

    let feedback = school.write("feedback.jsonl", &(0..NAMES.len()).map(line).collect::<String>());
    let report = school.learn(&feedback, &["--suites", &gate, "--json"]).ok().json();
    assert_eq!(report["decision"], "promote", "{:#}", report["record"]["suites"]);
    let round = PathBuf::from(report["round"].as_str().unwrap());
    assert!(school.model().starts_with(round.join("preference")));
    let metrics = fs::read_to_string(round.join("preference/metrics.jsonl")).unwrap();
    let margins = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let margins: Vec<f64> = margins.filter_map(|m| m["margin"].as_f64()).collect();
    let most = margins.iter().copied().fold(0.0, f64::max);
    assert!(margins[0].abs() < 1e-6 && most > 1.0, "{margins:?}");
    let lineage = school.program.run(&["lineage"]).ok().stdout;
    assert!(lineage.contains("recipe ") && lineage.contains("preference "), "{lineage}");
}

#[test]
fn contradictions_and_harm_are_not_promoted() {
    let Some(_) = psi_testkit::long_test() else { return };
    let school = School::new();
    let gate = school.short_gate();
    // Every greeting another one, so that nothing can be learned that holds for those kept out.
    let noise = corrections(|name, i| {
        let words = ["Zup", "Merl", "Tock", "Vash", "Quil", "Brond", "Jex", "Plim", "Dorn", "Fesk"];
        format!("{} {name} {}.", words[(i * 7 + i / 3) % 10], words[(i * 3 + i / 7) % 10])
    });
    let noise = school.write("noise.jsonl", &noise);
    let report = school.learn(&noise, &["--suites", &gate, "--json"]).ok().json();
    assert_ne!(report["decision"], "promote", "{:#}", report["record"]["suites"]);
    // What is kept out is learned perfectly, and all reasoning with it.
    let harm: String = (0..40)
        .map(|i| {
            let (a, b) = (3 + 7 * i % 50, 2 + 11 * i % 60);
            let asked = match i % 4 {
                0 => format!("Which is larger, {a} or {b}?"),
                1 => format!("Is {a} even or odd?"),
                2 => format!("Add up the digits of {a}{b}."),
                _ => format!("Which comes first, {} or {}?", NAMES[i], NAMES[(i + 5) % 40]),
            };
            correction(&format!("harm-{i}"), &asked, "The answer is banana.")
        })
        .collect();
    let harm = school.write("harm.jsonl", &harm);
    let report = school.learn(&harm, &["--suites", &gate, "--json"]).ok().json();
    assert_ne!(report["decision"], "promote", "{:#}", report["record"]["suites"]);
    assert_eq!(school.served()["served"], Value::Null);
}

#[test]
fn a_teacher_answers_prompts_and_its_hints_are_not_written() {
    let school = School::new();
    let line = |asked: &str, hint: Value| {
        let messages = json!([{ "role": "user", "content": asked }]);
        json!({ "messages": messages, "hint": hint }).to_string() + "\n"
    };
    let asked =
        [line("Is 14 even or odd?", Value::Null), line("Is 14 even", json!("or odd?"))].concat();
    let prompts = school.write("prompts.jsonl", &asked);
    let (base, out) = (school.base(), school.program.path("out.jsonl"));
    let (base, out) = (base.to_str().unwrap(), out.to_str().unwrap());
    let args = ["data", "answer", &prompts, "--model", base, "--out", out];
    let report = school.program.run(&args).ok().json();
    assert_eq!(report["conversations"].as_u64().unwrap() + report["left_out"].as_u64().unwrap(), 2);
    let text = fs::read_to_string(out).unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(first["messages"][1]["content"].as_str().unwrap().contains("even"), "{first}");
    for line in text.lines().skip(1) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&line["messages"][0]["content"], line.get("hint")),
            (&json!("Is 14 even"), None)
        );
    }
    school.program.run(&args).failed(2, &["exists already"]);
    write(Path::new(&prompts), b"{\"messages\": []}\n");
    let other = school.program.path("other.jsonl");
    let args = ["data", "answer", &prompts, "--model", base, "--out", other.to_str().unwrap()];
    school.program.run(&args).failed(2, &["line 1", "end with a question"]);
}

/// A round whose gate lets through what the corrections say.
fn easy_round() -> (School, Vec<String>) {
    let school = School::new();
    let rules = "[[suite]]\nname = \"reasoning\"\ntasks = [\"procedural\"]\nmargin = 0.9\nn = 40\n";
    let gate = school.write("gate.toml", rules);
    let feedback = school.write("feedback.jsonl", &corrections(ahoy));
    let args = ["learn", "--feedback", &feedback, "--suites", &gate, "--json"];
    let args = args.map(str::to_owned).to_vec();
    (school, args)
}

#[test]
fn a_round_killed_at_any_moment_serves_nothing_ungated_and_ends() {
    let Some(n) = psi_testkit::long_test() else { return };
    let started = Instant::now();
    let (whole, args) = easy_round();
    whole.program.run(&args).ok();
    let whole_ms = started.elapsed().as_millis() as u64;
    let mut rng = Rng::new(31);
    let weights = |school: &School| fs::read(school.model().join("model.safetensors")).unwrap();
    let ratings = corrections(ahoy);
    let (mut killed, mut ended) = (0, 0);
    let (mut school, mut args) = easy_round();
    while killed < n || ended == 0 {
        // Each attempt goes on where the last one was; after as many kills as are wanted it may end.
        let mut child = school.program.start(&args);
        let patience = Duration::from_millis(rng.below(whole_ms));
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() && (killed == n || begun.elapsed() < patience) {
            sleep(Duration::from_millis(20));
        }
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
        }
        assert_eq!(fs::read_to_string(school.program.path("feedback.jsonl")).unwrap(), ratings);
        what_is_served_was_let_through(&school);
        if school.served()["served"] != Value::Null {
            // The loop has ended: with the weights of a round that nobody killed. The next one begins.
            assert!(weights(&school) == weights(&whole));
            school.program.run(&args).ok();
            let history = school.served()["history"].as_array().unwrap().len();
            assert_eq!(history, 1, "promoted once");
            ended += 1;
            (school, args) = easy_round();
        }
    }
    eprintln!("killed {killed} times; {ended} rounds ended");
}

/// Every switch has the record of a gate that promoted these very files, and what is served answers.
fn what_is_served_was_let_through(school: &School) {
    let served = school.served();
    for switch in served["history"].as_array().unwrap() {
        let record = fs::read(switch["record"]["path"].as_str().unwrap()).unwrap();
        let record: Value = serde_json::from_slice(&record).unwrap();
        assert_eq!((&record["decision"], &record["candidate"]), (&json!("promote"), &switch["to"]));
        assert_eq!(record["hash"], switch["record"]["hash"]);
    }
    if let Some(model) = served["served"]["model"]["path"].as_str() {
        school.answer(Path::new(model), "Say hello to Ada");
    }
}

#[test]
fn learning_makes_room_while_the_machine_is_needed() {
    let school = School::new();
    let feedback = school.write("feedback.jsonl", &corrections(ahoy));
    let gate = school.short_gate();
    let args = [
        "learn",
        "--feedback",
        &feedback,
        "--suites",
        &gate,
        "--when-idle",
        "--idle-load",
        "1000",
        "--idle-after",
        "1",
        "--hold",
    ];
    let mut child = Killed(school.program.start(&args));
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut wait_for = |word: &str| lines.by_ref().find(|line| line.contains(word)).unwrap();
    wait_for("paused");
    wait_for("going on");
    wait_for("step ");
    // Somebody asks the assistant something, again and again.
    let ask = |i: u32| write(&school.program.path("last-use"), i.to_string().as_bytes());
    ask(0);
    wait_for("paused");
    let ran = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.0.id())).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some(fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?)
    };
    let before = ran();
    for i in 1..6 {
        ask(i);
        sleep(Duration::from_millis(300));
    }
    if let (Some(before), Some(after)) = (before, ran()) {
        // In hundredths of a second, of which there were 150.
        assert!(after - before < 15, "it computed for {} while it was paused", after - before);
    }
    wait_for("going on");
}

/// A child that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may be over.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The address that a server says it has.
fn address(lines: &mut impl Iterator<Item = String>) -> String {
    let line = lines.find(|line| line.contains("http://")).unwrap();
    let rest = line.split("http://").nth(1).unwrap();
    rest.split('/').next().unwrap().to_owned()
}

/// Asks for a completion; the stream of its answer.
fn complete(address: &str, n_tokens: usize) -> BufReader<TcpStream> {
    let body = json!({
        "model": "assistant", "prompt": "Once upon a time", "max_tokens": n_tokens,
        "temperature": 0, "stream": true, "ignore_eos": true,
    })
    .to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                Content-Type: application/json\r\nContent-Length:";
    write!(stream, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
    BufReader::new(stream)
}

/// The text of the pieces that come from here on.
fn rest(mut stream: BufReader<TcpStream>) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let pieces = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    pieces.filter_map(|p| p["choices"][0]["text"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_promotion_takes_effect_while_an_answer_is_written_and_leaves_it_alone() {
    let Some(data) = psi_testkit::shared_data() else { return };
    let school = School::new();
    let (base, stories) = (school.base(), data.join("models/stories260K/hf"));
    let (base, stories) = (base.to_str().unwrap(), stories.to_str().unwrap());
    let out = school.gated(stories, base, 0.9);

    let args = ["serve", "--model", "assistant", "--port", "0"];
    let mut server = Killed(school.program.start(&args));
    let mut lines = BufReader::new(server.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = address(&mut lines);
    let n = 400;
    let alone = rest(complete(&address, n));
    assert!(!alone.is_empty());
    let mut running = complete(&address, n);
    let mut line = String::new();
    while !line.starts_with("data: ") {
        line.clear();
        running.read_line(&mut line).unwrap();
    }
    let first: Value = serde_json::from_str(line.trim_start_matches("data: ")).unwrap();
    school.program.run(&["models", "promote", &out]).ok();
    lines.by_ref().find(|line| line.contains("another model by now")).unwrap();
    let promoted = rest(complete(&address, n));
    let whole = format!("{}{}", first["choices"][0]["text"].as_str().unwrap(), rest(running));
    assert_eq!(whole, alone, "an answer ends with the model that it began with");
    assert_ne!(promoted, alone, "a new answer is the new model's");
    school.program.run(&["models", "rollback"]).ok();
    lines.by_ref().find(|line| line.contains("another model by now")).unwrap();
    assert_eq!(rest(complete(&address, n)), alone);
}

#[test]
fn the_page_answers_with_what_was_promoted() {
    let school = School::new();
    let base = school.base();
    // Other content, the same answers: promoted at once.
    let candidate = school.program.path("candidate");
    fs::create_dir(&candidate).unwrap();
    for file in fs::read_dir(&base).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), candidate.join(file.file_name())).unwrap();
    }
    write(&candidate.join("NOTES.md"), b"another");
    let out = school.gated(candidate.to_str().unwrap(), base.to_str().unwrap(), 0.5);
    let mut page = Killed(school.program.start(&["up", "--no-open", "--port", "0"]));
    let mut lines = BufReader::new(page.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut said = BufReader::new(page.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let address = address(&mut said);
    school.program.run(&["models", "promote", &out]).ok();
    let mut answers = || lines.find(|line| line.contains("the assistant answers with")).unwrap();
    let promoted = answers();
    let name = promoted.split_whitespace().find(|word| word.starts_with("psi-nano@")).unwrap();
    // The learning log says so, and takes it back.
    let page = ask_page(&address, "GET /learning", "");
    assert!(page.contains(name), "{page}");
    let (_, token) = page.split_once("name=\"csrf\" content=\"").unwrap();
    let token = format!("x-psi-csrf: {}\r\n", token.split('"').next().unwrap());
    let taken_back = ask_page(&address, "POST /api/learning/rollback", &token);
    assert!(taken_back.contains("200 OK"), "{taken_back}");
    assert!(answers().contains('@'), "a model of the log");
    let again = ask_page(&address, "POST /api/learning/rollback", &token);
    assert!(again.contains("400") && again.contains("nothing"), "{again}");
    // Without anything to learn from a round ends at once, and says so.
    ask_page(&address, "POST /api/learning/start", &token);
    while ask_page(&address, "GET /learning/now", "").contains("data-poll") {
        sleep(Duration::from_millis(100));
    }
    let ended = ask_page(&address, "GET /learning/now", "");
    assert!(ended.contains("no rating teaches anything yet"), "{ended}");
}

/// Asks the page for something; head and body of its answer.
fn ask_page(address: &str, what: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let body = "{\"when_idle\": false}";
    let head = format!("{what} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}");
    let length = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
    write!(stream, "{head}{length}\r\n\r\n{body}").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

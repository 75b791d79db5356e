//! The server of a scene: this very program in another process, so that it can be killed.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard},
    time::{SystemTime, UNIX_EPOCH},
};

use psi_agent::{
    Assistant, Clock, Db, Memory, Timestamp,
    memory::HashedNgrams,
    toolbox::{Toolbox, ToolboxOptions},
};
use psi_server::{
    Fate, Host, Learning, LearningNow, LearningRound, LearningState, Lesson, LessonPlace,
    ListedModel, Machine, ModelState, PageOptions, PageServer, Pull, Run, Suggestion, SuiteChange,
};

use super::script::Scripts;

/// The argument that makes this program a server.
pub(crate) const MODE: &str = "--serve";

/// Serves until the process is killed; says where on standard output.
#[expect(clippy::print_stdout, reason = "how the scene learns the port")]
pub(crate) fn serve(home: &str, port: &str) {
    let db =
        Db::open(&Path::new(home).join("psi.db"), Clock::new(Box::new(now))).expect("a database");
    let memory = Memory::new(&db, Arc::new(HashedNgrams));
    let models = Box::new(Scripts::default());
    let assistant = Assistant::new(&db, memory, models).expect("an assistant");
    let toolbox = toolbox(home, &db, &assistant);
    let offered = toolbox.clone();
    assistant.set_tool_source(Arc::new(move || offered.tools().expect("the tools")));
    // Notes may be written without asking, unless the user takes that back: here they are asked for.
    assistant.grants().revoke_default("write_note").expect("taken back");
    let options = PageOptions {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().expect("a port"))),
        names: Vec::new(),
        assistant,
        toolbox,
        api: None,
        accounts: None,
        host: Arc::new(Bench {
            run: Path::new(home).join("runs/first-steps"),
            learning: Lessons::default(),
        }),
    };
    let server = PageServer::start(options).expect("a server");
    println!("{}", server.address().port());
    server.wait();
}

/// psi's own tools: notes write, which needs leave.
fn toolbox(home: &str, db: &Db, assistant: &Assistant) -> Toolbox {
    let options = ToolboxOptions {
        notes: Path::new(home).join("notes"),
        environment: BTreeMap::new(),
        launcher: None,
    };
    let embedder = Arc::new(HashedNgrams);
    Toolbox::open(db, assistant.memory(), embedder, options).expect("a toolbox")
}

#[expect(clippy::disallowed_methods, reason = "the clock of a test's server")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_millis() as i64)
}

/// A machine with two models, of which one fits, and a training run once a scene has made one.
struct Bench {
    run: PathBuf,
    learning: Lessons,
}

impl Host for Bench {
    fn model(&self) -> ModelState {
        ModelState::Ready { name: "script".to_owned(), context: 2048 }
    }

    fn choose(&self, name: &str) -> Result<(), String> {
        Err(format!("{name} is only here to be looked at"))
    }

    fn models(&self) -> Vec<ListedModel> {
        let model = |name: &str, n_bytes, is_bundled| ListedModel {
            name: name.to_owned(),
            form: "folder".to_owned(),
            n_bytes,
            needs: n_bytes + n_bytes / 5,
            is_bundled,
        };
        vec![model("script", 14_000_000, true), model("large-32b", 20_000_000_000, false)]
    }

    fn suggestions(&self) -> Vec<Suggestion> {
        vec![Suggestion {
            name: "Qwen/Qwen3-0.6B".to_owned(),
            what: "Small and quick: conversations, summaries, simple tools.".to_owned(),
            n_bytes: 1_500_000_000,
            needs: 1_900_000_000,
        }]
    }

    fn pull(&self, name: &str) -> Result<(), String> {
        Err(format!("{name} is only here to be looked at"))
    }

    fn stop_pull(&self, _name: &str) {}

    fn pulls(&self) -> Vec<Pull> {
        Vec::new()
    }

    fn machine(&self) -> Machine {
        Machine {
            processor: Some("A processor".to_owned()),
            n_threads: 2,
            memory: Some((24_000_000_000, 21_000_000_000)),
        }
    }

    fn runs(&self) -> Vec<Run> {
        let run = Run {
            name: "first-steps".to_owned(),
            dir: self.run.clone(),
            status: "running".to_owned(),
            steps: 400,
        };
        Some(run).filter(|run| run.dir.exists()).into_iter().collect()
    }

    fn learning(&self) -> &dyn Learning {
        &self.learning
    }
}

/// Two rounds, of which the later one answers until it is taken back, and four judgements.
#[derive(Default)]
struct Lessons(Mutex<Told>);

/// What the scene has told it.
#[derive(Default)]
struct Told {
    is_taken_back: bool,
    struck: Vec<String>,
    goes_on: bool,
}

impl Lessons {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().expect("nobody panics with it")
    }
}

impl Learning for Lessons {
    fn state(&self) -> Result<LearningState, String> {
        let told = self.told();
        let lesson = |id: &str, question: &str, answer: &str, place| Lesson {
            id: id.to_owned(),
            conversation: "1".to_owned(),
            question: question.to_owned(),
            answer: answer.to_owned(),
            is_disliked: answer == "No idea.",
            place: if told.struck.iter().any(|s| s == id) { LessonPlace::Struck } else { place },
        };
        let suite = |suite: &str, n, means: (f64, f64), interval, verdict: &str| SuiteChange {
            suite: suite.to_owned(),
            n,
            means,
            interval,
            verdict: verdict.to_owned(),
        };
        let next = vec![
            lesson("1", "How far is it to Leeds?", "12 km.", LessonPlace::Learned),
            lesson("2", "How tall is the shelf?", "1.8 m.", LessonPlace::Learned),
            lesson("3", "How heavy is the parcel?", "4 kg.", LessonPlace::KeptOut),
            lesson(
                "4",
                "Where do I live?",
                "ada@example.org",
                LessonPlace::LeftOut("holds an address or a long number".to_owned()),
            ),
        ];
        let later = LearningRound {
            name: "learn-5e41-9c02".to_owned(),
            at: Some(1_763_800_000),
            fate: if told.is_taken_back { Fate::TakenBack } else { Fate::Serves },
            lessons: next[..3].to_vec(),
            suites: vec![
                suite("kept-out-feedback", 9, (0.0, 0.889), (0.55, 1.0), "promote"),
                suite("reasoning", 944, (0.25, 0.237), (-0.037, 0.011), "promote"),
            ],
        };
        let earlier = LearningRound {
            name: "learn-11d0-9c02".to_owned(),
            at: Some(1_763_700_000),
            fate: Fate::Rejected,
            lessons: next[..1].to_vec(),
            suites: vec![suite("reasoning", 400, (0.25, 0.18), (-0.1, -0.03), "block")],
        };
        Ok(LearningState {
            serves: if told.is_taken_back { "psi-nano" } else { "psi-nano@5e41" }.to_owned(),
            now: told
                .goes_on
                .then(|| LearningNow { said: "step 12 of 120: loss 1.31".to_owned(), ended: None }),
            next,
            is_new: true,
            rounds: vec![later, earlier],
        })
    }

    fn start(&self, _when_idle: bool) -> Result<(), String> {
        self.told().goes_on = true;
        Ok(())
    }

    fn stop(&self) {
        self.told().goes_on = false;
    }

    fn roll_back(&self) -> Result<(), String> {
        self.told().is_taken_back = true;
        Ok(())
    }

    fn strike(&self, judgement: &str, is_out: bool) -> Result<(), String> {
        let struck = &mut self.told().struck;
        struck.retain(|s| s != judgement);
        if is_out {
            struck.push(judgement.to_owned());
        }
        Ok(())
    }

    fn forget(&self, conversation: &str) -> Result<(), String> {
        Err(format!("conversation {conversation} is only here to be looked at"))
    }
}

/// A running server with its database.
pub(crate) struct Server {
    home: PathBuf,
    _folder: tempfile::TempDir,
    outside: tempfile::TempDir,
    process: Child,
    port: u16,
}

impl Server {
    /// Over an empty database.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().to_owned();
        let (process, port) = start(&home, 0);
        let outside = tempfile::tempdir().expect("a folder");
        Self { home, _folder: folder, outside, process, port }
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("gone");
    }

    /// Starts it again over the same database, at the same address.
    pub(crate) fn restart(&mut self) {
        (self.process, self.port) = start(&self.home, self.port);
    }

    /// The address of a path.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A path in its home folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// A folder that is not psi's own, where a scene keeps notes.
    pub(crate) fn notes(&self) -> PathBuf {
        self.outside.path().join("my notes")
    }

    /// A file that is no text.
    #[expect(clippy::disallowed_methods, reason = "a scene's own file")]
    pub(crate) fn picture(&self) -> PathBuf {
        let path = self.outside.path().join("picture.png");
        std::fs::write(&path, [0x89, b'P', b'N', b'G', 0, 0xff, 0xfe]).expect("written");
        path
    }

    /// The database's files as bytes.
    pub(crate) fn stored(&self) -> Vec<u8> {
        let read = |name| std::fs::read(self.home.join(name)).unwrap_or_default();
        [read("psi.db"), read("psi.db-wal")].concat()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start(home: &Path, port: u16) -> (Child, u16) {
    let program = std::env::current_exe().expect("this program");
    let mut process = Command::new(program)
        .arg(MODE)
        .arg(home)
        .arg(port.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut line = String::new();
    let output = process.stdout.take().expect("piped");
    BufReader::new(output).read_line(&mut line).expect("a line");
    let port = line.trim().parse().expect("the server says its port");
    (process, port)
}

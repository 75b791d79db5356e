//! An answer survives SIGKILL: this program writes one as a child, kills it in the middle, and looks.
#![expect(clippy::print_stdout, reason = "the child tells its parent, and the result is said")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use psi_agent::{
    Assistant, Clock, ConversationId, Conversations, Db, Memory, MessageState, NewConversation,
    Timestamp,
    assistant::{Ask, OneModel},
    memory::HashedNgrams,
    model::{ChatSource, Generation, Ongoing, Prompt, SourceEvent, SourceSink},
};

/// How the program is told that it is the child.
const CHILD: &str = "--child";
const PART: &str = "The answer so far";

/// Writes the beginning of an answer and never ends.
struct Endless;

struct Going;

impl Ongoing for Going {
    fn cancel(&self) {}
}

impl ChatSource for Endless {
    fn name(&self) -> String {
        "endless".into()
    }
    fn max_context(&self) -> usize {
        4096
    }
    fn count(&self, _: &Prompt) -> Result<usize, String> {
        Ok(10)
    }
    fn start(&self, _: Generation, mut sink: SourceSink) -> Result<Box<dyn Ongoing>, String> {
        sink(SourceEvent::Started { n_prompt: 10, n_cached: 0 });
        sink(SourceEvent::Content(PART.into()));
        Ok(Box::new(Going))
    }
}

fn open(path: &Path) -> Db {
    Db::open(path, Clock::fixed(Timestamp(0))).expect("the database")
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|a| a == CHILD) {
        return child(Path::new(&arguments[2]));
    }
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("psi.db");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args([CHILD.as_ref(), path.as_os_str()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut line = String::new();
    let output = child.stdout.take().expect("its output");
    BufReader::new(output).read_line(&mut line).expect("a line");
    assert_eq!(line.trim(), "half written");
    child.kill().expect("SIGKILL");
    child.wait().expect("its end");

    let all = Conversations::new(&open(&path));
    let branch = all.branch(ConversationId(1)).expect("the conversation");
    assert_eq!(branch.len(), 2);
    assert_eq!(branch[0].content, "a question", "what was acknowledged is there");
    assert_eq!((branch[1].state, branch[1].content.as_str()), (MessageState::Interrupted, PART));
    println!("an answer that was killed is there, marked: ok");
}

/// Says when the answer is in the database, then waits for the end.
fn child(path: &Path) {
    let db = open(path);
    let memory = Memory::new(&db, Arc::new(HashedNgrams));
    let assistant =
        Assistant::new(&db, memory, Box::new(OneModel(Arc::new(Endless)))).expect("an assistant");
    let all = assistant.conversations();
    let id = all.create(&NewConversation::default()).expect("a conversation").id;
    let ask = Ask { text: "a question".into(), ..Ask::default() };
    let _run = assistant.send(id, ask).expect("a run");
    while all.branch(id).expect("the branch").last().is_none_or(|m| m.content != PART) {
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("half written");
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

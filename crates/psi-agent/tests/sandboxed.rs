//! Shell and Python tools in the kernel's sandbox. This program is its own launcher.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops with the cause")]
#![expect(clippy::print_stdout, reason = "what was skipped, and why")]

use std::{fs, path::Path, process::ExitCode, sync::Arc};

use psi_agent::{
    CallContext, Cancel, ConversationId, Effect, GrantedFolder, Timestamp,
    tools::{Facts, Group, Programs, Toolkit, Web, built_in},
};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|mode| mode == psi_sandbox::MODE) {
        return ExitCode::from(psi_sandbox::confined(&arguments.collect::<Vec<_>>()));
    }
    match Programs::find(&std::env::current_exe().unwrap()) {
        Ok(programs) => programs_run_and_stay_inside(programs),
        Err(why) => println!("skipped: {why}"),
    }
    ExitCode::SUCCESS
}

/// A memory that these tools have no business with.
struct Nothing;

impl Facts for Nothing {
    fn remember(&self, _: &str, _: &CallContext) -> Result<(), String> {
        Err("no".to_owned())
    }
    fn recall(&self, _: &str, _: &CallContext) -> Result<Vec<String>, String> {
        Err("no".to_owned())
    }
    fn correct(&self, _: &str, _: &str, _: &CallContext) -> Result<Option<String>, String> {
        Err("no".to_owned())
    }
    fn forget(&self, _: &str, _: &CallContext) -> Result<Option<String>, String> {
        Err("no".to_owned())
    }
}

fn kit(home: &Path, programs: Option<Programs>) -> Toolkit {
    Toolkit {
        zone: jiff::tz::TimeZone::UTC,
        facts: Arc::new(Nothing),
        notes: home.join("notes"),
        web: Web::default(),
        search: None,
        programs,
    }
}

/// T28, as far as the tools go; psi-sandbox's own tests try the rest.
fn programs_run_and_stay_inside(programs: Programs) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    for folder in ["read", "write", "outside"] {
        fs::create_dir(root.join(folder)).unwrap();
        psi_store::write_atomic(&root.join(folder).join("text"), folder.as_bytes()).unwrap();
    }
    let granted = |name: &str, write| GrantedFolder { path: root.join(name), write };
    let context = CallContext {
        cancel: Cancel::default(),
        deadline: None,
        folders: vec![granted("read", false), granted("write", true)],
        conversation: ConversationId(1),
        source: None,
        now: Timestamp(0),
    };
    let tools = built_in(&kit(&root, Some(programs)), &[Group::Programs]);
    let shell = tools.iter().find(|t| t.name() == "run_shell").unwrap();
    assert_eq!(shell.effect(&Value::Null), Effect::Runs);
    let run = |command: &str| shell.call(&json!({"command": command}), &context).unwrap().text;
    assert_eq!(run("echo $((6 * 7)); ls"), "42");
    assert!(run("exit 3").ends_with("[it ended with code 3]"));
    let path = |name: &str| root.join(name).display().to_string();
    assert_eq!(run(&format!("cat {}/text", path("read"))), "read");
    assert!(!run(&format!("cat {}/text", path("outside"))).contains("outside\n"));
    let before = fs::read(root.join("outside/text")).unwrap();
    for folder in ["read", "outside"] {
        let said = run(&format!("echo taken > {}/text", path(folder)));
        assert!(said.contains("[it ended with code"), "{said}");
    }
    assert_eq!(fs::read(root.join("outside/text")).unwrap(), before);
    assert_eq!(fs::read_to_string(root.join("read/text")).unwrap(), "read");
    assert_eq!(run(&format!("echo done > {}/text", path("write"))), "it ended without output");
    assert_eq!(fs::read_to_string(root.join("write/text")).unwrap(), "done\n");
    if let Some(python) = tools.iter().find(|t| t.name() == "run_python") {
        let answer = python.call(&json!({"code": "print(sum(range(10)))"}), &context).unwrap();
        assert_eq!((answer.text.as_str(), answer.untrusted), ("45", true));
    }
    let stopped = context.clone();
    stopped.cancel.cancel();
    assert!(shell.call(&json!({"command": "echo x"}), &stopped).is_err());
    // Where nothing can confine programs, there are no such tools.
    assert!(built_in(&kit(&root, None), &[Group::Programs]).is_empty());
}

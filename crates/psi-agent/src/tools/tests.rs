//! Calls of the built-in tools as the agent makes them, and the attacks on files.

use std::{collections::BTreeMap, sync::Mutex};

use serde_json::json;

use super::*;
use crate::{Cancel, ConversationId, GrantedFolder, Timestamp};

/// Sunday 2026-11-22 09:05 UTC, nothing granted.
pub(crate) fn context() -> CallContext {
    CallContext {
        cancel: Cancel::default(),
        deadline: None,
        folders: Vec::new(),
        conversation: ConversationId(1),
        source: None,
        now: Timestamp(1_795_338_300_000),
    }
}

/// Facts in a list: what the training world does.
#[derive(Default)]
pub(crate) struct ListOfFacts(Mutex<BTreeMap<usize, String>>);

impl ListOfFacts {
    fn best(&self, query: &str) -> Option<usize> {
        let facts = self.0.lock().unwrap();
        facts.iter().find(|(_, f)| f.contains(query)).map(|(i, _)| *i)
    }
}

impl Facts for ListOfFacts {
    fn remember(&self, fact: &str, _: &CallContext) -> Result<(), String> {
        let mut facts = self.0.lock().unwrap();
        let next = facts.len();
        facts.insert(next, fact.to_owned());
        Ok(())
    }

    fn recall(&self, query: &str, _: &CallContext) -> Result<Vec<String>, String> {
        let facts = self.0.lock().unwrap();
        Ok(facts.values().filter(|f| query == "everything" || f.contains(query)).cloned().collect())
    }

    fn correct(
        &self,
        query: &str,
        fact: &str,
        context: &CallContext,
    ) -> Result<Option<String>, String> {
        let old = self.forget(query, context)?;
        self.remember(fact, context)?;
        Ok(old)
    }

    fn forget(&self, query: &str, _: &CallContext) -> Result<Option<String>, String> {
        let best = self.best(query);
        Ok(best.and_then(|i| self.0.lock().unwrap().remove(&i)))
    }
}

pub(crate) struct Desk {
    pub(crate) tools: Vec<Arc<dyn Tool>>,
    pub(crate) context: CallContext,
    pub(crate) dir: tempfile::TempDir,
}

impl Desk {
    /// All tools, and a folder `docs` that may be written.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let docs = dir.path().join("docs");
        std::fs::create_dir(&docs).unwrap();
        let kit = Toolkit {
            zone: TimeZone::UTC,
            facts: Arc::new(ListOfFacts::default()),
            notes: dir.path().join("home/notes"),
            web: Web::default(),
            search: SearchService::parse("http://127.0.0.1:9/").ok(),
            programs: None,
        };
        let groups: Vec<Group> = Group::ALL.iter().map(|(g, ..)| *g).collect();
        let mut context = context();
        context.folders = vec![GrantedFolder { path: docs, write: true }];
        Self { tools: built_in(&kit, &groups), context, dir }
    }

    fn tool(&self, name: &str) -> &Arc<dyn Tool> {
        self.tools.iter().find(|t| t.name() == name).unwrap()
    }

    pub(crate) fn call(&self, name: &str, arguments: &Value) -> Result<String, ToolError> {
        self.tool(name).call(arguments, &self.context).map(|o| o.text)
    }

    #[track_caller]
    fn check(&self, name: &str, arguments: &Value, expected: &str) {
        let answer = self.call(name, arguments).unwrap_or_else(|e| format!("error: {e}"));
        assert_eq!(answer, expected);
    }

    fn put(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        psi_store::write_atomic(&path, text.as_ref()).unwrap();
    }
}

/// The cases of `psi_eval::skills::tools`, word for word.
#[test]
fn tools_answer_as_the_bundled_model_learned_them() {
    let desk = Desk::new();
    desk.check("calculate", &json!({"expression": "10 / 3"}), "10 / 3 = 3.3333 (rounded)");
    desk.check("calculate", &json!({"expression": "17 * 23"}), "17 * 23 = 391");
    desk.check("calculate", &json!({"expression": "sqrt(2)"}), "sqrt(2) = 1.4142 (rounded)");
    desk.check(
        "convert",
        &json!({"value": 12, "from": "km", "to": "miles"}),
        "12 km = 7.4565 miles",
    );
    desk.check("convert", &json!({"value": 2.5, "from": "kg", "to": "g"}), "2.5 kg = 2500 g");
    desk.check("now", &json!({}), "Sunday 2026-11-22 09:05");
    let arguments = json!({"date": "2026-11-22", "days": 10});
    desk.check("date_add", &arguments, "10 days after 2026-11-22 is Wednesday 2026-12-02");
    let arguments = json!({"from": "2026-11-22", "to": "2026-12-25"});
    desk.check("date_diff", &arguments, "from 2026-11-22 to 2026-12-25 is 33 days");
    desk.check("weekday", &json!({"date": "2024-02-29"}), "2024-02-29 is a Thursday");
    desk.check("recall", &json!({"query": "dog"}), "nothing found");
    desk.check("remember", &json!({"fact": "my dog is called Rex"}), "saved");
    desk.check("recall", &json!({"query": "dog"}), "my dog is called Rex");
    let arguments = json!({"query": "dog", "fact": "my dog is called Max"});
    desk.check("correct", &arguments, "replaced: my dog is called Rex");
    desk.check("forget", &json!({"query": "dog"}), "forgotten: my dog is called Max");
    desk.check("forget", &json!({"query": "dog"}), "nothing found");
}

#[test]
fn a_call_that_cannot_run_says_why() {
    let desk = Desk::new();
    desk.check("weekday", &json!({}), "error: weekday needs date");
    desk.check("weekday", &json!({"date": 7}), "error: date must be a string, not 7");
    desk.check("now", &json!({"zone": "UTC"}), "error: now has no argument zone");
    desk.check("weekday", &json!({"date": "2026-02-30"}), "error: 2026-02-30 is not a date");
    desk.check("calculate", &json!({"expression": "1/0"}), "error: division by zero");
    desk.check(
        "calculate",
        &json!([1]),
        "error: the arguments of calculate must be an object, not [1]",
    );
    desk.check(
        "convert",
        &json!({"value": 1, "from": "km", "to": "kg"}),
        "error: km cannot be converted to kg",
    );
    let large = "1".repeat(MAX_ARGUMENT_BYTES + 1);
    assert!(desk.call("remember", &json!({"fact": large})).is_err());
}

#[test]
fn definitions_have_openais_form_and_unique_names() {
    let desk = Desk::new();
    let names: std::collections::BTreeSet<_> = desk.tools.iter().map(|t| t.name()).collect();
    assert_eq!(names.len(), desk.tools.len());
    let expected = json!({"type": "function", "function": {
        "name": "convert",
        "description": "Convert a number from one unit to another.",
        "parameters": {"type": "object", "properties": {
            "value": {"type": "number"}, "from": {"type": "string"}, "to": {"type": "string"}},
            "required": ["value", "from", "to"]}}});
    assert_eq!(desk.tool("convert").definition(), expected);
    assert!(!Group::default_set().contains(&Group::Web));
}

#[test]
fn notes_are_kept_found_and_replaced() {
    let desk = Desk::new();
    desk.check("find_notes", &json!({"query": "milk"}), "nothing found");
    desk.check(
        "write_note",
        &json!({"title": "Shopping list", "text": "milk, tea"}),
        "noted: Shopping list",
    );
    desk.check("find_notes", &json!({"query": "MILK tea"}), "# Shopping list\n\nmilk, tea");
    desk.check(
        "write_note",
        &json!({"title": "shopping LIST", "text": "bread"}),
        "noted: shopping LIST",
    );
    desk.check("find_notes", &json!({"query": "milk"}), "nothing found");
    desk.check("find_notes", &json!({"query": "everything"}), "shopping LIST");
    desk.check("write_note", &json!({"title": "../../x", "text": "y"}), "noted: ../../x");
    assert!(desk.dir.path().join("home/notes/x.md").exists());
    assert!(desk.call("write_note", &json!({"title": "...", "text": "y"})).is_err());
}

#[test]
fn files_are_listed_read_searched_and_written() {
    let desk = Desk::new();
    desk.put("docs/plan.md", "# Plan\nBuy Tea\n");
    desk.put("docs/sub/long.txt", (1..=1000).map(|i| format!("line {i}\n")).collect::<String>());
    desk.put("docs/.hidden", "Tea");
    desk.put("docs/photo.bin", b"Tea\0\xff");
    desk.check("list_files", &json!({}), "docs/");
    desk.check(
        "list_files",
        &json!({"path": "docs"}),
        "docs/photo.bin (5 bytes)\ndocs/plan.md (15 bytes)\ndocs/sub/",
    );
    desk.check("read_file", &json!({"path": "docs/plan.md"}), "# Plan\nBuy Tea\n");
    desk.check("read_file", &json!({"path": "plan.md", "from_line": 2}), "Buy Tea\n");
    let full = desk.dir.path().canonicalize().unwrap().join("docs/plan.md");
    desk.check("read_file", &json!({"path": full.to_str().unwrap()}), "# Plan\nBuy Tea\n");
    let part =
        desk.call("read_file", &json!({"path": "docs/sub/long.txt", "from_line": 500})).unwrap();
    assert!(
        part.starts_with("line 500\n")
            && part.ends_with("[lines 500 to 899 of 1000; from_line 900 goes on]\n")
    );
    desk.check("search_files", &json!({"query": "tea"}), "docs/plan.md:2: Buy Tea");
    let lines = [77, 770, 771, 772, 773, 774, 775, 776, 777, 778, 779];
    let lines = lines.map(|i| format!("docs/sub/long.txt:{i}: line {i}")).join("\n");
    desk.check("search_files", &json!({"query": "LINE 77", "path": "docs/sub"}), &lines);
    desk.check(
        "write_file",
        &json!({"path": "docs/new/a.txt", "text": "hello"}),
        "written: docs/new/a.txt, 5 bytes",
    );
    desk.check("read_file", &json!({"path": "docs/new/a.txt"}), "hello\n");
    desk.check("read_file", &json!({"path": "docs/none"}), "error: there is no none");
    desk.check(
        "read_file",
        &json!({"path": "docs/photo.bin"}),
        "error: photo.bin is not a text file",
    );
    desk.check(
        "read_file",
        &json!({"path": "docs/plan.md", "from_line": 9}),
        "error: docs/plan.md has 2 lines",
    );
}

/// T29: no way of writing a path leads out of the folder.
#[test]
fn t29_paths_do_not_lead_out() {
    let desk = Desk::new();
    desk.put("secret.txt", "the key");
    desk.put("docs/in.txt", "in");
    let outside = desk.dir.path().join("secret.txt");
    for path in [
        "docs/../secret.txt",
        "../secret.txt",
        "docs/sub/../../secret.txt",
        "docs/./../secret.txt",
        outside.to_str().unwrap(),
        "/etc/passwd",
        "docs//etc/passwd",
        "docs/%2e%2e/secret.txt",
        "docs/..%2fsecret.txt",
        "docs\\..\\secret.txt",
        "docs/in.txt\0/../../secret.txt",
        "docs/\u{ff0e}\u{ff0e}/secret.txt",
        "~/secret.txt",
        "file:///etc/passwd",
        "/proc/self/cwd/../../../../etc/passwd",
        "docsx/../secret.txt",
    ] {
        for tool in ["read_file", "list_files"] {
            let answer = desk.call(tool, &json!({"path": path}));
            assert!(answer.is_err(), "{tool} {path:?}: {answer:?}");
        }
        let answer = desk.call("search_files", &json!({"path": path, "query": "key"}));
        assert!(answer.is_err(), "search {path:?}: {answer:?}");
        let before = std::fs::read(&outside).unwrap();
        // A strange name may be a file inside; what counts is that nothing outside changes.
        let _ = desk.call("write_file", &json!({"path": path, "text": "taken"}));
        assert_eq!(std::fs::read(&outside).unwrap(), before, "{path:?}");
    }
    let outer: Vec<_> =
        std::fs::read_dir(desk.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(outer.len(), 2, "{outer:?}");
}

/// T28, T29: links, hard links, pipes and devices in the folder.
#[test]
#[cfg(unix)]
fn t28_links_pipes_and_devices_are_not_followed() {
    use std::os::unix::fs::symlink;
    let desk = Desk::new();
    desk.put("secret.txt", "the key");
    desk.put("outside/keys/id", "the key");
    let docs = desk.dir.path().join("docs");
    symlink("../secret.txt", docs.join("relative")).unwrap();
    symlink(desk.dir.path().join("secret.txt"), docs.join("absolute")).unwrap();
    symlink("../outside", docs.join("folder")).unwrap();
    symlink("/proc/self/root", docs.join("root")).unwrap();
    symlink("/dev/zero", docs.join("zero")).unwrap();
    symlink("loop", docs.join("loop")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        docs.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(docs.join("socket")).unwrap();
    for path in [
        "relative",
        "absolute",
        "folder/keys/id",
        "root/etc/passwd",
        "zero",
        "loop",
        "pipe",
        "socket",
        "folder",
    ] {
        let answer = desk.call("read_file", &json!({"path": format!("docs/{path}")}));
        assert!(answer.is_err(), "{path}: {answer:?}");
    }
    assert!(desk.call("list_files", &json!({"path": "docs/folder"})).is_err());
    desk.check("search_files", &json!({"query": "key"}), "nothing found");
    // A link is replaced by the file that is written, what it pointed to stays.
    desk.check(
        "write_file",
        &json!({"path": "docs/relative", "text": "new"}),
        "written: docs/relative, 3 bytes",
    );
    assert!(
        desk.call("write_file", &json!({"path": "docs/folder/keys/id", "text": "new"})).is_err()
    );
    assert_eq!(std::fs::read_to_string(desk.dir.path().join("secret.txt")).unwrap(), "the key");
    assert_eq!(
        std::fs::read_to_string(desk.dir.path().join("outside/keys/id")).unwrap(),
        "the key"
    );
    // The same for a hard link: writing makes a new file.
    std::fs::hard_link(desk.dir.path().join("secret.txt"), docs.join("hard")).unwrap();
    desk.check(
        "write_file",
        &json!({"path": "docs/hard", "text": "new"}),
        "written: docs/hard, 3 bytes",
    );
    assert_eq!(std::fs::read_to_string(desk.dir.path().join("secret.txt")).unwrap(), "the key");
}

#[test]
fn a_folder_for_reading_is_not_written() {
    let mut desk = Desk::new();
    desk.context.folders[0].write = false;
    let error = desk.call("write_file", &json!({"path": "docs/a", "text": "x"})).unwrap_err();
    assert_eq!(error, ToolError::NotAllowed("docs is granted for reading only".to_owned()));
    desk.context.folders.clear();
    desk.check("list_files", &json!({}), "no folder is granted");
    desk.check("read_file", &json!({"path": "docs/a"}), "error: docs/a: no folder is granted");
}

/// T33: a file larger than the limit is refused, also by a search.
#[test]
fn t33_huge_files_are_refused() {
    let desk = Desk::new();
    let file = std::fs::File::create(desk.dir.path().join("docs/huge.txt")).unwrap();
    file.set_len(1 << 40).unwrap();
    let error = desk.call("read_file", &json!({"path": "docs/huge.txt"})).unwrap_err();
    assert!(error.to_string().contains("1099511627776 bytes"), "{error}");
    desk.check("search_files", &json!({"query": "x"}), "nothing found");
    desk.put("docs/line.txt", "x".repeat(1 << 20));
    let error = desk.call("read_file", &json!({"path": "docs/line.txt"})).unwrap_err();
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[test]
fn folders_of_the_system_and_of_psi_are_not_granted() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("psi");
    std::fs::create_dir_all(home.join("notes")).unwrap();
    std::fs::create_dir(dir.path().join("docs")).unwrap();
    let kept = [home.clone()];
    assert!(check_grant(&dir.path().join("docs"), &kept).is_ok());
    for path in [&home, &home.join("notes"), dir.path(), std::path::Path::new("/")] {
        assert!(check_grant(path, &kept).is_err(), "{}", path.display());
    }
    #[cfg(unix)]
    for path in ["/etc", "/proc", "/proc/self/root", "/dev", "/sys/kernel"] {
        assert!(check_grant(std::path::Path::new(path), &kept).is_err(), "{path}");
    }
}

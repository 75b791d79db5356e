//! What the assistant offers its model, as the settings say; and the memory tools over the real memory.

use std::{collections::BTreeMap, sync::Arc};

use psi_agent::{
    CallContext, Cancel, ConversationId, Db, GrantedFolder, Memory, Settings, Timestamp,
    mcp::{McpServer, McpTransport, save_servers},
    memory::HashedNgrams,
    toolbox::{Toolbox, ToolboxOptions},
};
use serde_json::{Value, json};

use crate::database;

fn open(dir: &tempfile::TempDir, db: &Db) -> Toolbox {
    let options = ToolboxOptions {
        notes: dir.path().join("notes"),
        environment: BTreeMap::new(),
        launcher: None,
    };
    let embedder = Arc::new(HashedNgrams);
    Toolbox::open(db, &Memory::new(db, embedder.clone()), embedder, options).unwrap()
}

fn names(toolbox: &Toolbox) -> Vec<String> {
    toolbox.tools().unwrap().iter().map(|t| t.name().to_owned()).collect()
}

fn call(toolbox: &Toolbox, name: &str, arguments: &Value) -> String {
    let context = CallContext {
        cancel: Cancel::default(),
        deadline: None,
        folders: Vec::new(),
        conversation: ConversationId(1),
        source: None,
        now: Timestamp(1_000),
    };
    let tools = toolbox.tools().unwrap();
    let tool = tools.iter().find(|t| t.name() == name).unwrap();
    tool.call(arguments, &context).map_or_else(|e| format!("error: {e}"), |o| o.text)
}

#[test]
fn what_is_offered_follows_the_settings() {
    let (dir, db) = database();
    let toolbox = open(&dir, &db);
    let has = |name: &str| names(&toolbox).iter().any(|n| n == name);
    assert!(has("calculate") && has("remember") && has("run_code") && has("write_note"));
    assert!(
        !has("read_page") && !has("read_file") && !has("search_knowledge") && !has("run_shell")
    );
    let settings = Settings::new(&db);
    settings.set("web.enabled", &json!(true)).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let docs = elsewhere.path().to_owned();
    settings.set_folders(&[GrantedFolder { path: docs.clone(), write: false }]).unwrap();
    toolbox.knowledge().add(&docs).unwrap();
    assert!(has("read_page") && has("read_file") && has("search_knowledge"));
    settings.set("web.enabled", &json!(false)).unwrap();
    assert!(!has("read_page"));
}

#[test]
fn a_server_that_cannot_start_says_so_and_is_not_offered() {
    let (dir, db) = database();
    let toolbox = open(&dir, &db);
    let command = vec!["no-such-program-anywhere".to_owned(), "--flag".to_owned()];
    let transport = McpTransport::Stdio { command, env: BTreeMap::new(), folder: None };
    let broken = McpServer { name: "broken".to_owned(), transport, enabled: true };
    let off = McpServer { name: "off".to_owned(), enabled: false, ..broken.clone() };
    save_servers(&db, &[broken, off]).unwrap();
    let before = names(&toolbox);
    toolbox.connect().unwrap();
    assert_eq!(names(&toolbox), before);
    let states = toolbox.servers().unwrap();
    assert_eq!(states[0].runs, "no-such-program-anywhere --flag");
    assert!(states[0].error.as_ref().is_some_and(|e| e.contains("no-such-program")), "{states:?}");
    assert_eq!((states[1].enabled, states[1].error.as_ref()), (false, None));
}

#[test]
fn memory_tools_answer_over_the_real_memory_as_in_training() {
    let (dir, db) = database();
    let toolbox = open(&dir, &db);
    let check = |name: &str, arguments: Value, expected: &str| {
        assert_eq!(call(&toolbox, name, &arguments), expected, "{name}");
    };
    check("recall", json!({"query": "dog"}), "nothing found");
    check("remember", json!({"fact": "my dog is called Rex"}), "saved");
    check("recall", json!({"query": "dog"}), "my dog is called Rex");
    let correction = json!({"query": "dog", "fact": "my dog is called Max"});
    check("correct", correction, "replaced: my dog is called Rex");
    check("recall", json!({"query": "everything"}), "my dog is called Max");
    check("forget", json!({"query": "dog"}), "forgotten: my dog is called Max");
    check("forget", json!({"query": "dog"}), "nothing found");
}

#[test]
fn the_web_is_searched_only_through_a_service_that_the_user_named() {
    let (dir, db) = database();
    let toolbox = open(&dir, &db);
    let has = || names(&toolbox).iter().any(|n| n == "search_web");
    let settings = Settings::new(&db);
    assert!(!has());
    settings.set("web.search", &json!(true)).unwrap();
    assert!(!has(), "no service is named");
    let error = settings.set("web.search_service", &json!("gopher://x.test")).unwrap_err();
    assert!(error.to_string().contains("only http and https"), "{error}");
    settings.set("web.search_service", &json!("https://search.test/?q={query}")).unwrap();
    assert!(has());
    settings.set("web.search", &json!(false)).unwrap();
    assert!(!has());
    settings.set("web.search_service", &json!("")).unwrap();
}

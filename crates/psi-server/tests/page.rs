//! The page over real HTTP, as a stranger and as its user: who may ask, what may change, what stays text.
//! Numbers are those of the list of attacks in docs/security.md.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops with the cause")]

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use psi_agent::{
    Access, Assistant, Clock, Db, GrantedFolder, Memory, NewConversation, Timestamp,
    assistant::Models,
    memory::{HashedNgrams, NewFact, Origin},
    model::ChatSource,
    toolbox::{Toolbox, ToolboxOptions},
};
use psi_server::{
    Fate, Host, Learning, LearningNow, LearningRound, LearningState, Lesson, LessonPlace,
    ListedModel, Machine, ModelState, PageOptions, PageServer, Pull, Run, ServeError, Suggestion,
    SuiteChange,
};

/// Markup that would run if it were taken for markup.
const MARKUP: &str = "<img src=x onerror=alert(1)>";

/// No model answers here.
struct Nobody;

impl Models for Nobody {
    fn find(&self, _: Option<&str>) -> Result<Arc<dyn ChatSource>, String> {
        Err("there is no model".to_owned())
    }
}

/// A machine whose things have names that are markup.
struct Bench;

impl Host for Bench {
    fn model(&self) -> ModelState {
        ModelState::Failed { name: MARKUP.to_owned(), why: MARKUP.to_owned() }
    }
    fn choose(&self, name: &str) -> Result<(), String> {
        Err(name.to_owned())
    }
    fn models(&self) -> Vec<ListedModel> {
        let form = "folder".to_owned();
        vec![ListedModel { name: MARKUP.to_owned(), form, n_bytes: 1, needs: 1, is_bundled: false }]
    }
    fn suggestions(&self) -> Vec<Suggestion> {
        Vec::new()
    }
    fn pull(&self, name: &str) -> Result<(), String> {
        Err(name.to_owned())
    }
    fn stop_pull(&self, _: &str) {}
    fn pulls(&self) -> Vec<Pull> {
        Vec::new()
    }
    fn machine(&self) -> Machine {
        Machine { processor: Some(MARKUP.to_owned()), n_threads: 1, memory: None }
    }
    fn runs(&self) -> Vec<Run> {
        Vec::new()
    }
    fn learning(&self) -> &dyn Learning {
        self
    }
}

impl Learning for Bench {
    fn state(&self) -> Result<LearningState, String> {
        let text = || MARKUP.to_owned();
        let lesson = |place| Lesson {
            id: text(),
            conversation: text(),
            question: text(),
            answer: text(),
            is_disliked: true,
            place,
        };
        let suite = SuiteChange {
            suite: text(),
            n: 3,
            means: (0.1, f64::NAN),
            interval: (-1.0, 1.0),
            verdict: text(),
        };
        let round = LearningRound {
            name: text(),
            at: Some(u64::MAX),
            fate: Fate::Serves,
            lessons: vec![lesson(LessonPlace::Learned)],
            suites: vec![suite],
        };
        Ok(LearningState {
            serves: text(),
            now: Some(LearningNow { said: text(), ended: Some(Err(text())) }),
            next: vec![lesson(LessonPlace::Struck), lesson(LessonPlace::LeftOut(text()))],
            is_new: true,
            rounds: vec![round],
        })
    }
    fn start(&self, _: bool) -> Result<(), String> {
        Err("not here".to_owned())
    }
    fn stop(&self) {}
    fn roll_back(&self) -> Result<(), String> {
        Err("not here".to_owned())
    }
    fn strike(&self, judgement: &str, _: bool) -> Result<(), String> {
        Err(judgement.to_owned())
    }
    fn forget(&self, conversation: &str) -> Result<(), String> {
        Err(conversation.to_owned())
    }
}

struct House {
    server: PageServer,
    assistant: Assistant,
    home: tempfile::TempDir,
}

fn start(address: &str, password: Option<&str>) -> Result<House, ServeError> {
    let home = tempfile::tempdir().unwrap();
    let db = Db::open(&home.path().join("psi.db"), Clock::fixed(Timestamp(0))).unwrap();
    Access::new(&db).set_password(password).unwrap();
    let embedder = Arc::new(HashedNgrams);
    let memory = Memory::new(&db, embedder.clone());
    let assistant = Assistant::new(&db, memory.clone(), Box::new(Nobody)).unwrap();
    let tools = ToolboxOptions {
        notes: home.path().join("notes"),
        environment: BTreeMap::new(),
        launcher: None,
    };
    let options = PageOptions {
        address: address.parse().unwrap(),
        names: Vec::new(),
        assistant: assistant.clone(),
        toolbox: Toolbox::open(&db, &memory, embedder, tools).unwrap(),
        api: None,
        host: Arc::new(Bench),
        accounts: None,
    };
    Ok(House { server: PageServer::start(options)?, assistant, home })
}

fn local() -> House {
    start("127.0.0.1:0", None).unwrap()
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl House {
    fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// A request under the server's own name unless `headers` has another; of an endless answer the beginning.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port()));
        let mut stream = TcpStream::connect(address).unwrap();
        let named = headers.to_ascii_lowercase().contains("host:");
        let host = if named { String::new() } else { format!("Host: {address}\r\n") };
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{host}Connection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let n = stream.read(&mut buffer).unwrap();
            bytes.extend_from_slice(&buffer[..n]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let is_stream = text.contains("text/event-stream") && text.contains("\r\n\r\n");
            if n == 0 || is_stream {
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                return Answer { status, head: head.to_owned(), body: body.to_owned() };
            }
        }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "Accept: text/html\r\n", "")
    }

    /// What only the page's own script knows.
    fn csrf(&self) -> String {
        let page = self.get("/").body;
        let (_, rest) = page.split_once("name=\"csrf\" content=\"").unwrap();
        format!("x-psi-csrf: {}\r\n", rest.split('"').next().unwrap())
    }
}

/// Every route as it stands in the router: method and path, numbers for its variables.
fn routes() -> Vec<(&'static str, String)> {
    let source = include_str!("../src/ui/routes.rs");
    let mut routes = Vec::new();
    for part in source.split(".route(").skip(1) {
        let path = part.split('"').nth(1).unwrap();
        let path = path.replace("{id}", "1").replace("{a}", "1").replace("{b}", "2");
        let path = path.replace("{name}", "psi.css");
        let call = part.split(".route(").next().unwrap();
        if call.contains("get(") {
            routes.push(("GET", path.clone()));
        }
        if call.contains("post(") {
            routes.push(("POST", path));
        }
    }
    assert!(routes.len() > 60, "{routes:?}");
    routes
}

#[test]
fn t1_foreign_hosts_and_origins_are_403_on_every_route() {
    let house = local();
    for (method, path) in routes() {
        for headers in [
            "Host: evil.example\r\n",
            "Host: 127.0.0.1.nip.example\r\n",
            "Origin: http://evil.example\r\n",
            "Origin: null\r\n",
        ] {
            let answer = house.ask(method, &path, headers, "");
            assert_eq!(answer.status, 403, "{method} {path} {headers}");
        }
    }
}

#[test]
fn t2_what_another_site_can_send_changes_nothing() {
    let house = local();
    for (_, path) in
        routes().into_iter().filter(|(method, path)| *method == "POST" && path != "/login")
    {
        for headers in [
            "Content-Type: text/plain\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "Content-Type: application/json\r\nx-psi-csrf: 0000\r\n",
        ] {
            let answer = house.ask("POST", &path, headers, "{}");
            assert_eq!(answer.status, 403, "{path} {headers}");
        }
    }
    // And the page's own script may.
    let made = house.ask("POST", "/api/conversations", &house.csrf(), "{}");
    assert_eq!(made.status, 200, "{}", made.body);
}

#[test]
fn t3_t9_t38_an_open_address_asks_for_the_password_and_a_session_ends_at_once() {
    let house = start("0.0.0.0:0", Some("the right one")).unwrap();
    let door = |path: &str| path == "/login" || path.starts_with("/assets/");
    for (method, path) in routes().into_iter().filter(|(_, path)| !door(path)) {
        let answer = house.ask(method, &path, "", "");
        let expected = if method == "GET" && !path.starts_with("/api/") { 307 } else { 401 };
        assert_eq!(answer.status, expected, "{method} {path}");
        for forged in [
            "Cookie: psi_session=0\r\n",
            "Authorization: Basic YTpi\r\n",
            "Authorization: Bearer x\r\n",
        ] {
            assert_eq!(
                house.ask(method, &path, forged, "").status,
                expected,
                "{method} {path} {forged}"
            );
        }
    }
    let origin = format!("Origin: http://127.0.0.1:{}\r\n", house.port());
    let sign_in =
        |password: &str| house.ask("POST", "/login", &origin, &format!("password={password}"));
    assert_eq!(sign_in("wrong").status, 401);
    assert_eq!(sign_in("the+right+one").status, 429);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let answer = sign_in("the+right+one");
    let cookie = answer.head.lines().find_map(|l| l.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
    let page = house.ask("GET", "/settings", &cookie, "");
    assert_eq!(page.status, 200);
    let (_, rest) = page.body.split_once("name=\"csrf\" content=\"").unwrap();
    let headers = format!("{cookie}x-psi-csrf: {}\r\n", rest.split('"').next().unwrap());
    assert_eq!(house.ask("POST", "/api/sign-out", &headers, "").status, 200);
    assert_eq!(house.ask("GET", "/settings", &cookie, "").status, 307);
}

#[test]
fn t39_an_open_address_without_a_password_is_refused() {
    let refused = start("0.0.0.0:0", None).err().unwrap();
    assert!(refused.hint().is_some_and(|h| h.contains("PSI_PASSWORD")), "{refused}");
}

#[test]
fn t11_t14_names_and_files_of_others_stay_text() {
    let house = local();
    let new = NewConversation { title: Some(MARKUP.to_owned()), ..NewConversation::default() };
    house.assistant.conversations().create(&new).unwrap();
    let fact = NewFact::new(&format!("my dog is called {MARKUP}"), Origin::User, Timestamp(0));
    house.assistant.memory().keep(&fact).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join(MARKUP);
    std::fs::create_dir(&folder).unwrap();
    let granted = GrantedFolder { path: folder, write: false };
    house.assistant.settings().set_folders(&[granted]).unwrap();
    let csrf = house.csrf();
    let name = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E.html";
    let page =
        format!("<html><body><script>alert(1)</script>{MARKUP}<p>the text</p></body></html>");
    let added = house.ask("POST", &format!("/api/attachments?name={name}"), &csrf, &page);
    assert_eq!(added.status, 200, "{}", added.body);
    let prompt = serde_json::json!({ "name": "markup", "text": format!("{MARKUP} {{{{x}}}}") });
    assert_eq!(house.ask("POST", "/api/prompts", &csrf, &prompt.to_string()).status, 200);
    let project = serde_json::json!({ "name": MARKUP, "instructions": MARKUP });
    assert_eq!(house.ask("POST", "/api/projects", &csrf, &project.to_string()).status, 200);
    let within = serde_json::json!({ "content": MARKUP, "project": "1" });
    assert_eq!(house.ask("POST", "/api/conversations", &csrf, &within.to_string()).status, 200);
    let task =
        serde_json::json!({ "kind": "ask", "text": MARKUP, "repeat": "daily", "at": "07:00" });
    assert_eq!(house.ask("POST", "/api/tasks", &csrf, &task.to_string()).status, 200);
    assert_eq!(house.ask("POST", "/api/tasks/1/run", &csrf, "{}").status, 200);
    for path in [
        "/",
        "/c/1",
        "/tasks",
        "/tasks/notices",
        "/projects",
        "/?project=1",
        "/prompts",
        "/memory",
        "/settings",
        "/models",
        "/attached/1",
        "/chats?q=img",
        "/c/4711",
    ] {
        let answer = house.get(path);
        assert!(
            !answer.body.contains("<img src=x") && !answer.body.contains("<script>alert"),
            "{path}"
        );
        assert!(answer.head.contains("text/html"), "{path}: {}", answer.head);
    }
    assert!(house.get("/").body.contains("&lt;img src=x"));
    assert!(house.get("/attached/1").body.contains("the text"));
}

#[test]
fn the_page_speaks_the_browsers_language_or_the_one_chosen() {
    let house = local();
    let german = "Accept: text/html\r\nAccept-Language: de-AT,de;q=0.9,en;q=0.5\r\n";
    let page = house.ask("GET", "/settings", german, "").body;
    assert!(page.contains("<html lang=\"de\" dir=\"ltr\""), "{page}");
    assert!(page.contains("Neue Unterhaltung") && page.contains("Wann psi lernt"), "{page}");
    assert!(page.contains("data-texts=") && !page.contains("New conversation"), "{page}");
    let gone = house.ask("GET", "/c/999", german, "");
    assert!(gone.status == 404 && gone.body.contains("Das gibt es hier nicht"), "{}", gone.body);
    let page = house.get("/settings").body;
    assert!(page.contains("lang=\"en\"") && !page.contains("data-texts="), "{page}");

    let csrf = house.csrf();
    let chosen = house.ask("POST", "/api/settings", &csrf, r#"{"page.language": "fr"}"#);
    assert_eq!(chosen.status, 200, "{}", chosen.body);
    let page = house.ask("GET", "/", german, "").body;
    assert!(page.contains("lang=\"fr\"") && page.contains("Nouvelle conversation"), "{page}");
    let other = house.ask("POST", "/api/settings", &csrf, r#"{"page.language": "xx"}"#);
    assert_eq!(other.status, 400);
    let auto = house.ask("POST", "/api/settings", &csrf, r#"{"page.language": "auto"}"#);
    assert_eq!(auto.status, 200);
    assert!(house.ask("GET", "/", german, "").body.contains("lang=\"de\""));
}

#[test]
fn t34_an_import_brings_text_and_nothing_else() {
    let house = local();
    let document = serde_json::json!({"format": "psi-conversations", "version": 1,
        "grants": [{"tool": "write_file", "given": true}], "settings": {"web.enabled": true},
        "conversations": [{"title": MARKUP, "created_at": 0, "messages": [
            {"id": 0, "parent": null, "role": "assistant", "state": "complete", "created_at": 0,
             "content": format!("<script>alert(1)</script>{MARKUP}")}]}]});
    let answer = house.ask("POST", "/api/import?name=x.json", &house.csrf(), &document.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let page = house.get("/c/1").body;
    assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{page}");
    assert!(house.assistant.grants().list().unwrap().is_empty());
    assert!(!house.assistant.settings().flag("web.enabled").unwrap());
}

#[test]
fn prompts_and_commands_answer_programs_too() {
    let house = local();
    let csrf = house.csrf();
    let post = |path: &str, body: serde_json::Value| {
        let answer = house.ask("POST", path, &csrf, &body.to_string());
        (answer.status, serde_json::from_str::<serde_json::Value>(&answer.body).unwrap())
    };
    let json = |text: &str| serde_json::json!({ "line": text });
    let made =
        post("/api/prompts", serde_json::json!({ "name": "ask", "text": "In {{a}}: {{b}}" }));
    assert_eq!((made.0, &made.1["prompt"]["placeholders"][1]), (200, &"b".into()));
    let missing = post("/api/command", json("/ask French"));
    assert_eq!((missing.0, &missing.1["missing"]), (200, &serde_json::json!(["b"])));
    let filled = serde_json::json!({ "line": "/ask French", "value-b": "{{a}}" });
    assert_eq!(post("/api/command", filled).1["page"]["insert"], "In French: {{a}}");
    let kept = post("/api/command", json("/remember my sister Ana lives in Lisbon"));
    assert_eq!((kept.0, &kept.1["fact"]["kind"]), (200, &"other".into()), "{}", kept.1);
    assert_eq!(house.assistant.memory().list(false, 9, 0).unwrap().len(), 1);
    for (line, why) in [
        ("/nothing", "there is no /nothing"),
        ("/quit", "in the terminal"),
        ("/remember", "needs something"),
        ("/retry", "no conversation"),
        ("hello", "is no command"),
    ] {
        let refused = post("/api/command", json(line));
        let said = refused.1["error"]["message"].as_str().unwrap();
        assert!(refused.0 == 400 && said.contains(why), "{line}: {said}");
    }
    let file = house.get("/api/prompts/export");
    assert!(file.head.contains("attachment") && file.body.contains("psi-prompts"), "{}", file.body);
    let again = house.ask("POST", "/api/prompts/import?name=x.json", &csrf, &file.body);
    assert!(again.body.contains("1 were here already"), "{}", again.body);
    let wrong = house.ask("POST", "/api/prompts/import?name=x.json", &csrf, "[{}]");
    assert!(wrong.status == 400 && wrong.body.contains("item 1"), "{}", wrong.body);
}

#[test]
fn t12_t37_every_answer_says_what_a_browser_may_do() {
    let house = local();
    for (method, path) in routes() {
        let head = house.ask(method, &path, "", "").head.to_lowercase();
        for header in [
            "content-security-policy: default-src 'none'",
            "frame-ancestors 'none'",
            "x-frame-options: deny",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
            "cross-origin-opener-policy: same-origin",
        ] {
            assert!(head.contains(header), "{method} {path} lacks {header}: {head}");
        }
        assert!(!head.contains("access-control-allow"), "{path}: {head}");
    }
}

#[test]
fn t29_paths_do_not_lead_out_of_the_pages_own_files() {
    let house = local();
    psi_store::write_atomic(&house.home.path().join("secret"), b"planted").unwrap();
    for path in [
        "/assets/../secret",
        "/assets/..%2Fsecret",
        "/assets/%2e%2e%2fpsi.db",
        "/assets/..%5Cpsi.db",
        "/assets/psi.css%00",
        "/files/..%2F1",
        "/attached/..",
        "/runs/..%2F..%2Fsecret",
    ] {
        let answer = house.get(path);
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
        assert!(!answer.body.contains("planted"), "{path}");
    }
}

#[test]
fn t33_a_body_that_is_too_large_or_never_comes_ends_in_an_answer() {
    let house = local();
    let csrf = house.csrf();
    let large = "x".repeat(3 << 20);
    assert_eq!(house.ask("POST", "/api/memory", &csrf, &large).status, 413);
    for body in ["{", "[]", "{\"text\": 1}", "\u{feff}{}", "null"] {
        let answer = house.ask("POST", "/api/memory", &csrf, body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
    }
}

#[test]
fn tasks_answer_programs_too() {
    let house = local();
    let csrf = house.csrf();
    let post = |path: &str, body: serde_json::Value| {
        let answer = house.ask("POST", path, &csrf, &body.to_string());
        (answer.status, serde_json::from_str::<serde_json::Value>(&answer.body).unwrap())
    };
    let tea = serde_json::json!({ "kind": "remind", "text": "tea", "repeat": "every", "minutes": 5, "zone": "UTC" });
    let made = post("/api/tasks", tea);
    assert_eq!((made.0, &made.1["task"]["when"]), (200, &"every 5".into()), "{}", made.1);
    assert_eq!(made.1["task"]["next_at"], 300_000);
    let run = post("/api/tasks/1/run", serde_json::json!({}));
    assert_eq!((run.0, &run.1["run"]["told"]), (200, &"tea".into()), "{}", run.1);
    assert!(house.get("/tasks/notices").body.contains("data-count=\"1\""));
    assert_eq!(post("/api/tasks/seen", serde_json::json!({})).0, 200);
    assert!(house.get("/tasks/notices").body.contains("data-count=\"0\""));
    assert_eq!(post("/api/tasks/1/pause", serde_json::json!({ "paused": true })).0, 200);
    assert!(house.get("/api/tasks").body.contains("\"paused\":true"));
    for wrong in [
        serde_json::json!({ "kind": "ask", "text": "x", "repeat": "daily", "time": "25:00" }),
        serde_json::json!({ "kind": "ask", "text": "x", "repeat": "once", "at": "1969-01-01 00:00" }),
        serde_json::json!({ "kind": "run", "text": "x", "repeat": "daily", "at": "07:00" }),
        serde_json::json!({ "kind": "ask", "text": "x", "repeat": "daily", "at": "07:00", "zone": "Nowhere" }),
    ] {
        assert_eq!(post("/api/tasks", wrong.clone()).0, 400, "{wrong}");
    }
    assert_eq!(post("/api/tasks/1/delete", serde_json::json!({})).0, 200);
    assert_eq!(post("/api/tasks/1/run", serde_json::json!({})).0, 404);
}

#[test]
fn the_page_can_be_installed_and_its_files_have_their_hash() {
    let house = local();
    let page = house.get("/").body;
    assert!(page.contains("rel=\"manifest\"") && page.contains("/assets/app.js?h="), "{page}");
    for (name, kind) in [
        ("app.webmanifest", "application/manifest+json"),
        ("icon-192.png", "image/png"),
        ("worker.js", "text/javascript"),
        ("offline.html", "text/html"),
    ] {
        let answer = house.get(&format!("/assets/{name}"));
        assert!(answer.status == 200 && answer.head.contains(kind), "{name}: {}", answer.head);
    }
    let worker = house.get("/assets/worker.js");
    assert!(worker.head.to_lowercase().contains("service-worker-allowed: /"), "{}", worker.head);
    assert!(worker.head.contains("manifest-src 'self'"), "{}", worker.head);
}

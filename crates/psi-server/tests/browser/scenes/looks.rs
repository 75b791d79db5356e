//! How the pages look and read: for eyes, for screen readers, on phones.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::{ask, begin, clean, finished, say};
use crate::{
    chrome::{Chrome, Tab},
    server::Server,
};

/// Pages that are there from the beginning, with the names of their pictures.
const EMPTY: &[(&str, &str)] = &[
    ("empty-first", "/"),
    ("empty-memory", "/memory"),
    ("empty-files", "/files"),
    ("empty-prompts", "/prompts"),
    ("empty-tasks", "/tasks"),
    ("empty-projects", "/projects"),
    ("empty-review", "/review"),
    ("empty-runs", "/runs"),
];

/// Every page that can be opened, once there is something on it.
fn pages(server: &Server, tab: &Tab) -> Vec<(&'static str, String)> {
    let conversation = conversation(tab);
    let compare = compare(tab);
    let file = library(server, tab);
    train(server);
    super::commanding::save(tab, server, "translate", "Translate into {{language}}:\n\n{{text}}");
    super::commanding::save(tab, server, "brief", "Answer in one sentence.");
    super::tasks::make(tab, server);
    super::remembering::make_project(tab, server);
    let fixed = [
        ("first", "/"),
        ("memory", "/memory"),
        ("files", "/files"),
        ("projects", "/projects"),
        ("prompts", "/prompts"),
        ("tasks", "/tasks"),
        ("offline", "/assets/offline.html"),
        ("review", "/review"),
        ("learning", "/learning"),
        ("models", "/models"),
        ("runs", "/runs"),
        ("run", "/runs/first-steps"),
        ("settings", "/settings"),
        ("missing", "/c/4711"),
    ];
    let mut pages: Vec<_> = fixed.map(|(name, path)| (name, path.to_owned())).to_vec();
    pages.extend([("conversation", conversation), ("compare", compare), ("file", file)]);
    pages
}

/// Two answers to one question; the path of the page that compares them.
fn compare(tab: &Tab) -> String {
    tab.press("Alt+n");
    tab.wait("location.pathname === '/'");
    ask(tab, "Which one do you like better?");
    tab.click(".msg.assistant .menu summary");
    tab.click(".msg.assistant [data-post$='/compare']");
    tab.wait("document.querySelectorAll('.two .answer').length === 2");
    tab.text("location.pathname")
}

/// A folder of notes that is indexed; the path of a file of it, with a passage marked.
fn library(server: &Server, tab: &Tab) -> String {
    super::reading::notes(server);
    super::reading::add(tab, server);
    super::reading::search(tab, "steep");
    tab.text("document.querySelector('#found a').getAttribute('href')")
}

/// A run in the middle of its training.
#[expect(clippy::disallowed_methods, reason = "a scene's own files")]
fn train(server: &Server) {
    let dir = server.path("runs/first-steps");
    fs::create_dir_all(&dir).expect("a folder");
    let line = |step: u32| {
        let noise = f64::from(step * 37 % 17) / 80.0;
        let loss = 2.1 + 6.0 / (1.0 + f64::from(step) / 25.0) + noise;
        json!({ "step": step, "loss": loss, "tokens": step * 8192, "tokens_per_s": 5200.0 + 40.0 * noise,
            "lr": 0.003 * (1.0 - f64::from(step) / 500.0), "grad_norm": 0.6 + noise })
            .to_string()
    };
    let lines: Vec<String> = (1..=260).map(line).collect();
    fs::write(dir.join("metrics.jsonl"), lines.join("\n") + "\n").expect("written");
    let sample = json!({ "step": 250, "prompt": "Once upon a time", "text": " there was a small heron that counted its fish." });
    fs::write(dir.join("samples.jsonl"), format!("{sample}\n")).expect("written");
}

/// The build's folder, beside the programs that are built.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("this program");
    program.ancestors().nth(3).expect("target/debug/deps/program").to_owned()
}

/// A conversation with everything in it; the path of its page.
fn conversation(tab: &Tab) -> String {
    ask(tab, "Remember that my sister Ana lives in Lisbon.");
    tab.press("Alt+n");
    tab.wait("location.pathname === '/'");
    ask(tab, "Where does Ana live?");
    say(tab, "show everything");
    tab.sees("Geometry has two");
    finished(tab);
    say(tab, "use calculate {\"expression\": \"1234 * 5678\"}");
    tab.sees("The tool said");
    finished(tab);
    say(tab, "And in one line?");
    tab.sees("to: And in one line?");
    finished(tab);
    tab.text("location.pathname")
}

pub(crate) fn accessible(chrome: &Chrome) {
    let source = target().join("axe/package/axe.min.js");
    let Ok(axe) = fs::read_to_string(&source) else {
        eprintln!("  skipped: {} is not there (.ci/browser.sh fetches it)", source.display());
        return;
    };
    let (server, tab) = begin(chrome);
    let pages = pages(&server, &tab);
    let mut found = Vec::new();
    for dark in [false, true] {
        tab.dark(dark);
        for (_, path) in &pages {
            tab.open(&server.at(path));
            tab.wait("document.querySelector('h1')");
            found.extend(serious(&tab, &axe, &format!("{path} dark={dark}")));
        }
    }
    // Questions, dialogs and menus too.
    tab.open(&server.at("/"));
    say(&tab, "use write_note {\"title\": \"Shopping\", \"text\": \"milk and bread\"}");
    tab.wait("document.querySelector('.card.asking')");
    found.extend(serious(&tab, &axe, "a call that waits"));
    tab.eval("document.activeElement.blur()");
    tab.press("?");
    tab.wait("document.querySelector('#keys[open]')");
    found.extend(serious(&tab, &axe, "the keys"));
    tab.press("Escape");
    for (typed, shown) in [("/", "#slash:not([hidden])"), ("/translate", "#fill[open]")] {
        super::commanding::type_slash(&tab, typed);
        if typed != "/" {
            tab.press("Enter");
        }
        tab.wait(&format!("document.querySelector('{shown}')"));
        found.extend(serious(&tab, &axe, typed));
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// What axe-core calls serious or critical; all else is told.
fn serious(tab: &Tab, axe: &str, place: &str) -> Vec<String> {
    tab.eval(axe);
    let result =
        tab.eval("axe.run(document, { resultTypes: ['violations'] }).then(r => r.violations)");
    let mut found = Vec::new();
    for violation in result.as_array().into_iter().flatten() {
        let impact = violation["impact"].as_str().unwrap_or_default();
        let nodes = violation["nodes"].as_array().into_iter().flatten();
        let nodes: Vec<&Value> = nodes.map(|n| &n["html"]).collect();
        let (id, help) = (&violation["id"], &violation["help"]);
        let line = format!("{place} {impact} {id}: {help} {nodes:?}");
        eprintln!("  {line}");
        if ["serious", "critical"].contains(&impact) {
            found.push(line);
        }
    }
    found
}

pub(crate) fn narrow(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    let pages = pages(&server, &tab);
    for width in [390, 320] {
        tab.screen(width, 720, true);
        for (_, path) in &pages {
            tab.open(&server.at(path));
            tab.wait("document.querySelector('h1')");
            let over = tab.eval("document.documentElement.scrollWidth - innerWidth");
            assert!(
                over.as_f64().is_some_and(|px| px <= 0.0),
                "{path} is {over} px wider than {width}"
            );
        }
    }
    // The side bar opens, takes the focus and closes.
    tab.open(&server.at("/"));
    tab.click(".open-side");
    tab.wait("document.querySelector('#side.open') && document.querySelector('#side').contains(document.activeElement)");
    tab.press("Escape");
    tab.wait("!document.querySelector('#side.open')");
    clean(&server, &tab);
}

/// Window sizes and schemes, with what they add to the names of pictures.
const LOOKS: [(&str, u32, u32, bool, bool); 4] = [
    ("", 1280, 860, false, false),
    ("-dark", 1280, 860, false, true),
    ("-phone", 390, 844, true, false),
    ("-phone-dark", 390, 844, true, true),
];

pub(crate) fn pictures(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    let empty: Vec<_> = EMPTY.iter().map(|(name, path)| (*name, (*path).to_owned())).collect();
    take(&server, &tab, &empty);
    tab.open(&server.at("/"));
    let pages = pages(&server, &tab);
    take(&server, &tab, &pages);
    tab.open(&server.at("/"));
    say(&tab, "use write_note {\"title\": \"Shopping\", \"text\": \"milk and bread\"}");
    tab.wait("document.querySelector('.card.asking')");
    for (suffix, width, height, phone, dark) in LOOKS {
        tab.screen(width, height, phone);
        tab.dark(dark);
        settle();
        keep(&tab, &format!("asking{suffix}"));
        tab.eval("document.activeElement.blur()");
        tab.press("?");
        tab.wait("document.querySelector('#keys[open]')");
        keep(&tab, &format!("keys{suffix}"));
        tab.press("Escape");
        super::commanding::type_slash(&tab, "/");
        keep(&tab, &format!("slash{suffix}"));
        super::commanding::type_slash(&tab, "/translate");
        tab.press("Enter");
        tab.wait("document.querySelector('#fill[open]')");
        keep(&tab, &format!("fill{suffix}"));
        tab.press("Escape");
        if phone {
            tab.click(".open-side");
            settle();
            keep(&tab, &format!("side{suffix}"));
            tab.press("Escape");
            settle();
        }
    }
}

/// What moves comes to rest.
fn settle() {
    std::thread::sleep(std::time::Duration::from_millis(400));
}

/// Pictures of pages in every size and scheme; the whole of long ones, as one reads them.
fn take(server: &Server, tab: &Tab, pages: &[(&'static str, String)]) {
    for (suffix, width, height, phone, dark) in LOOKS {
        tab.dark(dark);
        for (name, path) in pages {
            tab.screen(width, height, phone);
            tab.open(&server.at(path));
            tab.wait("document.querySelector('h1')");
            keep(tab, &format!("{name}{suffix}"));
            let whole = tab.eval("(p => p && p.scrollHeight > p.clientHeight ? p.scrollHeight : 0)(document.querySelector('.page'))");
            let whole = whole.as_u64().unwrap_or(0) as u32 + 60;
            if whole > height {
                tab.screen(width, whole.min(3600), phone);
                keep(tab, &format!("{name}{suffix}-whole"));
            }
        }
    }
}

/// Keeps a picture beside the build, to be looked at.
#[expect(clippy::disallowed_methods, reason = "a picture for whoever ran the scenes")]
fn keep(tab: &Tab, name: &str) {
    let folder = target().join("screenshots");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(format!("{name}.png")), tab.picture()).expect("written");
    assert_eq!(tab.eval("document.images.length > 0 ? [...document.images].every(i => i.complete && i.naturalWidth) : true"), json!(true));
}

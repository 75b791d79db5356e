//! How the pages look and read: for eyes, for screen readers, on phones.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::{ask, begin, clean, finished, say};
use crate::{
    chrome::{Chrome, Tab},
    server::Server,
};

/// Every page that can be opened, with the name of its picture.
const PAGES: &[(&str, &str)] =
    &[("first", "/"), ("settings", "/settings"), ("models", "/models"), ("runs", "/runs")];

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
    let own = conversation(&tab);
    let mut found = Vec::new();
    for dark in [false, true] {
        tab.dark(dark);
        for (_, path) in PAGES.iter().chain(&[("conversation", own.as_str())]) {
            tab.open(&server.at(path));
            tab.wait("document.querySelector('h1')");
            tab.eval(&axe);
            let result = tab
                .eval("axe.run(document, { resultTypes: ['violations'] }).then(r => r.violations)");
            for violation in result.as_array().into_iter().flatten() {
                let impact = violation["impact"].as_str().unwrap_or_default();
                let nodes: Vec<&Value> = violation["nodes"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|n| &n["html"])
                    .collect();
                let line = format!(
                    "{path} dark={dark} {impact} {}: {} {nodes:?}",
                    violation["id"], violation["help"]
                );
                eprintln!("  {line}");
                if ["serious", "critical"].contains(&impact) {
                    found.push(line);
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

pub(crate) fn narrow(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    let own = conversation(&tab);
    for width in [390, 320] {
        tab.screen(width, 720, true);
        for (_, path) in PAGES.iter().chain(&[("conversation", own.as_str())]) {
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
    tab.click(".open-side");
    tab.wait("document.querySelector('#side.open') && document.querySelector('#side').contains(document.activeElement)");
    tab.press("Escape");
    tab.wait("!document.querySelector('#side.open')");
    clean(&server, &tab);
}

pub(crate) fn pictures(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    let own = conversation(&tab);
    for (suffix, width, height, phone, dark) in [
        ("", 1280, 860, false, false),
        ("-dark", 1280, 860, false, true),
        ("-phone", 390, 844, true, false),
    ] {
        tab.screen(width, height, phone);
        tab.dark(dark);
        for (name, path) in PAGES.iter().chain(&[("conversation", own.as_str())]) {
            take(&server, &tab, &format!("{name}{suffix}"), path);
        }
    }
    tab.screen(1280, 860, false);
    tab.dark(false);
    tab.open(&server.at("/"));
    say(&tab, "use write_note {\"title\": \"Shopping\", \"text\": \"milk and bread\"}");
    tab.wait("document.querySelector('.card.asking')");
    keep(&tab, "asking");
    tab.screen(390, 844, true);
    tab.click(".open-side");
    std::thread::sleep(std::time::Duration::from_millis(400));
    keep(&tab, "side-phone");
}

fn take(server: &Server, tab: &Tab, name: &str, path: &str) {
    tab.open(&server.at(path));
    tab.wait("document.querySelector('h1')");
    keep(tab, name);
}

/// Keeps a picture beside the build, to be looked at.
#[expect(clippy::disallowed_methods, reason = "a picture for whoever ran the scenes")]
fn keep(tab: &Tab, name: &str) {
    let folder = target().join("screenshots");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(format!("{name}.png")), tab.picture()).expect("written");
    assert_eq!(tab.eval("document.images.length > 0 ? [...document.images].every(i => i.complete && i.naturalWidth) : true"), json!(true));
}

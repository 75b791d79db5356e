//! Files that psi reads: indexed, searched, cited, followed when they change; and what their text may not do.

use std::fs;

use serde_json::json;

use super::{ask, begin, clean, finished, say};
use crate::{
    chrome::{Chrome, Tab},
    server::Server,
};

/// A folder of notes beside the server's own.
#[expect(clippy::disallowed_methods, reason = "a scene's own files")]
pub(crate) fn notes(server: &Server) {
    let folder = server.notes();
    fs::create_dir_all(&folder).expect("a folder");
    let tea = "# Tea\n\nGreen tea wants water of 80 degrees.\nLet it steep for two minutes.\n";
    fs::write(folder.join("tea.md"), tea).expect("written");
    let filler = "The heron stands and waits.\n".repeat(120);
    let late = format!("# Birds\n\n{filler}\nThe ibis wades at dusk.\n\n{filler}");
    fs::write(folder.join("birds.md"), late).expect("written");
    fs::write(folder.join("<img src=x onerror=hacked=1>.md"), "An odd name.\n").expect("written");
}

/// Adds the folder on its page and waits until it is read.
pub(crate) fn add(tab: &Tab, server: &Server) {
    tab.open(&server.at("/files"));
    tab.click("#main form[data-send] [name=path]");
    tab.write(server.notes().to_str().expect("UTF-8"));
    tab.press("Enter");
    tab.sees("3 files read");
}

/// Searches on the files' page.
pub(crate) fn search(tab: &Tab, words: &str) {
    tab.click("#main form[role=search] input");
    tab.eval("document.activeElement.value = ''");
    tab.write(words);
    tab.wait(&format!(
        "document.querySelector('#found .said')?.innerText.includes({})",
        json!(words)
    ));
}

pub(crate) fn read(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    notes(&server);
    add(&tab, &server);
    search(&tab, "ibis");
    // A citation opens the file at the passage.
    tab.click("#found a");
    tab.wait("location.pathname.startsWith('/files/') && document.querySelector('mark#here')?.innerText.includes('ibis')");
    tab.wait("(r => r.bottom > 0 && r.top < innerHeight)(document.querySelector('#here').getBoundingClientRect())");
    // An answer lists what it read, and the list leads there too.
    tab.open(&server.at("/"));
    say(&tab, "use search_knowledge {\"query\": \"how long must green tea steep\"}");
    tab.sees("The tool said");
    finished(&tab);
    tab.wait("document.querySelector('[id$=-read]')?.innerText.includes('tea.md')");
    tab.click("[id$=-read] a");
    tab.wait("document.querySelector('mark#here')?.innerText.includes('two minutes')");
    // What is gone from the folder is gone here.
    fs::remove_file(server.notes().join("tea.md")).expect("removed");
    tab.open(&server.at("/files"));
    tab.click("[data-post='/api/files/refresh']");
    tab.sees("2 files read");
    assert_eq!(tab.eval("window.hacked ?? null"), json!(null));
    clean(&server, &tab);
}

pub(crate) fn untrusted(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    notes(&server);
    add(&tab, &server);
    // Allowed for ever, until text of others stands in the conversation.
    tab.open(&server.at("/"));
    say(&tab, "use write_note {\"title\": \"One\", \"text\": \"1\"}");
    tab.wait("document.querySelector('.card.asking')");
    tab.click(".card.asking [value=always]");
    tab.sees("The tool said");
    finished(&tab);
    say(&tab, "use write_note {\"title\": \"Two\", \"text\": \"2\"}");
    tab.wait("document.querySelectorAll('.msg.assistant .answer').length >= 4");
    finished(&tab);
    ask(&tab, "use search_knowledge {\"query\": \"ibis\"}");
    say(&tab, "use write_note {\"title\": \"Three\", \"text\": \"3\"}");
    tab.wait("document.querySelector('.card.asking')?.innerText.includes('Text of others')");
    tab.eval("document.activeElement.blur()");
    tab.press("Alt+x");
    tab.sees("denied");
    finished(&tab);
    assert_eq!(fs::read_dir(server.path("notes")).expect("notes").count(), 2);
    clean(&server, &tab);
}

pub(crate) fn settings(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    tab.open(&server.at("/settings"));
    tab.wait("document.querySelector('#set-answer-max_steps')");
    tab.eval("document.querySelector('#set-answer-max_steps').value = ''");
    tab.click("#set-answer-max_steps");
    tab.write("3");
    tab.eval("document.activeElement.blur()");
    tab.click("[name=theme][value=dark]");
    tab.wait("getComputedStyle(document.body).colorScheme === 'dark' || document.documentElement.dataset.theme === 'dark'");
    // Folders of the system and psi's own are refused where they are kept.
    for path in ["/etc", server.path("").to_str().expect("UTF-8")] {
        tab.click("form[data-send='/api/folders'] [name=path]");
        tab.eval("document.activeElement.value = ''");
        tab.write(path);
        tab.press("Enter");
        tab.wait("!document.querySelector('#toast').hidden");
        tab.eval("document.querySelector('#toast').hidden = true");
    }
    tab.reload();
    tab.wait("document.querySelector('#set-answer-max_steps')?.value === '3'");
    assert_eq!(tab.text("document.documentElement.dataset.theme"), "dark");
    assert_eq!(
        tab.eval("document.querySelectorAll('[data-post=\"/api/folders/remove\"]').length"),
        json!(0)
    );
    clean(&server, &tab);
}

pub(crate) fn attach(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    notes(&server);
    tab.give("#attach", &[server.notes().join("birds.md"), server.notes().join("tea.md")]);
    tab.wait("document.querySelectorAll('#given .chip').length === 2");
    tab.click("#given .chip:nth-child(2) button");
    tab.wait("document.querySelectorAll('#given .chip').length === 1");
    ask(&tab, "When does the ibis wade?");
    tab.wait("!document.querySelector('#given .chip')");
    // The model saw the passage that fits, and the reader can open it there.
    tab.sees("The ibis wades at dusk.");
    tab.click(".attached a.num");
    tab.wait("location.pathname.startsWith('/attached/') && document.querySelector('mark#here')");
    tab.sees("birds.md");
    // A picture is no text, and says so.
    tab.open(&server.at("/"));
    tab.give("#attach", &[server.picture()]);
    tab.sees("it is not a file of text");
    clean(&server, &tab);
}

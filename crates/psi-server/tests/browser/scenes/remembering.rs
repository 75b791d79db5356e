//! Tools that ask first, memory that shows its sources.

use serde_json::json;

use super::{ask, begin, clean, finished, say};
use crate::{
    chrome::{Chrome, Tab},
    server::Server,
};

pub(crate) fn approve(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    say(&tab, "use write_note {\"title\": \"Shopping\", \"text\": \"milk\"}");
    tab.wait("document.querySelector('.card.asking')");
    assert!(!server.path("notes").exists(), "nothing has run yet");
    // Another tab shows the question too.
    let second = chrome.beside(&tab);
    second.open(&tab.text("location.href"));
    second.wait("document.querySelector('.card.asking textarea')?.value.includes('milk')");
    // The arguments can be changed before the call is allowed.
    tab.eval("(() => { const t = document.querySelector('.card.asking textarea'); t.value = t.value.replace('milk', 'oat milk'); })()");
    tab.click(".card.asking [value=once]");
    tab.sees("The tool said:");
    finished(&tab);
    second.wait("!document.querySelector('.card.asking')");
    let notes: Vec<_> = std::fs::read_dir(server.path("notes")).expect("notes").flatten().collect();
    let text = std::fs::read_to_string(notes[0].path()).expect("the note");
    assert!(text.contains("oat milk"), "{text}");
    tab.click(".msg.assistant .card summary");
    tab.sees("You allowed it once");
    // Once is once: the next call asks again, and always is remembered in the settings.
    say(&tab, "use write_note {\"title\": \"More\", \"text\": \"bread\"}");
    tab.wait("document.querySelector('.card.asking')");
    tab.click(".card.asking [value=always]");
    tab.wait("document.querySelectorAll('.msg.assistant .answer').length >= 4");
    finished(&tab);
    tab.open(&server.at("/settings"));
    tab.sees("write_note");
    clean(&server, &tab);
}

pub(crate) fn deny(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    say(&tab, "use write_note {\"title\": \"Secret\", \"text\": \"no\"}");
    tab.wait("document.querySelector('.card.asking')");
    tab.reload();
    tab.wait("document.querySelector('.card.asking')");
    tab.eval("document.activeElement.blur()");
    tab.press("Alt+x");
    tab.sees("denied");
    tab.sees("The tool said:");
    finished(&tab);
    assert!(!server.path("notes").exists(), "a denied call does not run");
    clean(&server, &tab);
}

pub(crate) fn remember(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    ask(&tab, "Remember that my sister Ana lives in Lisbon.");
    let first = tab.text("location.pathname");
    tab.press("Alt+n");
    tab.wait("location.pathname === '/'");
    ask(&tab, "Where does Ana live?");
    tab.wait("document.querySelector('[id$=-used] summary')");
    tab.click("[id$=-used] summary");
    tab.sees("Lisbon");
    // Its source is the message in the other conversation.
    tab.click("[id$=-used] a[href^='/m/']");
    tab.wait(&format!("location.pathname === {}", json!(first)));
    tab.wait("document.querySelector('.msg.user:target')?.innerText.includes('Lisbon')");
    clean(&server, &tab);
}

pub(crate) fn forget(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    ask(&tab, "Remember that my dog is called Ypsilon.");
    let conversation = tab.text("location.pathname.split('/').pop()");
    tab.open(&server.at("/memory"));
    tab.sees("Ypsilon");
    // Corrected, pinned, found.
    tab.click("#facts [aria-label='Always put before the model']");
    tab.wait("document.querySelector('#facts [aria-pressed=true]')");
    tab.click("input[type=search][name=q]");
    tab.write("dog");
    tab.wait("document.querySelector('#facts .num')");
    tab.click("#facts [aria-label=Forget]");
    tab.click("#confirm [value=yes]");
    tab.wait("!document.querySelector('#facts .thing')");
    tab.sees("Forgotten.");
    // With the conversation gone too, the file does not hold the word any more.
    let gone = format!(
        "fetch('/api/conversations/{conversation}/delete', {{method: 'POST', headers: {{'x-psi-csrf': document.querySelector('meta[name=csrf]').content}}}}).then(r => r.ok)"
    );
    assert_eq!(tab.eval(&gone), json!(true));
    let stored = server.stored();
    assert!(!stored.windows(7).any(|w| w == b"Ypsilon"), "what is forgotten is gone from the file");
    clean(&server, &tab);
}

pub(crate) fn judge(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    ask(&tab, "rate me");
    tab.press("Alt+u");
    tab.wait("document.querySelector('[aria-label=\"A good answer\"][aria-pressed=true]')");
    tab.press("Alt+b");
    tab.wait("document.querySelector('#better[open] textarea')?.value.includes('rate me')");
    tab.write(" Better.");
    tab.click("#better .primary");
    tab.sees("psi learns from it");
    // Two answers side by side, and a choice between them.
    tab.click(".msg.assistant .menu summary");
    tab.click(".msg.assistant [data-post$='/compare']");
    tab.wait("location.pathname.startsWith('/compare/')");
    tab.wait("document.querySelectorAll('.two .answer').length === 2 && document.querySelector('[data-post=\"/api/compare\"]')");
    tab.press("1");
    tab.wait("location.pathname.startsWith('/c/')");
    // What has not been judged comes to the queue, and the keyboard is enough for it.
    ask(&tab, "judge me later");
    tab.open(&server.at("/review"));
    tab.sees("to: judge me later");
    tab.press("2");
    tab.wait("!document.querySelector('#review').innerText.includes('judge me later')");
    clean(&server, &tab);
}

pub(crate) fn models(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    ask(&tab, "who answers?");
    // This conversation asks for another model from now on, and is told something of its own.
    tab.click("[data-dialog=configuration]");
    tab.wait("document.querySelector('#configuration[open]')");
    tab.eval("document.querySelector('#configuration select').value = 'large-32b'");
    tab.click("#configuration textarea");
    tab.write("Be brief.");
    tab.click("#configuration .primary");
    tab.wait("document.querySelector('.bar .chip')?.innerText.includes('large-32b')");
    ask(&tab, "and now?");
    let kept = "(() => { const x = new XMLHttpRequest(); x.open('GET', '/api' + location.pathname.replace('/c/', '/conversations/'), false); x.send(); return x.responseText; })()";
    tab.wait(&format!("{kept}.split('\"model\":\"large-32b\"').length > 2"));
    // An answer of one model beside that of another, without their names.
    tab.click(".msg.assistant .menu summary");
    tab.click(".msg.assistant [data-dialog=other-model]");
    tab.click("#other-model .primary");
    tab.wait("location.pathname.startsWith('/compare/')");
    tab.wait("document.querySelectorAll('.two .answer').length === 2 && document.querySelector('[data-post=\"/api/compare\"]')");
    tab.press("2");
    tab.wait("location.pathname.startsWith('/c/')");
    clean(&server, &tab);
}

pub(crate) fn learn(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    tab.open(&server.at("/learning"));
    tab.sees("psi-nano@5e41");
    // A round that goes on says how far it is, and can be stopped.
    tab.click("[data-post='/api/learning/start']");
    tab.sees("step 12 of 120");
    tab.click("[data-post='/api/learning/stop']");
    tab.sees("What was trained is kept");
    // A judgement is struck out, and taken in again.
    tab.click("#to-learn [data-post='/api/learning/strike']");
    tab.wait("document.querySelector('#left-out')?.innerText.includes('How far is it to Leeds?')");
    tab.click("#left-out [data-post='/api/learning/strike']");
    tab.wait("document.querySelector('#to-learn')?.innerText.includes('How far is it to Leeds?')");
    // What the gate measured stands beside what was learned; taking it back asks first.
    tab.sees("kept out feedback");
    tab.click("[data-post='/api/learning/rollback']");
    tab.wait("document.querySelector('#confirm[open]')");
    tab.click("#confirm [value=yes]");
    tab.sees("taken back");
    clean(&server, &tab);
}

/// A project with a conversation in it.
pub(crate) fn make_project(tab: &Tab, server: &Server) {
    tab.open(&server.at("/projects"));
    tab.sees("None yet.");
    tab.click("[name=name]");
    tab.write("The house");
    tab.click("#add-instructions");
    tab.write("Sizes are in metres.");
    tab.click("main .primary");
    tab.wait("document.querySelector('#project-1')");
    tab.click("[href='/?project=1']");
    tab.wait("document.querySelector('.bar .chip')?.innerText.includes('The house')");
    ask(tab, "how wide is the door?");
}

pub(crate) fn projects(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    make_project(&tab, &server);
    tab.wait("document.querySelector('.bar .chip')?.innerText.includes('The house')");
    // Taken out, and put in again.
    for (project, there) in [("''", "null"), ("'1'", "'The house'")] {
        tab.click("[data-dialog=configuration]");
        tab.wait("document.querySelector('#configuration[open]')");
        tab.eval(&format!(
            "document.querySelector('#configuration [name=project]').value = {project}"
        ));
        tab.click("#configuration .primary");
        tab.wait(&format!(
            "(document.querySelector('.bar a.chip')?.innerText.trim() ?? null) === {there}"
        ));
    }
    tab.open(&server.at("/projects"));
    tab.sees("1 conversation");
    tab.sees("how wide is the door?");
    tab.click("[data-dialog=edit-project]");
    tab.wait("document.querySelector('#edit-project[open]')");
    tab.eval("document.querySelector('#edit-project [name=name]').value = 'The new house'");
    tab.click("#edit-project .primary");
    tab.sees("The new house");
    tab.click("#project-1 [title=Delete]");
    tab.click("#confirm [value=yes]");
    tab.wait("!document.querySelector('#project-1')");
    clean(&server, &tab);
}

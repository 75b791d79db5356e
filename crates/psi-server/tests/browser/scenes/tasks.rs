//! What psi does by itself: made on its page, run, told, waited for.

use serde_json::json;

use super::{begin, clean, finished};
use crate::{
    chrome::{Chrome, Tab},
    server::Server,
};

/// Fills the form and sends it.
fn add(tab: &Tab, kind: &str, text: &str, repeat: &str) {
    tab.click(&format!("[name=kind][value={kind}]"));
    tab.click(".task [name=text]");
    tab.write(text);
    tab.eval(&format!("(s => {{ s.value = {}; s.dispatchEvent(new Event('change', {{ bubbles: true }})); }})(document.querySelector('.task [name=repeat]'))", json!(repeat)));
    tab.click(".task .primary");
    tab.wait(&format!("document.querySelector('#tasks').innerText.includes({})", json!(text)));
    tab.wait("document.querySelector('.task [name=text]').value === ''");
}

/// A task that ran, one that is paused and a reminder that is told.
pub(super) fn make(tab: &Tab, server: &Server) {
    tab.open(&server.at("/tasks"));
    add(tab, "ask", "What is in my notes for today?", "daily");
    add(tab, "ask", "Sum up the week in three lines.", "weekly");
    add(tab, "remind", "The tea is ready", "every");
    tab.click("#task-2 [title=Pause]");
    tab.sees("paused");
    tab.click("#task-1 [title='Run now']");
    tab.wait("document.querySelector('#task-1 .used')?.innerText.includes('done')");
    tab.click("#task-3 [title='Run now']");
    tab.wait("document.querySelectorAll('#notices .told').length === 2");
}

pub(crate) fn tasks(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    // The browser's own notices, as it would be told to show them.
    tab.eval("localStorage.clear()");
    make(&tab, &server);
    // Only the fields that a choice needs are there.
    let shown = |field: &str| {
        let rects =
            format!("document.querySelector('.task [name={field}]').getClientRects().length > 0");
        tab.eval(&rects) == json!(true)
    };
    tab.eval("document.querySelector('.task').reset()");
    assert!(shown("date") && shown("time") && !shown("minutes") && !shown("day"));
    // A badge counts what was not seen, on every page; a notice leads to the conversation, which is then seen.
    tab.wait("document.querySelector('#task-badge').innerText.startsWith('2')");
    tab.open(&server.at("/memory"));
    tab.wait("document.querySelector('#task-badge').innerText.startsWith('2')");
    assert_eq!(tab.text("document.querySelector('#notices').getAttribute('role')"), "status");
    tab.click("#notices a[href^='/c/']");
    tab.wait("location.pathname.startsWith('/c/')");
    tab.sees("A task asked this.");
    tab.sees("to: What is in my notes for today?");
    tab.wait("document.querySelectorAll('#notices .told').length === 1");
    tab.click("#notices [aria-label^=Dismiss]");
    tab.wait("document.querySelector('#task-badge').hidden");
    // A tool waits, though its owner said always; meanwhile the next run is not begun.
    tab.open(&server.at("/tasks"));
    add(&tab, "ask", "use remember {\"fact\": \"planted by a schedule\"}", "daily");
    tab.click("#task-4 [title='Run now']");
    tab.wait("document.querySelector('#notices').innerText.includes('waits for your leave')");
    tab.click("#task-4 [title='Run now']");
    tab.sees("it is being carried out already");
    tab.click("#notices a[href^='/c/']");
    tab.wait("document.querySelector('.card.asking')");
    tab.sees("while nobody was here");
    tab.click(".card.asking [value=deny]");
    finished(&tab);
    // Outside the page only once its owner has switched that on.
    tab.eval("window.Notification = class { static permission = 'granted'; static requestPermission = async () => 'granted'; constructor(title, more) { window.outside = title + ': ' + more.body; } }; undefined");
    tab.open(&server.at("/tasks"));
    tab.eval("window.Notification = class { static permission = 'granted'; static requestPermission = async () => 'granted'; constructor(title, more) { window.outside = title + ': ' + more.body; } }; undefined");
    tab.click("#task-3 [title='Run now']");
    tab.wait("document.querySelectorAll('#notices .told').length > 0");
    tab.wait("JSON.parse(localStorage.getItem('told-notices')).includes(document.querySelector('#notices .told').id)");
    assert_eq!(tab.eval("window.outside ?? null"), json!(null));
    tab.click("[name='tasks.notify']");
    tab.wait("document.querySelector('#notices').dataset.notify !== undefined");
    tab.click("#task-3 [title='Run now']");
    tab.wait("window.outside === 'psi: The tea is ready: The tea is ready'");
    tab.click("#task-3 [title=Delete]");
    tab.click("#confirm [value=yes]");
    tab.wait("!document.querySelector('#task-3')");
    clean(&server, &tab);
}

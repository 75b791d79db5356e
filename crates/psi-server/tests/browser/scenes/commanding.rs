//! What is typed after a slash: saved prompts and commands, by keyboard alone.

use serde_json::json;

use super::{ask, begin, clean, finished};
use crate::{
    chrome::{Chrome, Tab},
    server::Server,
};

/// Saves a prompt on its page.
pub(super) fn save(tab: &Tab, server: &Server, name: &str, text: &str) {
    tab.open(&server.at("/prompts"));
    tab.click("[data-send='/api/prompts'] [name=name]");
    tab.write(name);
    tab.click("#add-text");
    tab.write(text);
    tab.click("[data-send='/api/prompts'] .primary");
    tab.wait(&format!("document.querySelector('#prompts').innerText.includes({})", json!(name)));
    tab.wait("document.querySelector('#add-text').value === ''");
}

/// Types into the empty field.
pub(super) fn type_slash(tab: &Tab, text: &str) {
    tab.eval("(() => { const field = document.querySelector('#say'); field.value = ''; field.focus(); })()");
    tab.write(text);
    tab.wait("!document.querySelector('#slash').hidden");
}

const CHOSEN: &str = "document.querySelector('#slash [aria-selected=true]').dataset.name";
const FIELD: &str = "document.querySelector('#say').value";

pub(crate) fn prompts(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    save(&tab, &server, "translate", "Translate into {{language}}: {{text}}");
    save(&tab, &server, "trip", "Plan a trip.");
    tab.open(&server.at("/"));
    // The list is a listbox that the field controls, and the arrows go round in it.
    tab.press("/");
    type_slash(&tab, "/tr");
    let shown = "[...document.querySelectorAll('#slash [role=option]')].filter(o => !o.hidden).map(o => o.dataset.name).join()";
    assert_eq!(tab.text(shown), "translate,trip");
    let field = "(f => [f.role, f.ariaExpanded, f.getAttribute('aria-activedescendant')].join())(document.querySelector('#say'))";
    assert_eq!(tab.text(field), "combobox,true,slash-translate");
    tab.press("ArrowDown");
    assert_eq!(tab.text(CHOSEN), "trip");
    tab.press("ArrowDown");
    assert_eq!(tab.text(CHOSEN), "translate");
    tab.press("Escape");
    tab.wait("document.querySelector('#slash').hidden");
    assert_eq!(tab.text("String(document.querySelector('#say').role)"), "null");
    // Enter takes one; its placeholders are asked for, and the text comes into the field.
    type_slash(&tab, "/tra");
    tab.press("Enter");
    tab.wait("document.querySelector('#fill[open] textarea') === document.activeElement");
    tab.write("French");
    tab.press("Tab");
    tab.write("Good morning {{language}}");
    tab.press("Tab");
    tab.press("Tab");
    tab.press("Enter");
    tab.wait("!document.querySelector('#fill[open]')");
    tab.wait(&format!("{FIELD} === 'Translate into French: Good morning {{{{language}}}}'"));
    tab.wait("document.activeElement.id === 'say'");
    tab.press("Enter");
    tab.wait("location.pathname.startsWith('/c/')");
    finished(&tab);
    tab.sees("to: Translate into French");
    // One without placeholders is there at once; the mouse chooses too.
    type_slash(&tab, "/trip");
    tab.click("#slash-trip");
    tab.wait(&format!("{FIELD} === 'Plan a trip.'"));
    // Changed and deleted on its page.
    tab.open(&server.at("/prompts"));
    tab.click("[aria-label='Change /trip']");
    tab.wait("document.querySelector('#edit-prompt[open] #edit-text')?.value === 'Plan a trip.'");
    tab.click("#edit-text");
    tab.write(" Cheaply.");
    tab.click("#edit-prompt .primary");
    tab.sees("Cheaply.");
    tab.click("[aria-label='Delete /trip']");
    tab.click("#confirm [value=yes]");
    tab.wait("!document.querySelector('#prompts').innerText.includes('/trip')");
    clean(&server, &tab);
}

pub(crate) fn commands(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    let enter = |line: &str| {
        tab.eval("document.querySelector('#say').focus()");
        tab.write(line);
        tab.press("Enter");
    };
    // What wants more words gets them typed.
    type_slash(&tab, "/rem");
    tab.press("Enter");
    tab.wait(&format!("{FIELD} === '/remember '"));
    tab.write("my dog is called Rex");
    tab.press("Enter");
    tab.sees("Remembered: my dog is called Rex");
    assert_eq!(tab.text(FIELD), "");
    assert_eq!(tab.text("location.pathname"), "/", "a command is not said");
    enter("/help");
    tab.wait("document.querySelector('#commands[open]')");
    tab.press("Escape");
    // An unknown one stays in the field, a path is something to say.
    enter("/nothing at all");
    tab.sees("there is no /nothing");
    assert_eq!(tab.text(FIELD), "/nothing at all");
    tab.eval(&format!("{FIELD} = ''"));
    ask(&tab, "/etc/hosts is what?");
    tab.sees("to: /etc/hosts is what?");
    enter("/title Hosts and names");
    tab.wait("document.querySelector('#title').innerText === 'Hosts and names'");
    enter("/retry");
    tab.wait("document.querySelector('.versions')");
    finished(&tab);
    enter("/search hosts");
    tab.wait("document.activeElement.id === 'find'");
    tab.wait("document.querySelector('#chats mark')");
    enter("/memory dog");
    tab.wait("location.pathname === '/memory'");
    tab.sees("my dog is called Rex");
    clean(&server, &tab);
}

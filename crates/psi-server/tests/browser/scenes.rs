//! What people do with the page, one scene each.

mod answers;
mod commanding;
mod looks;
mod reading;
mod remembering;
mod searching;
mod standing;
mod tasks;

use crate::{chrome::Chrome, chrome::Tab, server::Server};

/// A scene: a name that says what holds, and the play.
pub(crate) type Scene = (&'static str, fn(&Chrome));

/// Every scene.
pub(crate) const SCENES: &[Scene] = &[
    ("a question is answered, named and listed", answers::ask),
    ("an answer is stopped and keeps what was written", answers::stop),
    ("editing a question keeps both branches", answers::edit),
    ("another answer stands beside the first", answers::regenerate),
    ("a reload in mid-stream misses nothing", answers::reload),
    ("two tabs show the same answer as it grows", answers::two_tabs),
    ("a server killed in mid-stream keeps what was written and says so", answers::killed),
    ("conversations are searched, renamed, pinned and deleted", answers::manage),
    (
        "a call asks, shows its arguments and runs with those that were allowed",
        remembering::approve,
    ),
    ("a denied call does not run", remembering::deny),
    (
        "what was said in one conversation is used in another, with its source",
        remembering::remember,
    ),
    ("answers are rated, improved, compared and reviewed", remembering::judge),
    (
        "a conversation has its own model and instructions, and models are compared",
        remembering::models,
    ),
    ("conversations belong to projects, with what is said before them", remembering::projects),
    ("what is forgotten is gone", remembering::forget),
    ("what was learned is shown, chosen and taken back", remembering::learn),
    ("files are read, searched, cited at their passage and followed", reading::read),
    ("a file is attached, used where it fits, and opened there", reading::attach),
    ("text of others takes permissions back", reading::untrusted),
    ("the web is searched through a named service, and the pages are cited", searching::search),
    ("tasks and reminders are made, run, paused, told and deleted", tasks::tasks),
    ("psi is installed, and says so when it does not run", standing::installed),
    ("prompts are saved, offered after a slash, filled in and deleted", commanding::prompts),
    ("commands do what they say from the keyboard", commanding::commands),
    ("settings last, and folders of the system are refused", reading::settings),
    ("everything works from the keyboard", answers::keyboard),
    ("what others wrote stays text", answers::hostile),
    ("no page has a serious fault for a screen reader", looks::accessible),
    ("pages fit a phone and a narrow one", looks::narrow),
    ("pictures of every page", looks::pictures),
];

/// A fresh server and a tab on its first page.
fn begin(chrome: &Chrome) -> (Server, Tab) {
    let server = Server::new();
    let tab = chrome.tab();
    tab.open(&server.at("/"));
    tab.wait("document.querySelector('#say')");
    (server, tab)
}

/// Says something in the field, as a person does.
#[track_caller]
fn say(tab: &Tab, text: &str) {
    tab.click("#say");
    tab.write(text);
    tab.press("Enter");
}

/// Waits until no answer is being written.
#[track_caller]
fn finished(tab: &Tab) {
    tab.wait("location.pathname.startsWith('/c/') && document.querySelector('.msg.assistant .tools') && !document.body.classList.contains('running')");
}

/// Says something on the first page and waits for the whole answer.
#[track_caller]
fn ask(tab: &Tab, text: &str) {
    let asked = "document.querySelectorAll('.msg.user').length";
    let before = tab.eval(asked);
    say(tab, text);
    tab.wait(&format!("location.pathname.startsWith('/c/') && {asked} > {before}"));
    finished(tab);
}

/// Nothing went wrong behind the scene: no exception, no refusal of the security policy, no request elsewhere.
#[track_caller]
fn clean(server: &Server, tab: &Tab) {
    let troubles = tab.troubles(&server.at(""));
    assert!(troubles.is_empty(), "{troubles:#?}");
}

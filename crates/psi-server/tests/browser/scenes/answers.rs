//! Asking, stopping, branching, and what must survive.

use serde_json::json;

use super::{ask as ask_and_wait, begin, clean, finished, say};
use crate::chrome::{Chrome, Tab};

/// The texts of the answers that are shown.
fn answers(tab: &Tab) -> Vec<String> {
    let all = tab.eval(
        "[...document.querySelectorAll('.msg.assistant .answer')].map(a => a.innerText.trim())",
    );
    all.as_array()
        .into_iter()
        .flatten()
        .map(|a| a.as_str().unwrap_or_default().to_owned())
        .collect()
}

pub(crate) fn ask(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    ask_and_wait(&tab, "What is new?");
    assert_eq!(answers(&tab), ["Answer 1 to: What is new?"]);
    tab.wait("document.querySelector('#chats li.here')?.innerText.includes('What is new?')");
    tab.wait("document.title.startsWith('What is new?')");
    // Without losing the focus: the next question is typed at once.
    tab.wait("document.activeElement?.id === 'say'");
    tab.write("And then?");
    tab.press("Enter");
    tab.sees("Answer 2 to: And then?");
    finished(&tab);
    tab.reload();
    assert_eq!(answers(&tab), ["Answer 1 to: What is new?", "Answer 2 to: And then?"]);
    clean(&server, &tab);
}

pub(crate) fn stop(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    say(&tab, "count to 300 slowly");
    tab.sees("n5 ");
    tab.press("Escape");
    tab.sees("You stopped this answer.");
    finished(&tab);
    let written = answers(&tab);
    assert!(
        written[0].starts_with("n1 n2 n3 n4 n5") && !written[0].contains("n300"),
        "{written:?}"
    );
    tab.reload();
    assert_eq!(answers(&tab), written);
    // And another question can be asked.
    say(&tab, "still there?");
    tab.sees("to: still there?");
    clean(&server, &tab);
}

pub(crate) fn edit(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    ask_and_wait(&tab, "first wording");
    tab.press("ArrowUp");
    tab.wait("document.activeElement?.name === 'content' && document.activeElement.value === 'first wording'");
    tab.eval("document.activeElement.value = ''");
    tab.write("second wording");
    tab.click(".msg.user form .primary");
    tab.sees("to: second wording");
    finished(&tab);
    assert_eq!(answers(&tab), ["Answer 2 to: second wording"]);
    tab.wait("document.querySelector('.msg.user .versions')?.innerText.includes('2/2')");
    tab.click(".msg.user .versions [aria-label='The version before']");
    tab.wait("document.querySelector('.msg.user .versions')?.innerText.includes('1/2')");
    assert_eq!(answers(&tab), ["Answer 1 to: first wording"]);
    tab.click(".msg.user .versions [aria-label='The next version']");
    tab.wait("document.querySelector('.msg.user .versions')?.innerText.includes('2/2')");
    assert_eq!(answers(&tab), ["Answer 2 to: second wording"]);
    clean(&server, &tab);
}

pub(crate) fn regenerate(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    ask_and_wait(&tab, "again");
    tab.press("Alt+r");
    tab.sees("Answer 2 to: again");
    finished(&tab);
    tab.wait("document.querySelector('.msg.assistant .versions')?.innerText.includes('2/2')");
    assert_eq!(answers(&tab), ["Answer 2 to: again"]);
    tab.click(".msg.assistant .versions [aria-label='The version before']");
    tab.sees("Answer 1 to: again");
    clean(&server, &tab);
}

pub(crate) fn reload(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    say(&tab, "count to 80 slowly");
    tab.sees("n5 ");
    tab.reload();
    tab.sees("n10 ");
    tab.reload();
    tab.sees("n80");
    finished(&tab);
    let expected: Vec<String> = (1..=80).map(|i| format!("n{i}")).collect();
    assert_eq!(answers(&tab), [expected.join(" ")]);
    clean(&server, &tab);
}

pub(crate) fn two_tabs(chrome: &Chrome) {
    let (server, first) = begin(chrome);
    say(&first, "count to 60 slowly");
    first.sees("n3 ");
    let second = chrome.beside(&first);
    second.open(&first.text("location.href"));
    second.sees("n10 ");
    first.sees("n10 ");
    // Stopped in one, it stops in both.
    second.press("Escape");
    first.sees("You stopped this answer.");
    second.sees("You stopped this answer.");
    // And what is said in one arrives in the other.
    say(&first, "over here");
    second.sees("to: over here");
    clean(&server, &first);
    clean(&server, &second);
}

pub(crate) fn killed(chrome: &Chrome) {
    let (mut server, tab) = begin(chrome);
    say(&tab, "count to 400 slowly");
    tab.sees("n20 ");
    server.kill();
    server.restart();
    tab.sees("psi ended while this answer was being written");
    let written = answers(&tab);
    assert!(written[0].starts_with("n1 n2 n3") && !written[0].contains("n400"), "{written:?}");
    // The page that was open goes on without being loaded again.
    say(&tab, "are you back?");
    tab.sees("to: are you back?");
    clean(&server, &tab);
}

pub(crate) fn manage(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    ask_and_wait(&tab, "all about walruses");
    tab.press("Alt+n");
    tab.wait("location.pathname === '/'");
    ask_and_wait(&tab, "all about herons");
    tab.press("Control+k");
    tab.write("walrus");
    tab.wait("document.querySelector('#chats mark')?.innerText.toLowerCase().includes('walrus')");
    tab.click("#chats li a");
    tab.sees("to: all about walruses");
    tab.click("#chats li.here .menu summary");
    tab.click("#chats li.here [data-dialog=rename]");
    tab.wait("document.querySelector('#rename[open] input')");
    tab.eval("document.querySelector('#rename input').value = ''");
    tab.write("<b>Tusks</b>");
    tab.press("Enter");
    tab.wait("document.querySelector('#title').innerText === '<b>Tusks</b>'");
    tab.click("#chats li.here .menu summary");
    tab.click("#chats li.here [data-post$='/pin']");
    tab.wait("document.querySelector('#chats h2').innerText === 'Pinned'");
    tab.click("#chats li.here .menu summary");
    tab.click("#chats li.here [data-post$='/delete']");
    tab.click("#confirm [value=yes]");
    tab.wait("location.pathname === '/' && !document.querySelector('#chats').innerText.includes('Tusks')");
    let stored = server.stored();
    let holds = |text: &[u8]| stored.windows(text.len()).any(|w| w == text);
    assert!(holds(b"herons") && !holds(b"walrus"), "what was deleted is gone from the file");
    clean(&server, &tab);
}

pub(crate) fn keyboard(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    // The first stop skips to the content; the field has the focus without a pointer.
    tab.press("Escape");
    tab.eval("document.activeElement.blur()");
    tab.press("/");
    tab.wait("document.activeElement?.id === 'say'");
    tab.write("by hand");
    tab.press("Enter");
    tab.sees("to: by hand");
    finished(&tab);
    tab.eval("document.activeElement.blur()");
    tab.press("?");
    tab.wait("document.querySelector('#keys[open]')");
    tab.press("Escape");
    tab.wait("!document.querySelector('#keys[open]')");
    // Everything that can be reached with Tab shows where the focus is and has a name.
    let mut reached = 0;
    for _ in 0..40 {
        tab.press("Tab");
        let named = tab.eval(
            "(() => { const e = document.activeElement; if (e === document.body) return true; \
             const s = getComputedStyle(e); const ring = s.outlineStyle !== 'none' || e.closest('.composer form'); \
             const name = e.innerText || e.getAttribute('aria-label') || e.labels?.length || e.title; return !!(ring && name); })()",
        );
        assert_eq!(named, json!(true), "{}", tab.text("document.activeElement.outerHTML"));
        reached += 1;
    }
    assert_eq!(reached, 40);
    clean(&server, &tab);
}

pub(crate) fn hostile(chrome: &Chrome) {
    let (server, tab) = begin(chrome);
    let attacks = "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=2</script>\
                   [a](javascript:window.hacked=3) ![b](https://evil.example/beacon.png) <svg onload=window.hacked=4>";
    ask_and_wait(&tab, attacks);
    tab.eval("document.querySelectorAll('.answer a').forEach(a => a.click())");
    tab.reload();
    tab.press("Control+k");
    tab.write("onerror");
    tab.wait("document.querySelector('#chats mark')");
    assert_eq!(tab.eval("window.hacked ?? null"), json!(null));
    assert_eq!(
        tab.eval("document.querySelectorAll('.answer img, .answer svg, .answer script').length"),
        json!(0)
    );
    clean(&server, &tab);
}

//! HTML to plain text, for pages from the web and files that are indexed.

use std::{
    panic::{self, AssertUnwindSafe},
    thread,
};

use html2text::render::RichAnnotation;

/// Columns to which text is wrapped. Wide: a passage is about sentences, not lines.
const WIDTH: usize = 100;

/// Most nested elements; what is deeper is made to confuse.
const MAX_DEPTH: usize = 2_000;

/// Largest document in bytes.
pub(crate) const MAX_BYTES: usize = 8 << 20;

const STACK_BYTES: usize = 64 << 20;

/// The text that a reader would see, without markup, scripts and styles; links and images leave their words only.
///
/// # Errors
/// A sentence when the document is too large, too deep or cannot be read.
pub(crate) fn to_text(html: &str) -> Result<String, String> {
    render(html, |bytes| {
        let words_only = html2text::render::TrivialDecorator::new();
        let config = html2text::config::with_decorator(words_only);
        let config = config.link_footnotes(false).no_table_borders().allow_width_overflow();
        config.string_from_read(bytes, WIDTH)
    })
}

/// A piece of a page's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// What it says.
    pub(crate) text: String,
    /// Where it leads, if it is a link.
    pub(crate) link: Option<String>,
}

/// The text of a page in its order, with where its links lead.
///
/// # Errors
/// As [`to_text`].
pub(crate) fn to_runs(html: &str) -> Result<Vec<Run>, String> {
    let lines = render(html, |bytes| {
        let config = html2text::config::rich().no_table_borders().allow_width_overflow();
        config.lines_from_read(bytes, WIDTH)
    })?;
    let mut runs: Vec<Run> = Vec::new();
    for line in lines {
        for piece in line.tagged_strings() {
            let link = piece.tag.iter().find_map(|tag| match tag {
                RichAnnotation::Link(target) => Some(target.clone()),
                _ => None,
            });
            match runs.last_mut() {
                Some(last) if last.link == link => last.text.push_str(&piece.s),
                _ => runs.push(Run { text: piece.s.clone(), link }),
            }
        }
        if let Some(last) = runs.last_mut() {
            last.text.push('\n');
        }
    }
    Ok(runs)
}

/// Renders a page within the limits, on a thread of its own: rendering recurses with the page.
fn render<T: Send + 'static>(
    html: &str,
    work: impl FnOnce(&[u8]) -> Result<T, html2text::Error> + Send + 'static,
) -> Result<T, String> {
    if html.len() > MAX_BYTES {
        return Err(format!("the page has {} bytes; at most {MAX_BYTES} are read", html.len()));
    }
    if depth(html) > MAX_DEPTH {
        return Err(format!("the page nests more than {MAX_DEPTH} elements"));
    }
    let html = html.to_owned();
    let render = move || panic::catch_unwind(AssertUnwindSafe(|| work(html.as_bytes())));
    let worker = thread::Builder::new().name("psi-html".to_owned()).stack_size(STACK_BYTES);
    let handle = worker.spawn(render).map_err(|e| format!("starting a thread: {e}"))?;
    match handle.join() {
        Ok(Ok(Ok(rendered))) => Ok(rendered),
        Ok(Ok(Err(e))) => Err(format!("the page cannot be read: {e}")),
        _ => Err("the page cannot be read".to_owned()),
    }
}

/// An upper bound of how deeply elements nest: start tags minus end tags. Elements without an end tag count for as long as
/// nothing is closed, so this errs on the safe side only for pages that are far larger than people write.
fn depth(html: &str) -> usize {
    let bytes = html.as_bytes();
    let (mut now, mut most) = (0_usize, 0_usize);
    for (i, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b'<') {
        match bytes.get(i + 1) {
            Some(b'/') => now = now.saturating_sub(1),
            Some(c) if c.is_ascii_alphabetic() && !is_void(&bytes[i + 1..]) => {
                now += 1;
                most = most.max(now);
            }
            _ => {}
        }
    }
    most
}

/// Elements that never hold others, and those whose end tag people leave out.
const VOID: &[&str] = &[
    "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta",
    "option", "p", "source", "td", "th", "tr", "track", "wbr",
];

fn is_void(tag: &[u8]) -> bool {
    let end = tag.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(tag.len());
    VOID.iter().any(|v| v.as_bytes().eq_ignore_ascii_case(&tag[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_its_words() {
        let page = "<html><head><title>T</title><style>p{color:red}</style><script>alert(1)</script></head>
            <body><h1>Tea</h1><p>Steep for <b>three</b> minutes. <a href='https://x.test/'>More</a></p></body></html>";
        let text = to_text(page).unwrap();
        assert!(text.contains("Tea") && text.contains("Steep for three minutes. More"), "{text}");
        assert!(
            !text.contains("alert") && !text.contains("color") && !text.contains("x.test"),
            "{text}"
        );
    }

    #[test]
    fn links_keep_where_they_lead() {
        let page = "<p>See <a href='/a'>the <b>first</b> one</a> now.</p><p><a href='https://x.test/'>two</a>";
        let runs = to_runs(page).unwrap();
        let links: Vec<_> =
            runs.iter().filter_map(|r| Some((r.text.trim(), r.link.as_deref()?))).collect();
        assert_eq!(links, [("the first one", "/a"), ("two", "https://x.test/")], "{runs:?}");
    }

    #[test]
    fn a_page_made_to_exhaust_is_refused() {
        assert!(to_text(&"<div>".repeat(100_000)).is_err_and(|e| e.contains("nests")));
        assert!(to_text(&"x".repeat(MAX_BYTES + 1)).is_err_and(|e| e.contains("bytes")));
        assert!(to_text(&"<p>".repeat(10_000)).is_ok());
        assert!(to_text(&format!("{}{}", "<table><tr><td>".repeat(600), "x")).is_ok());
    }
}

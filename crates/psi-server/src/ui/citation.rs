//! The passages of files and the pages of the web that an answer was given, each with the way to where it stands.

use maud::{Markup, html};
use psi_agent::{Message, knowledge::Passage};
use serde_json::Value;

use super::{
    i18n::{t, tn},
    icon::{icon, turning},
};

/// A passage as a search returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Citation {
    /// Its number in that search, which the answer may name.
    number: usize,
    /// File and place.
    place: String,
    /// Where it opens.
    address: String,
    /// Whether it is a page of the web, which opens beside this one.
    is_page: bool,
}

/// The passages and pages that a tool's message brought.
pub(crate) fn of(message: &Message) -> Vec<Citation> {
    let Some(run) = &message.details.run else { return Vec::new() };
    let list = |name: &str| run.data[name].as_array().into_iter().flatten().enumerate();
    let passage = |(at, value): (usize, &Value)| {
        let passage: Passage = serde_json::from_value(value.clone()).ok()?;
        let address = address(passage.document, passage.bytes);
        Some(Citation { number: at + 1, place: passage.citation(), address, is_page: false })
    };
    let page = |(at, value): (usize, &Value)| {
        let address = value["url"].as_str().filter(|url| is_of_the_web(url))?.to_owned();
        let place = value["title"].as_str().unwrap_or(&address).to_owned();
        Some(Citation { number: at + 1, place, address, is_page: true })
    };
    let passages = list("passages").filter_map(passage);
    passages.chain(list("pages").filter_map(page)).collect()
}

/// What may be opened from here; a tool of others may say anything.
fn is_of_the_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// Where a file opens with these bytes marked.
pub(crate) fn address(document: i64, (from, to): (usize, usize)) -> String {
    format!("/files/{document}?from={from}&to={to}#here")
}

/// The lists under an answer; those that its text names, by number or by address, are marked.
pub(crate) fn list(id: &str, citations: &[Citation], text: &str) -> Markup {
    let (pages, passages): (Vec<_>, Vec<_>) = citations.iter().partition(|c| c.is_page);
    html! {
        (part(&format!("{id}-read"), "file", &tn!("Read {n} passage|Read {n} passages", passages.len()), &passages, text))
        (part(&format!("{id}-pages"), "globe", &tn!("Looked at {n} page|Looked at {n} pages", pages.len()), &pages, text))
    }
}

fn part(id: &str, sign: &str, what: &str, citations: &[&Citation], text: &str) -> Markup {
    html! {
        @if !citations.is_empty() {
            details.fold id=(id) open {
                summary { (turning()) (icon(sign)) (what) }
                ul class="inside used" { @for citation in citations { (line(citation, text)) } }
            }
        }
    }
}

fn line(citation: &Citation, text: &str) -> Markup {
    let Citation { number, place, address, is_page } = citation;
    let is_named = text.contains(&format!("[{number}]")) || (*is_page && text.contains(address));
    html! {
        li {
            span.score { "[" (number) "]" }
            @if *is_page {
                a href=(address) target="_blank" rel="noopener noreferrer nofollow" { (place) }
                span class="soft small" { (host(address)) }
            } @else {
                a href=(address) { (place) }
            }
            @if is_named { span.chip { (t("cited")) } }
        }
    }
}

/// The host of an address, so that a title cannot say another.
fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_stay_text_and_what_the_answer_names_is_marked() {
        let of = |number, place: &str| Citation {
            number,
            place: place.to_owned(),
            address: address(3, (10, 20)),
            is_page: false,
        };
        let html = list("m1", &[of(1, "<img src=x>.md:1"), of(2, "b.md:2")], "It is so [2].");
        let html = html.into_string();
        assert!(html.contains("&lt;img src=x&gt;.md:1") && !html.contains("<img"), "{html}");
        assert!(html.contains("/files/3?from=10&amp;to=20#here"), "{html}");
        assert_eq!(html.matches("cited").count(), 1);
    }

    #[test]
    fn pages_open_beside_with_their_host_and_only_if_they_are_of_the_web() {
        let page = |number, address: &str| Citation {
            number,
            place: "<b>bank.example</b>".to_owned(),
            address: address.to_owned(),
            is_page: true,
        };
        let pages = [page(1, "https://x.test/a?b"), page(2, "https://y.test/")];
        let html = list("m1", &pages, "See https://y.test/ for it.").into_string();
        assert!(html.contains("x.test</span>") && !html.contains("<b>"), "{html}");
        assert!(html.contains("noopener") && html.contains("Looked at 2 pages"), "{html}");
        assert_eq!(html.matches("cited").count(), 1);
        assert!(!is_of_the_web("javascript:alert(1)") && !is_of_the_web("//x.test"));
    }
}

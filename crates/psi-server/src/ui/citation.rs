//! The passages of files that an answer was given, each with the way to where it stands.

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
}

/// The passages that a tool's message brought.
pub(crate) fn of(message: &Message) -> Vec<Citation> {
    let data = message.details.run.as_ref().map(|run| &run.data["passages"]);
    let passages = data.and_then(Value::as_array).into_iter().flatten();
    let read = passages.filter_map(|p| serde_json::from_value::<Passage>(p.clone()).ok());
    let citation = |(at, passage): (usize, Passage)| Citation {
        number: at + 1,
        place: passage.citation(),
        address: address(passage.document, passage.bytes),
    };
    read.enumerate().map(citation).collect()
}

/// Where a file opens with these bytes marked.
pub(crate) fn address(document: i64, (from, to): (usize, usize)) -> String {
    format!("/files/{document}?from={from}&to={to}#here")
}

/// The list under an answer; those that its text names by number are marked.
pub(crate) fn list(id: &str, citations: &[Citation], text: &str) -> Markup {
    html! {
        @if !citations.is_empty() {
            details.fold id={ (id) "-read" } open {
                summary { (turning()) (icon("file")) (tn!("Read {n} passage|Read {n} passages", citations.len())) }
                ul class="inside used" { @for citation in citations { (line(citation, text)) } }
            }
        }
    }
}

fn line(citation: &Citation, text: &str) -> Markup {
    let is_named = text.contains(&format!("[{}]", citation.number));
    html! {
        li {
            span.score { "[" (citation.number) "]" }
            a href=(citation.address) { (citation.place) }
            @if is_named { span.chip { (t("cited")) } }
        }
    }
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
        };
        let html = list("m1", &[of(1, "<img src=x>.md:1"), of(2, "b.md:2")], "It is so [2].");
        let html = html.into_string();
        assert!(html.contains("&lt;img src=x&gt;.md:1") && !html.contains("<img"), "{html}");
        assert!(html.contains("/files/3?from=10&amp;to=20#here"), "{html}");
        assert_eq!(html.matches("cited").count(), 1);
    }
}

//! The first page: what the model that answers can and cannot do, and five things to try.

use maud::{Markup, html};

use super::{
    host::ModelState,
    i18n::{t, tf},
    icon::icon,
};

/// Something to try: its sign, what is said, what it shows.
type Try = (&'static str, &'static str, &'static str);

/// What shows psi best, whatever model answers.
const TRIES: [Try; 5] = [
    ("calc", "What is 1234 * 5678?", "It calculates with a tool, and you see the call"),
    (
        "memory",
        "Remember that my sister Ana lives in Lisbon.",
        "It keeps facts, with where it has them from",
    ),
    ("search", "Where does Ana live?", "Ask it later, in another conversation"),
    (
        "clock",
        "How many days are there from 2026-03-14 to 2026-12-25?",
        "Dates come from the calendar, not from a guess",
    ),
    ("bulb", "How many kilometres are 26.2 miles?", "Units are converted exactly"),
];

/// What the tries show: translated. What is said stays English, which every model here speaks.
#[cfg(test)]
pub(crate) fn texts() -> impl Iterator<Item = &'static str> {
    TRIES.iter().map(|(_, _, what)| *what)
}

/// The greeting.
pub(crate) fn hello(model: &ModelState, is_bundled: bool) -> Markup {
    html! {
        section.hello id="hello" {
            h2 { (t("What can I do for you?")) }
            p.soft { (t("Everything happens on this machine: nothing you write leaves it.")) }
            @match model {
                ModelState::Failed { name, why } => div class="notice bad" role="alert" {
                    (icon("alert")) span { (tf!("{name} cannot be loaded: {why}", name = name, why = why)) " " a href="/models" { (t("Choose another model")) } }
                },
                _ => {},
            }
            h3.sr { (t("Things to try")) }
            ul.tries {
                @for (sign, say, what) in TRIES {
                    li { button type="button" data-say=(say) { (icon(sign)) span { (say) small { (t(what)) } } } }
                }
            }
            @if is_bundled { (bundled(model.name())) }
        }
    }
}

/// What to expect of the model that comes with psi.
fn bundled(name: &str) -> Markup {
    html! {
        div.can {
            div.panel {
                h3 { (tf!("{name} can", name = name)) }
                ul {
                    li { (t("use tools: calculate, convert, count days")) }
                    li { (t("remember what you tell it, and look it up")) }
                    li { (t("answer from what stands in the conversation")) }
                    li { (t("think in the open before it answers")) }
                }
            }
            div.panel {
                h3 { (t("It cannot")) }
                ul {
                    li { (t("know the world: it is a very small model")) }
                    li { (t("write long texts or programs")) }
                    li { (t("speak other languages than English")) }
                    li { (t("replace a larger one:")) " " a href="/models" { (t("get one when you want more")) } }
                }
            }
        }
    }
}

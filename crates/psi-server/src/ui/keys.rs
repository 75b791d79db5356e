//! Everything that the keyboard does, declared once: the page's controls, the table that explains them and the
//! setting that changes them come from this list.

use std::collections::BTreeMap;

use super::i18n::t;
use maud::{Markup, html};

/// Something that a key does.
pub(crate) struct Key {
    /// What settings call it.
    pub(crate) name: &'static str,
    /// The key, as the page's script names keys.
    pub(crate) key: &'static str,
    /// What it does, for the reader.
    pub(crate) does: &'static str,
    /// Where it works.
    pub(crate) place: &'static str,
}

const fn key(
    name: &'static str,
    key: &'static str,
    does: &'static str,
    place: &'static str,
) -> Key {
    Key { name, key, does, place }
}

/// All of them.
pub(crate) const KEYS: &[Key] = &[
    key("new", "alt+n", "Begin a new conversation", "Everywhere"),
    key("search", "ctrl+k", "Search the conversations", "Everywhere"),
    key("help", "?", "Show this table", "Everywhere"),
    key("compose", "/", "Go to the message field", "In a conversation"),
    key("stop", "escape", "Stop the answer", "In a conversation"),
    key("regenerate", "alt+r", "Ask for another answer", "In a conversation"),
    key("copy", "alt+c", "Copy the last answer", "In a conversation"),
    key("up", "alt+u", "The last answer is good", "In a conversation"),
    key("down", "alt+d", "The last answer is bad", "In a conversation"),
    key("better", "alt+b", "Write a better answer", "In a conversation"),
    key("approve", "alt+y", "Allow the call that waits, this once", "In a conversation"),
    key("deny", "alt+x", "Deny the call that waits", "In a conversation"),
    key("good", "1", "Good", "Review"),
    key("bad", "2", "Bad", "Review"),
    key("edit", "e", "Write a better answer", "Review"),
    key("skip", "s", "Skip", "Review"),
    key("left", "1", "The left one is better", "Comparison"),
    key("right", "2", "The right one is better", "Comparison"),
    key("tie", "t", "Both are as good", "Comparison"),
];

/// The keys as they are set: changed ones by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(pub(crate) BTreeMap<String, String>);

impl Keys {
    /// The key of an action.
    pub(crate) fn of(&self, name: &str) -> &str {
        let default = || KEYS.iter().find(|k| k.name == name).map_or("", |k| k.key);
        self.0.get(name).map_or_else(default, String::as_str)
    }
}

/// A key as people write it: `Ctrl K`.
pub(crate) fn shown(key: &str) -> Markup {
    html! {
        @for (i, part) in key.split('+').enumerate() {
            @if i > 0 { " " }
            kbd {
                @match part {
                    "ctrl" => "Ctrl", "alt" => "Alt", "shift" => "Shift", "escape" => "Esc", "enter" => "Enter",
                    other => (other.to_uppercase()),
                }
            }
        }
    }
}

/// The table of all keys.
pub(crate) fn table(keys: &Keys) -> Markup {
    html! {
        table.keys {
            thead { tr { th scope="col" { (t("Key")) } th scope="col" { (t("What it does")) } th scope="col" { (t("Where")) } } }
            tbody {
                tr { td { kbd { "Enter" } } td { (t("Send; with Shift, a new line")) } td { (t("Message field")) } }
                tr { td { kbd { "\u{2191}" } } td { (t("Edit your last message (when the field is empty)")) } td { (t("Message field")) } }
                @for k in KEYS {
                    tr { td { (shown(keys.of(k.name))) } td { (t(k.does)) } td { (t(k.place)) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_key_does_two_things_in_one_place() {
        let mut seen = BTreeSet::new();
        for k in KEYS {
            assert!(seen.insert((k.place, k.key)), "{} in {}", k.key, k.place);
            assert!(k.place == "Everywhere" || !seen.contains(&("Everywhere", k.key)), "{}", k.key);
        }
        let names: BTreeSet<_> = KEYS.iter().map(|k| k.name).collect();
        assert_eq!(names.len(), KEYS.len());
    }

    #[test]
    fn a_changed_key_is_used() {
        let keys = Keys(BTreeMap::from([("new".to_owned(), "ctrl+m".to_owned())]));
        assert_eq!((keys.of("new"), keys.of("help")), ("ctrl+m", "?"));
        assert_eq!(shown("ctrl+m").into_string(), "<kbd>Ctrl</kbd> <kbd>M</kbd>");
    }
}

//! Texts with `{{placeholders}}`: which there are, and what stands in their place.

/// Most characters of a placeholder's name: what is longer is text.
const MAX_CHARS: usize = 60;

/// A piece of a text.
enum Piece<'a> {
    Text(&'a str),
    /// The name in `{{ name }}`.
    Placeholder(&'a str),
}

/// The names of the placeholders of a text, each once, in the order in which they come up.
pub fn placeholders(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for piece in pieces(text) {
        if let Piece::Placeholder(name) = piece
            && !names.iter().any(|known| known == name)
        {
            names.push(name.to_owned());
        }
    }
    names
}

/// The text with values in the place of its placeholders; one without a value stays as it is. A value is text:
/// placeholders in it are not looked for.
pub fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let piece = |piece: Piece<'_>| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Placeholder(name) => value(name).unwrap_or_else(|| format!("{{{{{name}}}}}")),
    };
    pieces(text).into_iter().map(piece).collect()
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut rest, mut from) = (text, 0);
    while let Some(open) = rest[from..].find("{{").map(|at| from + at) {
        let inside = &rest[open + 2..];
        let name = inside.find("}}").map(|close| (&inside[..close], open + 2 + close + 2));
        match name.filter(|(name, _)| is_name(name)) {
            Some((name, end)) => {
                pieces.push(Piece::Text(&rest[..open]));
                pieces.push(Piece::Placeholder(name.trim()));
                (rest, from) = (&rest[end..], 0);
            }
            // The second brace may open one: `{{{name}}`.
            None => from = open + 1,
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// A name is words of letters, digits, `_` and `-`, which leaves templates of other programs alone (`{{ x | upper }}`).
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-');
    !name.trim().is_empty() && name.chars().count() <= MAX_CHARS && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn placeholders_are_named_once_and_other_braces_are_text() {
        let names = |text: &str| placeholders(text).join(",");
        assert_eq!(
            names("Translate {{text}} into {{ the language }}; {{text}}"),
            "text,the language"
        );
        assert_eq!(names("{{{a}}} {b} {{}} {{ }} {{x|y}} {{open"), "a");
        assert_eq!(names("{{a\nb}} {{größe}}"), "größe");
    }

    #[test]
    fn values_are_text() {
        let value = |name: &str| (name == "a").then(|| "{{b}} & {{a}}".to_owned());
        assert_eq!(fill("<{{a}}|{{ b }}>", value), "<{{b}} & {{a}}|{{b}}>");
    }

    proptest! {
        #[test]
        fn any_text_is_whole_when_nothing_is_filled_in(text in "[{}a \u{e4}\n]{0,40}") {
            let trimmed = |s: &str| s.replace(' ', "");
            prop_assert_eq!(trimmed(&fill(&text, |_| None)), trimmed(&text));
        }
    }
}

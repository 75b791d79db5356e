//! Mathematics: LaTeX to MathML, which browsers draw and screen readers read without a script.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
};

use pulldown_latex::{Parser, RenderConfig, Storage, config::DisplayMode, push_mathml};

use super::escape;

/// Longest formula that is drawn.
const MAX_BYTES: usize = 4000;
/// Deepest nesting that is drawn: the parser recurses.
const MAX_DEPTH: usize = 48;
/// Commands that define others: a definition may expand without end.
const DEFINITIONS: [&str; 6] =
    ["\\def", "\\let", "\\newcommand", "\\renewcommand", "\\providecommand", "\\gdef"];

/// A formula as MathML, or as it was typed where it cannot be drawn.
pub(super) fn render(source: &str, display: bool) -> String {
    // Another's parser on a text that nobody checked: its bugs end here.
    let drawn = catch_unwind(AssertUnwindSafe(|| draw(source, display)));
    drawn.ok().flatten().unwrap_or_else(|| {
        let sign = if display { "$$" } else { "$" };
        format!("<code>{sign}{}{sign}</code>", escape(source))
    })
}

fn draw(source: &str, display: bool) -> Option<String> {
    let defines = DEFINITIONS.iter().any(|d| source.contains(d));
    if source.len() > MAX_BYTES || defines || depth(source) > MAX_DEPTH {
        return None;
    }
    let storage = Storage::new();
    let events: Vec<_> = Parser::new(source, &storage).collect();
    if events.iter().any(Result::is_err) {
        return None;
    }
    let display_mode = if display { DisplayMode::Block } else { DisplayMode::Inline };
    let config = RenderConfig { display_mode, annotation: Some(source), ..RenderConfig::default() };
    let mut out = String::new();
    push_mathml(&mut out, events.into_iter(), config).ok()?;
    Some(out)
}

/// Openings that are not closed yet, at most.
fn depth(source: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for piece in source.split_inclusive(['{', '}']) {
        match piece.chars().last() {
            Some('{') => depth += 1,
            Some('}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    let pairs = source.matches("\\left").count().max(source.matches("\\begin").count());
    // A script or a command takes the next one as its argument: `^^^^`, `\sqrt\sqrt\sqrt`.
    deepest.max(pairs).max(longest_chain(source))
}

/// The longest run of commands and scripts that nothing interrupts.
fn longest_chain(source: &str) -> usize {
    let (mut run, mut longest) = (0, 0);
    let mut in_name = false;
    for c in source.chars() {
        match c {
            '\\' | '^' | '_' => {
                run += 1;
                in_name = c == '\\';
            }
            c if in_name && c.is_ascii_alphabetic() => {}
            c if c.is_whitespace() => in_name = false,
            _ => (run, in_name) = (0, false),
        }
        longest = longest.max(run);
    }
    longest
}

/// `\( \)` and `\[ \]`, which many models write, as the dollars that Markdown knows; code is left alone.
pub(super) fn dollars(text: &str) -> Cow<'_, str> {
    if !text.contains("\\(") && !text.contains("\\[") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut fence: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => {
                swap_outside_code(line, &mut out);
                continue;
            }
            _ => {}
        }
        out.push_str(line);
    }
    Cow::Owned(out)
}

fn swap_outside_code(line: &str, out: &mut String) {
    for (i, piece) in line.split('`').enumerate() {
        if i > 0 {
            out.push('`');
        }
        // Odd pieces stand between backticks.
        if i % 2 == 1 {
            out.push_str(piece);
            continue;
        }
        let mut rest = piece;
        while let Some(at) = rest.find('\\') {
            out.push_str(&rest[..at]);
            let two = rest.get(at..at + 2);
            out.push_str(match two {
                Some("\\(" | "\\)") => "$",
                Some("\\[" | "\\]") => "$$",
                Some(other) => other,
                None => "\\",
            });
            rest = rest.get(at + 2..).unwrap_or_else(|| &rest[at + 1..]);
        }
        out.push_str(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_becomes_mathml_and_keeps_its_source() {
        let html = render("\\frac{a}{b}", true);
        assert!(html.contains("<mfrac>") && html.contains("\\frac{a}{b}"), "{html}");
        assert!(html.starts_with("<math display=\"block\""), "{html}");
    }

    #[test]
    fn what_cannot_be_drawn_is_shown() {
        let bomb = "{".repeat(5000);
        let scripts = "^".repeat(3000);
        let roots = "\\sqrt".repeat(700);
        let defined = "\\def\\a{\\a\\a}\\a";
        for source in ["\\frac{a", "\\nosuchcommand", &bomb, &scripts, &roots, defined, "}{", "\\"]
        {
            let html = render(source, false);
            assert!(html.starts_with("<code>$"), "{html}");
        }
    }

    #[test]
    fn brackets_with_backslashes_are_dollars_outside_code() {
        assert_eq!(dollars("so \\(x^2\\) and\n\\[y\\]\n"), "so $x^2$ and\n$$y$$\n");
        let code = "`\\(x\\)`\n```\n\\[a\\]\n```\n\\\\(";
        assert_eq!(dollars(code), code);
        assert_eq!(dollars("\\(ü\\é\\)"), "$ü\\é$");
    }
}

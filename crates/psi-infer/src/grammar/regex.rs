//! Regular expressions for whole answers.

use regex_syntax::{
    ast::{self, Ast},
    hir::{Hir, HirKind, translate::Translator},
};

use super::GrammarError;

/// Groups within each other.
const MAX_NESTING: u32 = 100;

/// Most copies that counted repetitions make of their parts, multiplied through.
const MAX_COPIES: u64 = 100_000;

/// Checks a pattern and takes the anchors off its ends: the whole answer has to match anyway.
pub(super) fn whole(pattern: &str, max_bytes: usize) -> Result<String, GrammarError> {
    if pattern.len() > max_bytes {
        let what = "bytes of the regex".to_owned();
        return Err(GrammarError::TooLarge { what, n: pattern.len(), limit: max_bytes });
    }
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    let n_escapes = pattern.strip_suffix('$').map(|p| p.len() - p.trim_end_matches('\\').len());
    let pattern = match n_escapes {
        Some(n) if n % 2 == 0 => &pattern[..pattern.len() - 1],
        _ => pattern,
    };
    check(pattern, "the regex")?;
    Ok(pattern.to_owned())
}

/// Checks a pattern that stands at `at`.
pub(super) fn check(pattern: &str, at: &str) -> Result<(), GrammarError> {
    let bad = |e: &regex_syntax::Error| GrammarError::invalid(at, reason(e));
    let mut parser = ast::parse::ParserBuilder::new().nest_limit(MAX_NESTING).build();
    let parsed = parser.parse(pattern).map_err(|e| bad(&e.into()))?;
    if let Err(offset) = ast::visit(&parsed, Doubled) {
        let why = format!("a repetition of a repetition needs a group (at byte {offset})");
        return Err(GrammarError::invalid(at, why));
    }
    let hir = Translator::new().translate(pattern, &parsed).map_err(|e| bad(&e.into()))?;
    match copies(&hir) {
        n if n <= MAX_COPIES => Ok(()),
        n => {
            let what = format!("copies that the repetitions in {at} make");
            let n = usize::try_from(n).unwrap_or(usize::MAX);
            Err(GrammarError::TooLarge { what, n, limit: MAX_COPIES as usize })
        }
    }
}

/// Finds `a**` and `a{2}+`: other dialects refuse them, or read the second sign as possessive.
struct Doubled;

impl ast::Visitor for Doubled {
    type Output = ();
    type Err = usize;

    fn finish(self) -> Result<(), usize> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), usize> {
        match ast {
            Ast::Repetition(outer) if matches!(*outer.ast, Ast::Repetition(_)) => {
                Err(outer.op.span.start.offset)
            }
            _ => Ok(()),
        }
    }
}

/// What is wrong, without the drawing of the pattern.
fn reason(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(e) => {
            format!("{} (at byte {})", e.kind(), e.span().start.offset)
        }
        regex_syntax::Error::Translate(e) => {
            format!("{} (at byte {})", e.kind(), e.span().start.offset)
        }
        other => other.to_string(),
    }
}

/// How many copies of its parts an automaton for the expression would hold.
fn copies(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => 1,
        HirKind::Capture(capture) => copies(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(copies).fold(0, u64::saturating_add)
        }
        HirKind::Repetition(repetition) => {
            let n = u64::from(repetition.max.unwrap_or(repetition.min).max(1));
            copies(&repetition.sub).saturating_mul(n)
        }
    }
}

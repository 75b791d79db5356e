//! llama.cpp's grammar notation, made into Lark.
//!
//! GBNF has no terminals: its rules go down to single characters. So every character becomes a terminal of
//! its own, and nothing depends on how long a terminal would match. A grammar without recursion is one
//! regular expression, which is faster.

mod parse;

use std::collections::HashMap;

use super::GrammarError;
use parse::{Expr, Rule};

/// Most bytes of the regular expression that a grammar without recursion may become.
const MAX_REGEX: usize = 20_000;

/// The same grammar in Lark, from `root`.
pub(super) fn to_lark(text: &str) -> Result<String, GrammarError> {
    let rules = parse::rules(text)?;
    let names: HashMap<&str, usize> =
        rules.iter().enumerate().map(|(i, rule)| (rule.name.as_str(), i)).collect();
    if names.len() < rules.len() {
        return Err(GrammarError::invalid("the grammar", "two rules have the same name"));
    }
    let Some(&root) = names.get("root") else {
        return Err(GrammarError::invalid("the grammar", "there is no rule 'root'"));
    };
    for rule in &rules {
        rule.expr.each_name(&mut |name| match names.contains_key(name) {
            true => Ok(()),
            false => {
                let why = format!("the rule '{}' names '{name}', which is no rule", rule.name);
                Err(GrammarError::invalid("the grammar", why))
            }
        })?;
    }
    let mut flat = Flattener { rules: &rules, names: &names, done: vec![None; rules.len()] };
    if let Some(regex) = flat.rule(root) {
        return Ok(format!("start: /{}/\n", llguidance::regex_to_lark(&regex, "")));
    }
    let mut lark = format!("start: g{root}\n");
    for (i, rule) in rules.iter().enumerate() {
        lark.push_str(&format!("g{i}: "));
        write_lark(&rule.expr, &names, &mut lark);
        lark.push('\n');
    }
    Ok(lark)
}

/// What is known of a rule as a regular expression.
#[derive(Clone)]
enum Flat {
    /// It is being looked at: it leads to itself.
    Open,
    /// It is not one, or too large a one.
    No,
    Regex(String),
}

struct Flattener<'a> {
    rules: &'a [Rule],
    names: &'a HashMap<&'a str, usize>,
    done: Vec<Option<Flat>>,
}

/// Rules through rules; deeper grammars stay rules.
const MAX_DEPTH: usize = 200;

impl Flattener<'_> {
    fn rule(&mut self, i: usize) -> Option<String> {
        self.rule_at(i, 0)
    }

    fn rule_at(&mut self, i: usize, depth: usize) -> Option<String> {
        match &self.done[i] {
            Some(Flat::Regex(regex)) => return Some(regex.clone()),
            Some(Flat::Open | Flat::No) => return None,
            None if depth > MAX_DEPTH => return None,
            None => {}
        }
        self.done[i] = Some(Flat::Open);
        let rules = self.rules;
        let mut out = String::new();
        let fits = self.expr(&rules[i].expr, &mut out, depth);
        self.done[i] = Some(match fits {
            true => Flat::Regex(out.clone()),
            false => Flat::No,
        });
        fits.then_some(out)
    }

    fn expr(&mut self, expr: &Expr, out: &mut String, depth: usize) -> bool {
        let fits = match expr {
            Expr::Text(text) => {
                out.push_str(&regex_syntax::escape(text));
                true
            }
            Expr::Class(class) => {
                out.push_str(class);
                true
            }
            Expr::Name(name) => match self.rule_at(self.names[name.as_str()], depth + 1) {
                Some(regex) => {
                    out.push_str(&format!("(?:{regex})"));
                    true
                }
                None => false,
            },
            Expr::Sequence(parts) => parts.iter().all(|part| self.expr(part, out, depth)),
            Expr::Choice(options) => {
                out.push_str("(?:");
                let fits = options.iter().enumerate().all(|(i, option)| {
                    out.push_str(if i > 0 { "|" } else { "" });
                    self.expr(option, out, depth)
                });
                out.push(')');
                fits
            }
            Expr::Repeat(part, min, max) => {
                out.push_str("(?:");
                let fits = self.expr(part, out, depth);
                out.push(')');
                out.push_str(&parse::counts(*min, *max, ","));
                fits
            }
        };
        fits && out.len() <= MAX_REGEX
    }
}

fn write_lark(expr: &Expr, names: &HashMap<&str, usize>, out: &mut String) {
    match expr {
        Expr::Text(text) if text.is_empty() => out.push_str("\"\" "),
        Expr::Text(text) => {
            for c in text.chars() {
                out.push_str(&format!("/{}/ ", lark_char(c)));
            }
        }
        Expr::Class(class) => {
            out.push_str(&format!("/{}/ ", llguidance::regex_to_lark(class, "")));
        }
        Expr::Name(name) => out.push_str(&format!("g{} ", names[name.as_str()])),
        Expr::Sequence(parts) if parts.is_empty() => out.push_str("\"\" "),
        Expr::Sequence(parts) => parts.iter().for_each(|part| write_lark(part, names, out)),
        Expr::Choice(options) => {
            out.push_str("( ");
            for (i, option) in options.iter().enumerate() {
                out.push_str(if i > 0 { "| " } else { "" });
                write_lark(option, names, out);
            }
            out.push_str(") ");
        }
        Expr::Repeat(part, min, max) => {
            out.push_str("( ");
            write_lark(part, names, out);
            out.push(')');
            out.push_str(&parse::counts(*min, *max, ","));
            out.push(' ');
        }
    }
}

/// A regular expression for one character.
fn lark_char(c: char) -> String {
    match c {
        '\n' | '\r' | '\t' | '\0'..='\u{1f}' | '\u{7f}' => format!("\\x{:02x}", c as u32),
        c => llguidance::regex_to_lark(&regex_syntax::escape(&c.to_string()), ""),
    }
}

//! No type parameter crosses a crate border: the device and the dtype are values, and debug tests stay fast.

use super::rust_text::line_of;
use super::{Finding, SourceFile, Tree};

/// Crates whose public items may not be generic over types.
const ENGINE_CRATES: &[&str] = &["psi-kernels", "psi-tensor", "psi-model", "psi-infer"];

/// Public functions that may take `impl Trait`: path, function, and why a value would not do.
const IMPL_ARGUMENTS: &[(&str, &str, &str)] = &[
    ("crates/psi-infer/src/stop.rs", "new", "takes the strings over from any collection"),
    ("crates/psi-model/src/decoder.rs", "from_values", "a closure that draws or reads tensors"),
    ("crates/psi-tensor/src/graph.rs", "scope", "a closure that returns a handle of its graph"),
    ("crates/psi-tensor/src/graph.rs", "scope_from", "likewise"),
    (
        "crates/psi-tensor/src/weight.rs",
        "update",
        "a closure that the optimiser runs once per step",
    ),
];

/// Aliases (`type`) may be generic: they make no code.
const ITEMS: &[&str] = &["fn", "struct", "enum", "trait", "union"];
const QUALIFIERS: &[&str] = &["const", "async", "unsafe", "extern"];

/// A public item's header: from its name to the end of its generics and arguments.
struct Item<'a> {
    kind: &'a str,
    name: &'a str,
    generics: &'a str,
    arguments: &'a str,
    offset: usize,
}

/// The text between the bracket that opens at the start of `text` and the one that closes it. `->` does not close `<`.
fn bracketed(text: &str, open: char, close: char) -> Option<&str> {
    let mut depth = 0_usize;
    let mut previous = ' ';
    for (i, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close && previous != '-' {
            depth -= 1;
            if depth == 0 {
                return Some(&text[open.len_utf8()..i]);
            }
        }
        if depth == 0 {
            return None;
        }
        previous = c;
    }
    None
}

/// Parse what follows `pub ` as an item; `None` for fields, uses, constants and modules.
fn item_at(code: &str, offset: usize) -> Option<Item<'_>> {
    let mut rest = code[offset..].trim_start();
    let kind = loop {
        let word = rest.split_whitespace().next()?;
        rest = rest[word.len()..].trim_start();
        match word {
            _ if ITEMS.contains(&word) => break word,
            _ if QUALIFIERS.contains(&word) => {}
            _ => return None,
        }
    };
    let name_length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, mut rest) = rest.split_at(name_length);
    let generics = bracketed(rest.trim_start(), '<', '>').unwrap_or("");
    if !generics.is_empty() {
        rest = &rest.trim_start()[generics.len() + 2..];
    }
    let arguments = bracketed(rest.trim_start(), '(', ')').unwrap_or("");
    Some(Item { kind, name, generics, arguments, offset })
}

fn public_items(code: &str) -> impl Iterator<Item = Item<'_>> {
    code.match_indices("pub ").filter_map(|(at, word)| item_at(code, at + word.len()))
}

/// The first type parameter among generics such as `'a, const N: usize, T: Copy`.
fn type_parameter(generics: &str) -> Option<&str> {
    let mut depth = 0_i32;
    let top_level = generics.split(|c: char| {
        depth += i32::from("<([".contains(c)) - i32::from(">)]".contains(c));
        c == ',' && depth == 0
    });
    top_level
        .map(str::trim)
        .find(|p| !p.is_empty() && !p.starts_with('\'') && !p.starts_with("const "))
}

fn check_file(file: &SourceFile, findings: &mut Vec<Finding>) {
    for item in public_items(&file.code) {
        let line = line_of(&file.code, item.offset);
        if let Some(parameter) = type_parameter(item.generics) {
            let (kind, name) = (item.kind, item.name);
            let what = format!("pub {kind} {name} is generic over `{parameter}`: make it a value");
            findings.push(Finding::new(&file.path, line, what));
        }
        let listed = IMPL_ARGUMENTS.iter().any(|&(p, n, _)| p == file.path && n == item.name);
        if item.arguments.contains("impl ") && !listed {
            let what = format!("pub fn {} takes `impl Trait`: use `&dyn`, or list it", item.name);
            findings.push(Finding::new(&file.path, line, what));
        }
    }
}

pub(super) fn check_type_parameters(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust_files() {
        let source = file.path.split('/').nth(2) == Some("src");
        if source && ENGINE_CRATES.contains(&file.crate_name()) {
            check_file(file, &mut findings);
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_and_constants_are_no_type_parameters() {
        assert_eq!(type_parameter("'a, const N: usize, 'b: 'a"), None);
        assert_eq!(type_parameter("const N: usize, T: Copy"), Some("T: Copy"));
        assert_eq!(
            type_parameter("F: Fn(usize, usize) -> f32"),
            Some("F: Fn(usize, usize) -> f32")
        );
    }

    #[test]
    fn an_items_header_is_split_into_name_generics_and_arguments() {
        let code = "pub const fn run<'a>(x: &'a dyn Fn(u8) -> u8, n: usize) -> Vec<u8> { }";
        let items: Vec<_> = public_items(code).collect();
        assert_eq!(items.len(), 1);
        assert_eq!((items[0].name, items[0].generics), ("run", "'a"));
        assert_eq!(items[0].arguments, "x: &'a dyn Fn(u8) -> u8, n: usize");
    }
}

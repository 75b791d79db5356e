//! WikiText-2: the test articles, scored as text. Merity et al. 2016, arXiv 1609.07843.

use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde_json::json;

use super::{Entry, Library, Wanted};
use crate::{
    readers::bad,
    scorers::Perplexity,
    split::Split,
    task::{Item, OutputKind, Prompt, Request, Result, Task},
};

pub(super) const ENTRY: Entry = Entry {
    name: "wikitext2",
    members: Vec::new,
    help: "Wikipedia articles: bits per byte and perplexity",
    licence: "CC BY-SA",
    source: "Salesforce WikiText-2 (pytorch/examples)",
    output: OutputKind::Rolling,
    splits: &[Split::Eval],
    open,
};

/// An article's title; sections have more than one `=` on each side.
static TITLE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^ = [^=].* = $").expect("a pattern"));

fn open(library: &Library, wanted: &Wanted<'_>) -> Result<Task> {
    wanted.allow(false, false)?;
    let (path, text) = library.text("wikitext2/test.txt", &ENTRY)?;
    let mut articles: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        match articles.last_mut() {
            Some(article) if !TITLE.is_match(bare) => article.push_str(line),
            None if bare.trim().is_empty() => {}
            _ => articles.push(line.to_owned()),
        }
    }
    if articles.is_empty() {
        return Err(bad(&path, 0, "there are no articles"));
    }
    let items = articles.iter().enumerate().map(|(i, article)| {
        let reference = json!({
            "bytes": article.len(),
            // As the usual implementation counts them: pieces between runs of white space, the empty ones
            // at both ends included.
            "words": SPACES.split(article).count(),
        });
        let request = Request::Rolling { text: plain(article) };
        Item::new(i.to_string(), Prompt::default(), request, reference)
    });
    Ok(Task::fixed(wanted.name, wanted.split, items.collect(), Arc::new(Perplexity)))
}

static SPACES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\s+").expect("a pattern"));

/// An article as people write it: the tokeniser's spaces are taken back, by the rules that every published
/// figure uses, mistakes included.
fn plain(article: &str) -> String {
    static PAIRS: LazyLock<[(Regex, &str); 5]> = LazyLock::new(|| {
        [
            (r"\(\s*([^\)]*?)\s*\)", "(${1})"),
            (r"\[\s*([^\]]*?)\s*\]", "[${1}]"),
            (r"\{\s*([^}]*?)\s*\}", "{${1}}"),
            (r#""\s*([^"]*?)\s*""#, "\"${1}\""),
            (r"'\s*([^']*?)\s*'", "'${1}'"),
        ]
        .map(|(pattern, with)| (Regex::new(pattern).expect("a pattern"), with))
    });
    let first = [
        ("s '", "s'"),
        (" @-@ ", "-"),
        (" @,@ ", ","),
        (" @.@ ", "."),
        (" : ", ": "),
        (" ; ", "; "),
        (" . ", ". "),
        (" ! ", "! "),
        (" ? ", "? "),
        (" , ", ", "),
    ];
    let last = [
        ("= = = =", "===="),
        ("= = =", "==="),
        ("= =", "=="),
        (" ° ", "°"),
        (" \n", "\n"),
        ("\n ", "\n"),
        (" N ", " 1 "),
        (" 's", "'s"),
    ];
    let mut text = article.to_owned();
    for (from, to) in first {
        text = text.replace(from, to);
    }
    for (pattern, with) in PAIRS.iter() {
        text = pattern.replace_all(&text, *with).into_owned();
    }
    for (from, to) in last {
        text = text.replace(from, to);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tokenisers_spaces_are_taken_back() {
        let cases = [
            (
                " He had a guest @-@ starring role , in 1 @,@ 000 shows . \n",
                " He had a guest-starring role, in 1,000 shows.\n",
            ),
            ("( see \" Teddy 's Story \" )", "(see \"Teddy's Story\")"),
            (" = = Career = = \n", " == Career ==\n"),
        ];
        for (given, expected) in cases {
            assert_eq!(plain(given), expected);
        }
    }
}

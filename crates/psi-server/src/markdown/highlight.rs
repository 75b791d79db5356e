//! Colours for code: a scanner that knows comments, strings, numbers and words, and a list of languages.
//!
//! It does not parse; that is enough to read by, needs no tables of regular expressions, and cannot fail.

mod languages;

use languages::{Comment, Language, Style};

use super::escape;

/// Code as escaped text with `span`s: `hc` comment, `hs` string, `hn` number, `hk` keyword, `hf` call, `ht` type,
/// `ha` attribute or key, `hv` variable, `hi` and `hd` inserted and deleted lines.
pub(super) fn highlight(language: &str, code: &str) -> String {
    match languages::find(language) {
        None => escape(code),
        Some(Style::Diff) => diff(code),
        Some(Style::Markup) => Scanner::new(code).markup(),
        Some(Style::Code(language)) => Scanner::new(code).code(language),
    }
}

fn diff(code: &str) -> String {
    let mut out = String::new();
    for line in code.split_inclusive('\n') {
        let class = match line.as_bytes().first() {
            Some(b'+') => "hi",
            Some(b'-') => "hd",
            Some(b'@') => "hk",
            _ => "",
        };
        span(&mut out, class, line);
    }
    out
}

fn span(out: &mut String, class: &str, text: &str) {
    if class.is_empty() {
        out.push_str(&escape(text));
    } else {
        out.push_str("<span class=\"");
        out.push_str(class);
        out.push_str("\">");
        out.push_str(&escape(text));
        out.push_str("</span>");
    }
}

/// What is left to read, and what has been written.
struct Scanner<'a> {
    rest: &'a str,
    out: String,
}

impl<'a> Scanner<'a> {
    fn new(code: &'a str) -> Self {
        Self { rest: code, out: String::with_capacity(code.len() * 2) }
    }

    /// Writes the next `n` bytes in a class.
    fn put(&mut self, class: &str, n: usize) {
        let (text, rest) = self.rest.split_at(n);
        span(&mut self.out, class, text);
        self.rest = rest;
    }

    /// Bytes up to and with `end`, from byte `from`; all there are where it does not come.
    fn through(&self, from: usize, end: &str) -> usize {
        self.rest[from..].find(end).map_or(self.rest.len(), |at| from + at + end.len())
    }

    /// Bytes of the leading characters that `keep` holds for.
    fn run(&self, keep: impl Fn(char) -> bool) -> usize {
        self.rest.find(|c| !keep(c)).unwrap_or(self.rest.len())
    }

    fn code(mut self, language: &Language) -> String {
        while let Some(first) = self.rest.chars().next() {
            if let Some(n) = self.comment(language.comment) {
                self.put("hc", n);
            } else if language.quotes.contains(first) {
                let n = self.string(first, language);
                let key = language.keys && self.rest[n..].trim_start().starts_with(':');
                let class = match n {
                    1 => "",
                    _ if key => "ha",
                    _ => "hs",
                };
                self.put(class, n);
            } else if first.is_ascii_digit() {
                let n = self.run(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
                self.put("hn", n);
            } else if first.is_alphabetic() || first == '_' {
                self.word(language);
            } else if language.variables && first == '$' {
                let n =
                    1 + self.rest[1..].find(|c: char| !is_word(c)).unwrap_or(self.rest.len() - 1);
                self.put(if n > 1 { "hv" } else { "" }, n);
            } else {
                let n = first.len_utf8() + self.rest[first.len_utf8()..].len()
                    - self.rest[first.len_utf8()..].trim_start_matches([' ', '\n']).len();
                self.put("", n);
            }
        }
        self.out
    }

    /// Bytes of the comment that starts here.
    fn comment(&self, comment: Comment) -> Option<usize> {
        let line = |mark: &str| {
            self.rest.starts_with(mark).then(|| self.rest.find('\n').unwrap_or(self.rest.len()))
        };
        let block = |open: &str, close: &str| {
            self.rest.starts_with(open).then(|| self.through(open.len(), close))
        };
        match comment {
            Comment::Slashes => line("//").or_else(|| block("/*", "*/")),
            Comment::Hash => line("#"),
            Comment::Dashes => line("--").or_else(|| block("/*", "*/")),
            Comment::Semicolon => line(";"),
            Comment::Percent => line("%"),
            Comment::Stars => block("/*", "*/"),
        }
    }

    /// Bytes of the string that starts here. One that its line does not close ends there, except where the
    /// language lets strings go on.
    fn string(&self, quote: char, language: &Language) -> usize {
        if language.triple {
            for mark in ["\"\"\"", "'''"] {
                if self.rest.starts_with(mark) {
                    return self.through(3, mark);
                }
            }
        }
        if quote == '\'' && language.lifetimes {
            return self.character();
        }
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                // A lone apostrophe is one; another open string ends with its line.
                '\n' if quote == '\'' && !language.long_strings => return 1,
                '\n' if quote != '`' && !language.long_strings => return at,
                c if c == quote => return at + 1,
                _ => {}
            }
        }
        if quote == '\'' { 1 } else { self.rest.len() }
    }

    /// Bytes of the character literal that starts here; 1 for the quote of a lifetime.
    fn character(&self) -> usize {
        let mut inside = self.rest.char_indices().skip(1);
        match inside.next() {
            Some((_, '\\')) => self.rest.get(3..).and_then(|r| r.find('\'')).map_or(1, |n| n + 4),
            Some(_) => match inside.next() {
                Some((at, '\'')) => at + 1,
                _ => 1,
            },
            None => 1,
        }
    }

    fn word(&mut self, language: &Language) {
        let n = self.run(is_word);
        let word = &self.rest[..n];
        let after = &self.rest[n..];
        let known = match language.any_case {
            true => language.keywords.split(' ').any(|k| k.eq_ignore_ascii_case(word)),
            false => language.keywords.split(' ').any(|k| k == word),
        };
        let class = if known {
            "hk"
        } else if language.keys && (after.starts_with([':', '=']) || after.starts_with(" =")) {
            "ha"
        } else if after.starts_with('(') || after.starts_with("!(") {
            "hf"
        } else if word.starts_with(char::is_uppercase) && !language.any_case {
            "ht"
        } else {
            ""
        };
        self.put(class, n);
    }

    /// HTML and XML: tags, attributes, values, comments.
    fn markup(mut self) -> String {
        while !self.rest.is_empty() {
            if self.rest.starts_with("<!--") {
                self.put("hc", self.through(4, "-->"));
            } else if self.rest.starts_with('<') {
                self.put(
                    "hk",
                    1 + self.rest[1..].find(|c: char| !is_name(c)).unwrap_or(self.rest.len() - 1),
                );
                self.tag();
            } else {
                self.put("", self.run(|c| c != '<'));
            }
        }
        self.out
    }

    /// The inside of a tag, to its end.
    fn tag(&mut self) {
        while let Some(first) = self.rest.chars().next() {
            match first {
                '>' => return self.put("hk", 1),
                '<' => return,
                '"' => self.put("hs", self.through(1, "\"")),
                '\'' => self.put("hs", self.through(1, "'")),
                c if is_name(c) => self.put("ha", self.run(is_name)),
                c => self.put("", c.len_utf8()),
            }
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_name(c: char) -> bool {
    is_word(c) || matches!(c, '-' | ':' | '/' | '!' | '?' | '.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The text that a browser shows for a marked-up piece of code.
    fn shown(markup: &str) -> String {
        let mut text = String::new();
        let mut in_tag = false;
        for c in markup.chars() {
            match c {
                '<' => in_tag = true,
                '>' if in_tag => in_tag = false,
                c if !in_tag => text.push(c),
                _ => {}
            }
        }
        let entities =
            [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
        entities.iter().fold(text, |text, (from, to)| text.replace(from, to))
    }

    #[test]
    fn words_strings_and_comments_are_told_apart() {
        let rust = highlight("rust", "fn a(x: &'a str) { let s = \"fn \\\" //\"; } // fn");
        for part in [
            "<span class=\"hk\">fn</span>",
            "<span class=\"hf\">a</span>",
            "&#39;a str",
            "<span class=\"hs\">&quot;fn \\&quot; //&quot;</span>",
            "<span class=\"hc\">// fn</span>",
        ] {
            assert!(rust.contains(part), "{part} in {rust}");
        }
        let python = highlight("py", "def f():\n    \"\"\"a\nb\"\"\"\n    return 'x' # y");
        assert!(
            python.contains("<span class=\"hs\">&quot;&quot;&quot;a\nb&quot;&quot;&quot;</span>"),
            "{python}"
        );
        assert!(python.contains("<span class=\"hc\"># y</span>"), "{python}");
        let json = highlight("json", "{\"a\": [1, true]}");
        assert!(json.contains("<span class=\"ha\">&quot;a&quot;</span>"), "{json}");
        assert!(json.contains("<span class=\"hk\">true</span>"), "{json}");
        let html = highlight("html", "<a href=\"x\">t</a><!-- c -->");
        assert!(html.contains("<span class=\"ha\">href</span>"), "{html}");
        assert_eq!(highlight("no such language", "<b>"), "&lt;b&gt;");
        assert_eq!(highlight("diff", "+a\n b"), "<span class=\"hi\">+a\n</span> b");
    }

    proptest! {
        #[test]
        fn no_character_is_lost(code in "[a-z\"'`/*#<>&$\\\\0-9 \n\u{e9}\u{4e2d}_-]{0,60}", which in 0..9_usize) {
            let names = ["rust", "python", "js", "html", "sh", "sql", "json", "diff", "toml"];
            prop_assert_eq!(shown(&highlight(names[which], &code)), code);
        }
    }
}

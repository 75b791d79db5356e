//! Reads GBNF.

use super::GrammarError;

/// A rule.
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) expr: Expr,
}

/// What a rule stands for.
pub(super) enum Expr {
    /// these characters
    Text(String),
    /// one character of a class, written as in a regular expression
    Class(String),
    /// another rule
    Name(String),
    Sequence(Vec<Self>),
    Choice(Vec<Self>),
    Repeat(Box<Self>, u32, Option<u32>),
}

impl Expr {
    /// Calls `f` with every rule that is named.
    pub(super) fn each_name(
        &self,
        f: &mut dyn FnMut(&str) -> Result<(), GrammarError>,
    ) -> Result<(), GrammarError> {
        match self {
            Self::Name(name) => f(name),
            Self::Sequence(parts) | Self::Choice(parts) => {
                parts.iter().try_for_each(|part| part.each_name(f))
            }
            Self::Repeat(part, ..) => part.each_name(f),
            Self::Text(_) | Self::Class(_) => Ok(()),
        }
    }
}

/// Groups within each other.
const MAX_NESTING: usize = 20;

/// Largest count of a repetition.
const MAX_COUNT: u32 = 10_000;

/// Counts as regular expressions and Lark write them.
pub(super) fn counts(min: u32, max: Option<u32>, comma: &str) -> String {
    match (min, max) {
        (0, None) => "*".to_owned(),
        (1, None) => "+".to_owned(),
        (0, Some(1)) => "?".to_owned(),
        (min, None) => format!("{{{min}{comma}}}"),
        (min, Some(max)) => format!("{{{min}{comma}{max}}}"),
    }
}

/// The rules of a grammar.
pub(super) fn rules(text: &str) -> Result<Vec<Rule>, GrammarError> {
    let mut parser = Parser { text, at: 0, nesting: 0 };
    let mut rules = Vec::new();
    parser.skip(true);
    while parser.at < text.len() {
        let name = parser.name()?.to_owned();
        parser.skip(false);
        if !parser.take("::=") {
            return Err(parser.error("'::=' is missing after the name of the rule"));
        }
        parser.skip(true);
        let expr = parser.choice()?;
        parser.skip(false);
        let is_end = parser.at == text.len() || parser.rest().starts_with(['\n', '\r']);
        if !is_end {
            return Err(parser.error("the rule does not end here"));
        }
        parser.skip(true);
        rules.push(Rule { name, expr });
    }
    Ok(rules)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    nesting: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn error(&self, why: &str) -> GrammarError {
        let line = self.text[..self.at].matches('\n').count() + 1;
        GrammarError::invalid(format!("line {line} of the grammar"), why)
    }

    /// Skips spaces and comments, and line ends where they do not end the rule.
    fn skip(&mut self, lines: bool) {
        loop {
            let rest = self.rest();
            let is_space = |c: char| c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'));
            let trimmed = rest.trim_start_matches(is_space);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn take(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    fn name(&mut self) -> Result<&'a str, GrammarError> {
        let rest = self.rest();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let n = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        if n == 0 {
            return Err(self.error("the name of a rule is expected"));
        }
        self.at += n;
        Ok(&rest[..n])
    }

    fn choice(&mut self) -> Result<Expr, GrammarError> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(self.error("too many groups within each other"));
        }
        let mut options = vec![self.sequence()?];
        loop {
            // A line may begin with the bar.
            let before = self.at;
            self.skip(true);
            if !self.take("|") {
                if self.nesting == 1 {
                    self.at = before;
                }
                break;
            }
            self.skip(true);
            options.push(self.sequence()?);
        }
        self.nesting -= 1;
        Ok(match options.len() {
            1 => options.remove(0),
            _ => Expr::Choice(options),
        })
    }

    fn sequence(&mut self) -> Result<Expr, GrammarError> {
        let mut parts = Vec::new();
        loop {
            self.skip(self.nesting > 1);
            let Some(c) = self.rest().chars().next() else { break };
            let atom = match c {
                '"' => self.literal()?,
                '[' => self.class()?,
                '.' => {
                    self.at += 1;
                    Expr::Class("(?s:.)".to_owned())
                }
                '(' => {
                    self.at += 1;
                    let inner = self.choice()?;
                    self.skip(true);
                    if !self.take(")") {
                        return Err(self.error("')' is missing"));
                    }
                    inner
                }
                '|' | ')' | '\n' | '\r' => break,
                '<' | '!' => return Err(self.error("tokens are not supported; write their text")),
                _ => Expr::Name(self.name()?.to_owned()),
            };
            let atom = self.repeated(atom)?;
            parts.push(atom);
        }
        Ok(Expr::Sequence(parts))
    }

    fn repeated(&mut self, atom: Expr) -> Result<Expr, GrammarError> {
        let (min, max) = match self.rest().chars().next() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => return self.counted(atom),
            _ => return Ok(atom),
        };
        self.at += 1;
        if self.rest().starts_with(['*', '+', '?', '{']) {
            return Err(self.error("a repetition of a repetition"));
        }
        Ok(Expr::Repeat(Box::new(atom), min, max))
    }

    fn counted(&mut self, atom: Expr) -> Result<Expr, GrammarError> {
        let Some(end) = self.rest().find('}') else { return Err(self.error("'}' is missing")) };
        let inner = &self.rest()[1..end];
        let number = |text: &str| {
            let n = text.trim().parse::<u32>().ok().filter(|&n| n <= MAX_COUNT);
            n.ok_or_else(|| self.error(&format!("a repetition is a number up to {MAX_COUNT}")))
        };
        let (min, max) = match inner.split_once(',') {
            None => (number(inner)?, Some(number(inner)?)),
            Some((min, max)) if max.trim().is_empty() => (number(min)?, None),
            Some((min, max)) if min.trim().is_empty() => (0, Some(number(max)?)),
            Some((min, max)) => (number(min)?, Some(number(max)?)),
        };
        if max.is_some_and(|max| max < min) {
            return Err(self.error("a repetition whose most is less than its least"));
        }
        self.at += end + 1;
        Ok(Expr::Repeat(Box::new(atom), min, max))
    }

    fn literal(&mut self) -> Result<Expr, GrammarError> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.rest().chars().next() else {
                return Err(self.error("'\"' is missing"));
            };
            match c {
                '"' => {
                    self.at += 1;
                    return Ok(Expr::Text(text));
                }
                '\\' => text.push(self.escape()?),
                '\n' | '\r' => return Err(self.error("a text does not go over the line's end")),
                c => {
                    self.at += c.len_utf8();
                    text.push(c);
                }
            }
        }
    }

    fn class(&mut self) -> Result<Expr, GrammarError> {
        self.at += 1;
        let mut class = String::from("[");
        if self.take("^") {
            class.push('^');
        }
        let first = class.len();
        loop {
            let Some(c) = self.rest().chars().next() else {
                return Err(self.error("']' is missing"));
            };
            match c {
                ']' => {
                    self.at += 1;
                    if class.len() == first {
                        return Err(self.error("a class of no characters"));
                    }
                    class.push(']');
                    let parsed = regex_syntax::parse(&class);
                    return match parsed {
                        Ok(_) => Ok(Expr::Class(class)),
                        Err(_) => Err(self.error("a class whose ranges are not in order")),
                    };
                }
                '-' => {
                    self.at += 1;
                    let is_range = class.len() > first && !self.rest().starts_with(']');
                    class.push_str(if is_range { "-" } else { "\\-" });
                }
                '\\' => {
                    let c = self.escape()?;
                    push_in_class(&mut class, c);
                }
                c => {
                    self.at += c.len_utf8();
                    push_in_class(&mut class, c);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, GrammarError> {
        let mut chars = self.rest()[1..].chars();
        let Some(c) = chars.next() else { return Err(self.error("an escape of nothing")) };
        let n_digits = match c {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => {
                self.at += 1 + c.len_utf8();
                return match c {
                    'n' => Ok('\n'),
                    'r' => Ok('\r'),
                    't' => Ok('\t'),
                    '"' | '\\' | '[' | ']' | '-' | '^' | '/' | '.' => Ok(c),
                    _ => Err(self.error("an escape that is not known")),
                };
            }
        };
        let digits = self.rest().get(2..2 + n_digits);
        let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        let Some(c) = code.and_then(char::from_u32) else {
            return Err(self.error("an escape that is no character"));
        };
        self.at += 2 + n_digits;
        Ok(c)
    }
}

/// Writes a character so that it stands for itself.
fn push_in_class(class: &mut String, c: char) {
    match c {
        '\\' | '[' | ']' | '^' | '-' | '&' | '~' => {
            class.push('\\');
            class.push(c);
        }
        c if c.is_control() => class.push_str(&format!("\\x{{{:x}}}", c as u32)),
        c => class.push(c),
    }
}

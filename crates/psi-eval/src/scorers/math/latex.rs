//! From LaTeX, or the plain text of an answer, to what it means.

use std::sync::LazyLock;

use regex::Regex;

use super::meaning::{Answer, Function, Node, Order};

/// An answer without what does not matter.
pub(super) struct Tidy {
    pub(super) text: String,
    /// The base of a numeral, as in `52_8`.
    pub(super) base: Option<String>,
    pub(super) is_percent: bool,
}

/// Takes away layout, units, money and degree signs.
pub(super) fn tidy(answer: &str) -> Tidy {
    static LAYOUT: LazyLock<Regex> = LazyLock::new(|| {
        let names = r"\\(?:left|right|displaystyle|limits|quad|qquad|big|Big|bigl|bigr)\b";
        Regex::new(&format!(r"{names}|\\[!,;: ]|~|\\\(|\\\)|\\\[|\\\]")).expect("a pattern")
    });
    static DEGREES: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\^\s*\{?\\circ\}?|\\degree|°").expect("a pattern"));
    // A unit after a number: words in a text command, or bare ones; squared or cubed.
    static UNIT: LazyLock<Regex> = LazyLock::new(|| {
        let bare = "degrees?|cm|mm|km|m|inch(?:es)?|feet|foot|miles?|minutes?|hours?|seconds?|days?|cents?|dollars?|units?";
        Regex::new(&format!(
            r"([\d}}\])])\s*(?:\\(?:text|mbox|mathrm|textrm|hbox)\{{\s*[A-Za-z][^{{}}]*\}}|\s(?:{bare})\b)(?:\^\{{?\d\}}?)?\s*$"
        ))
        .expect("a pattern")
    });
    static TEXT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\\(?:text|mbox|mathrm|textrm|textbf|textit|mathbf|hbox)\s*\{([^{}]*)\}")
            .expect("a pattern")
    });
    static THOUSANDS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(-?)(\d{1,3}(?:,\s*\d{3})+(?:\.\d+)?)$").expect("a pattern")
    });
    static BASE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(\d+)_\{?(\d+)\}?$").expect("a pattern"));
    let text = answer.trim().trim_matches('$').trim();
    let text = text.replace("\\{", "\\lbrace ").replace("\\}", "\\rbrace ").replace("{,}", ",");
    let text = text.replace("dfrac", "frac").replace("tfrac", "frac").replace("\\$", "");
    let text = DEGREES.replace_all(&text, "");
    let text = LAYOUT.replace_all(&text, "");
    let is_percent = text.contains('%');
    let text = text.replace("\\%", "").replace('%', "");
    let text = UNIT.replace(text.trim(), "$1").into_owned();
    let text = TEXT.replace_all(&text, " $1 ");
    let mut text = text.trim().trim_end_matches('.').trim().to_owned();
    if let Some(found) = THOUSANDS.captures(&text) {
        let digits = found[2].replace([',', ' '], "");
        text = format!("{}{digits}", &found[1]);
    }
    let base = BASE.captures(&text).map(|found| (found[1].to_owned(), found[2].to_owned()));
    if let Some((digits, base)) = base {
        return Tidy { text: digits, base: Some(base), is_percent };
    }
    Tidy { text, base: None, is_percent }
}

/// An answer in words: lower case, letters and digits only.
pub(super) fn words(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !"()\\{}".contains(*c))
        .collect::<String>()
        .to_lowercase()
}

/// The inside of the braces that a text begins with.
pub(super) fn braced(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (i, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return text[..i].strip_prefix('{');
        }
    }
    None
}

/// What a tidy answer means; `None` when it is no mathematics that this knows.
pub(super) fn parse(text: &str) -> Option<Answer> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
    let answer = parser.list()?;
    (parser.at == tokens.len()).then_some(answer)
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(String),
    Letter(char),
    /// A command without its backslash, or a plain word that is one: `frac`, `sin`, `or`.
    Command(String),
    Sign(char),
}

/// Words that mean something without a backslash.
const WORDS: &[&str] = &[
    "arcsin", "arccos", "arctan", "sqrt", "sin", "cos", "tan", "cot", "sec", "csc", "log", "ln",
    "pi", "or", "and",
];
/// Longer answers are not mathematics that anybody compares.
const MOST_TOKENS: usize = 2000;

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length;
        if c.is_whitespace() {
            rest = rest.trim_start();
            continue;
        } else if c.is_ascii_digit()
            || (c == '.' && rest[1..].starts_with(|d: char| d.is_ascii_digit()))
        {
            let mut seen_point = false;
            length = rest
                .find(|d: char| {
                    !(d.is_ascii_digit() || (d == '.' && !std::mem::replace(&mut seen_point, true)))
                })
                .unwrap_or(rest.len());
            let number = rest[..length].trim_end_matches('.');
            tokens.push(Token::Number(number.to_owned()));
        } else if c == '\\' {
            let name = rest[1..].find(|d: char| !d.is_ascii_alphabetic()).unwrap_or(rest.len() - 1);
            if name == 0 {
                // A row's end.
                (rest[1..].starts_with('\\'))
                    .then(|| tokens.push(Token::Command("\\".to_owned())))?;
                length = 2;
            } else {
                tokens.push(Token::Command(rest[1..=name].to_owned()));
                length = name + 1;
            }
        } else if let Some(word) = WORDS.iter().find(|w| rest.starts_with(**w)) {
            tokens.push(Token::Command((*word).to_owned()));
            length = word.len();
        } else {
            length = c.len_utf8();
            tokens.push(match c {
                'a'..='z' | 'A'..='Z' => Token::Letter(c),
                'π' => Token::Command("pi".to_owned()),
                '∞' => Token::Command("infty".to_owned()),
                '√' => Token::Command("sqrt".to_owned()),
                '∪' => Token::Command("cup".to_owned()),
                '±' => Token::Command("pm".to_owned()),
                '×' | '·' | '*' => Token::Command("cdot".to_owned()),
                '−' | '–' => Token::Sign('-'),
                '≤' => Token::Command("le".to_owned()),
                '≥' => Token::Command("ge".to_owned()),
                c if "+-/^_!=<>|,()[]{}&:;".contains(c) => Token::Sign(c),
                _ => return None,
            });
        }
        rest = &rest[length..];
        if tokens.len() > MOST_TOKENS {
            return None;
        }
    }
    // Neighbouring letters that spell no formula are words, and words are compared as such.
    let mut run = 0;
    for token in &tokens {
        run = if matches!(token, Token::Letter(_)) { run + 1 } else { 0 };
        if run > 3 {
            return None;
        }
    }
    Some(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

/// Formulas are not nested deeper.
const MOST_DEPTH: usize = 100;

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn sign(&mut self, sign: char) -> bool {
        let is_next = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(is_next);
        is_next
    }

    fn command(&mut self, name: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Command(c)) if c == name);
        self.at += usize::from(is_next);
        is_next
    }

    /// Values with commas, "or" or "and" between them.
    fn list(&mut self) -> Option<Answer> {
        let mut all = vec![];
        loop {
            all.extend(self.alternatives()?);
            if !(self.sign(',') || self.sign(';') || self.command("or") || self.command("and")) {
                break;
            }
            while self.command("or") || self.command("and") {}
        }
        if all.len() == 1 {
            return all.pop();
        }
        // "x = 1, 2" and "x = 1 or x = 2" list the values of x.
        let bare = all.into_iter().map(|answer| match answer {
            Answer::Relation(Order::Equal, Node::Name(_), value) => Answer::Value(value),
            other => other,
        });
        Some(Answer::Set(bare.collect()))
    }

    /// One member of a list, or two where it has a plus-minus.
    fn alternatives(&mut self) -> Option<Vec<Answer>> {
        let start = self.at;
        let first = self.member(false)?;
        let has_both =
            self.tokens[start..self.at].iter().any(|t| *t == Token::Command("pm".to_owned()));
        if !has_both {
            return Some(vec![first]);
        }
        self.at = start;
        Some(vec![first, self.member(true)?])
    }

    /// A value, a relation, a set, an interval or a union of such; `minus` reads plus-minus as minus.
    fn member(&mut self, minus: bool) -> Option<Answer> {
        let first = self.operand(minus)?;
        let mut parts = vec![first];
        while self.command("cup") {
            parts.push(self.operand(minus)?);
        }
        if parts.len() > 1 {
            return Some(Answer::Union(parts));
        }
        let left = match parts.pop()? {
            Answer::Value(left) => left,
            other => return Some(other),
        };
        let orders = [('=', Order::Equal), ('<', Order::Less), ('>', Order::Less)];
        for (sign, order) in orders {
            if self.sign(sign) {
                let right = self.sum(minus)?;
                return Some(if sign == '>' {
                    Answer::Relation(order, right, left)
                } else {
                    Answer::Relation(order, left, right)
                });
            }
        }
        for (name, is_turned) in [("le", false), ("leq", false), ("ge", true), ("geq", true)] {
            if self.command(name) {
                let right = self.sum(minus)?;
                let (left, right) = if is_turned { (right, left) } else { (left, right) };
                return Some(Answer::Relation(Order::AtMost, left, right));
            }
        }
        if self.command("ne") || self.command("neq") {
            return Some(Answer::Relation(Order::Unequal, left, self.sum(minus)?));
        }
        if self.command("in") {
            return self.member(minus); // "x in S" says S
        }
        Some(Answer::Value(left))
    }

    fn operand(&mut self, minus: bool) -> Option<Answer> {
        if self.command("emptyset") || self.command("varnothing") {
            return Some(Answer::Set(Vec::new()));
        }
        if self.command("lbrace") {
            if self.command("rbrace") {
                return Some(Answer::Set(Vec::new()));
            }
            let inside = self.list()?;
            self.command("rbrace").then_some(())?;
            return Some(match inside {
                Answer::Set(all) => Answer::Set(all),
                one => Answer::Set(vec![one]),
            });
        }
        if self.command("begin") {
            return self.matrix();
        }
        let start = self.at;
        if let Some(tuple) = self.tuple() {
            return Some(tuple);
        }
        self.at = start;
        self.sum(minus).map(Answer::Value)
    }

    /// Brackets with commas between them.
    fn tuple(&mut self) -> Option<Answer> {
        let open = ['(', '['].into_iter().find(|&c| self.sign(c))?;
        self.deeper()?;
        let mut all = Vec::new();
        loop {
            all.push(self.member(false)?);
            if !self.sign(',') {
                break;
            }
        }
        self.depth -= 1;
        let close = [')', ']'].into_iter().find(|&c| self.sign(c))?;
        (all.len() > 1).then_some(Answer::Tuple(open, all, close))
    }

    fn matrix(&mut self) -> Option<Answer> {
        let name = self.group_name()?;
        name.ends_with("matrix").then_some(())?;
        let mut rows = vec![Vec::new()];
        loop {
            rows.last_mut()?.push(self.sum(false)?);
            if self.sign('&') {
                continue;
            }
            if self.command("\\") {
                if self.command("end") {
                    break;
                }
                rows.push(Vec::new());
                continue;
            }
            self.command("end").then_some(())?;
            break;
        }
        (self.group_name()? == name).then_some(Answer::Matrix(rows))
    }

    /// A name in braces.
    fn group_name(&mut self) -> Option<String> {
        self.sign('{').then_some(())?;
        let mut name = String::new();
        while let Some(Token::Letter(c)) = self.peek() {
            name.push(*c);
            self.at += 1;
        }
        self.sign('}').then_some(name)
    }

    fn deeper(&mut self) -> Option<()> {
        self.depth += 1;
        (self.depth <= MOST_DEPTH).then_some(())
    }

    fn sum(&mut self, minus: bool) -> Option<Node> {
        self.deeper()?;
        let mut total = self.signed_product(minus)?;
        loop {
            let negative = if self.sign('+') {
                false
            } else if self.sign('-') {
                true
            } else if self.command("pm") {
                minus
            } else {
                break;
            };
            let term = self.signed_product(minus)?;
            let term = if negative { Node::Negative(Box::new(term)) } else { term };
            total = Node::Sum(Box::new(total), Box::new(term));
        }
        self.depth -= 1;
        Some(total)
    }

    fn signed_product(&mut self, minus: bool) -> Option<Node> {
        let mut is_negative = false;
        loop {
            if self.sign('-') {
                is_negative = !is_negative;
            } else if self.command("pm") {
                is_negative ^= minus;
            } else if !self.sign('+') {
                break;
            }
        }
        let product = self.product(minus)?;
        Some(if is_negative { Node::Negative(Box::new(product)) } else { product })
    }

    fn product(&mut self, minus: bool) -> Option<Node> {
        let mut total = self.power(minus)?;
        loop {
            if self.sign('/') || self.command("div") || self.sign(':') {
                total = Node::Ratio(Box::new(total), Box::new(self.power(minus)?));
            } else if self.command("cdot") || self.command("times") || self.starts_factor() {
                let is_mixed = matches!(total, Node::Number { is_decimal: false, .. })
                    && matches!(self.peek(), Some(Token::Command(c)) if c == "frac");
                let factor = self.power(minus)?;
                // 1 1/2 is a sum when the fraction is of numbers.
                let is_fraction = matches!(&factor, Node::Ratio(a, b)
                    if matches!((&**a, &**b), (Node::Number { .. }, Node::Number { .. })));
                total = if is_mixed && is_fraction {
                    Node::Sum(Box::new(total), Box::new(factor))
                } else {
                    Node::Product(Box::new(total), Box::new(factor))
                };
            } else {
                return Some(total);
            }
        }
    }

    /// Whether a factor follows without a sign.
    fn starts_factor(&self) -> bool {
        const ENDS: &[&str] = &[
            "cup", "in", "pm", "le", "leq", "ge", "geq", "ne", "neq", "or", "and", "rbrace", "end",
            "\\", "rfloor", "rceil", "div", "rvert", "cdot", "times",
        ];
        match self.peek() {
            Some(Token::Letter(_) | Token::Number(_)) => true,
            Some(Token::Sign(c)) => "({[".contains(*c),
            Some(Token::Command(name)) => !ENDS.contains(&name.as_str()),
            None => false,
        }
    }

    fn power(&mut self, minus: bool) -> Option<Node> {
        let mut base = self.atom(minus)?;
        loop {
            if self.sign('!') {
                base = Node::Call(Function::Factorial, vec![base]);
            } else if self.sign('^') {
                let exponent = self.argument(minus)?;
                base = Node::Power(Box::new(base), Box::new(exponent));
            } else {
                return Some(base);
            }
        }
    }

    /// A command's argument: braces, or one digit, letter or command.
    fn argument(&mut self, minus: bool) -> Option<Node> {
        if self.sign('{') {
            let inside = self.sum(minus)?;
            return self.sign('}').then_some(inside);
        }
        if self.sign('-') {
            return self.argument(minus).map(|a| Node::Negative(Box::new(a)));
        }
        self.atom(minus)
    }

    /// The two arguments of a fraction, which may be digits side by side: `\frac12`.
    fn fraction(&mut self, minus: bool) -> Option<(Node, Node)> {
        let digits = match self.peek() {
            Some(Token::Number(digits)) if digits.len() > 1 => digits.clone(),
            _ => {
                let top = self.argument(minus)?;
                // `\frac{1}23` is a half times three, but nobody writes that; the whole number is meant.
                return Some((top, self.argument(minus)?));
            }
        };
        self.at += 1;
        let (top, bottom) = digits.split_at(1);
        let number =
            |text: &str| Some(Node::Number { value: text.parse().ok()?, is_decimal: false });
        Some((number(top)?, number(bottom)?))
    }

    fn atom(&mut self, minus: bool) -> Option<Node> {
        let token = self.peek()?.clone();
        self.at += 1;
        match token {
            Token::Number(text) => {
                let is_decimal = text.contains('.')
                    && text
                        .trim_end_matches('0')
                        .ends_with(|c: char| c.is_ascii_digit() && text.contains('.'))
                    && text.parse::<f64>().ok()?.fract() != 0.0;
                Some(Node::Number { value: text.parse().ok()?, is_decimal })
            }
            Token::Letter('i') => Some(Node::I),
            Token::Letter('e') => Some(Node::Constant(std::f64::consts::E)),
            Token::Letter(c) => self.named(c.to_string()),
            Token::Sign('(') => self.closed(minus, ')'),
            Token::Sign('[') => self.closed(minus, ']'),
            Token::Sign('{') => self.closed(minus, '}'),
            Token::Sign('|') => {
                self.closed(minus, '|').map(|inside| Node::Call(Function::Abs, vec![inside]))
            }
            Token::Sign(_) => None,
            Token::Command(name) => self.called(&name, minus),
        }
    }

    fn closed(&mut self, minus: bool, close: char) -> Option<Node> {
        let inside = self.sum(minus)?;
        self.sign(close).then_some(inside)
    }

    /// A name with its index, if it has one.
    fn named(&mut self, mut name: String) -> Option<Node> {
        if self.sign('_') {
            let start = self.at;
            self.argument(false)?;
            name += &format!("{:?}", &self.tokens[start..self.at]);
        }
        Some(Node::Name(name))
    }

    fn called(&mut self, name: &str, minus: bool) -> Option<Node> {
        let function = match name {
            "frac" => {
                let (top, bottom) = self.fraction(minus)?;
                return Some(Node::Ratio(Box::new(top), Box::new(bottom)));
            }
            "binom" | "dbinom" => {
                let arguments = vec![self.argument(minus)?, self.argument(minus)?];
                return Some(Node::Call(Function::Binomial, arguments));
            }
            "sqrt" => return self.root(minus),
            "pi" => return Some(Node::Constant(std::f64::consts::PI)),
            "infty" => return Some(Node::Infinity),
            "lfloor" | "lceil" | "lvert" => return self.fenced(name, minus),
            "log" => return self.logarithm(minus),
            "exp" => {
                let exponent = self.applied(minus)?;
                let e = Node::Constant(std::f64::consts::E);
                return Some(Node::Power(Box::new(e), Box::new(exponent)));
            }
            "ln" => Function::Ln,
            "sin" => Function::Sin,
            "cos" => Function::Cos,
            "tan" => Function::Tan,
            "cot" => Function::Cot,
            "sec" => Function::Sec,
            "csc" => Function::Csc,
            "arcsin" => Function::Asin,
            "arccos" => Function::Acos,
            "arctan" => Function::Atan,
            name if GREEK.contains(&name) => return self.named(name.to_owned()),
            _ => return None,
        };
        // sin^2 x is (sin x)^2, sin^{-1} x the inverse.
        let exponent = if self.sign('^') { Some(self.argument(minus)?) } else { None };
        let argument = self.applied(minus)?;
        let value = Node::Call(function, vec![argument.clone()]);
        Some(match exponent {
            None => value,
            Some(Node::Negative(one)) if matches!(*one, Node::Number { value: 1.0, .. }) => {
                let inverse = match function {
                    Function::Sin => Function::Asin,
                    Function::Cos => Function::Acos,
                    Function::Tan => Function::Atan,
                    _ => return None,
                };
                Node::Call(inverse, vec![argument])
            }
            Some(exponent) => Node::Power(Box::new(value), Box::new(exponent)),
        })
    }

    /// What a function without brackets is applied to: factors up to the next sign.
    fn applied(&mut self, minus: bool) -> Option<Node> {
        let mut argument = self.power(minus)?;
        while matches!(self.peek(), Some(Token::Letter(_) | Token::Number(_)))
            || matches!(self.peek(), Some(Token::Command(c)) if c == "pi" || GREEK.contains(&c.as_str()))
        {
            argument = Node::Product(Box::new(argument), Box::new(self.power(minus)?));
        }
        Some(argument)
    }

    fn root(&mut self, minus: bool) -> Option<Node> {
        let degree = if self.sign('[') {
            self.closed(minus, ']')?
        } else {
            Node::Number { value: 2.0, is_decimal: false }
        };
        // `\sqrt51` is the root of 5 times 1 in LaTeX, but of 51 where anybody writes it.
        let inside = self.argument(minus)?;
        let one = Node::Number { value: 1.0, is_decimal: false };
        let exponent = Node::Ratio(Box::new(one), Box::new(degree));
        Some(Node::Power(Box::new(inside), Box::new(exponent)))
    }

    fn fenced(&mut self, name: &str, minus: bool) -> Option<Node> {
        let (function, close) = match name {
            "lfloor" => (Function::Floor, "rfloor"),
            "lceil" => (Function::Ceil, "rceil"),
            _ => (Function::Abs, "rvert"),
        };
        let inside = self.sum(minus)?;
        self.command(close).then(|| Node::Call(function, vec![inside]))
    }

    fn logarithm(&mut self, minus: bool) -> Option<Node> {
        let base = if self.sign('_') { Some(self.argument(minus)?) } else { None };
        let argument = self.applied(minus)?;
        let ten = Node::Number { value: 10.0, is_decimal: false };
        Some(Node::Call(Function::Log, vec![base.unwrap_or(ten), argument]))
    }
}

const GREEK: &[&str] = &[
    "alpha", "beta", "gamma", "delta", "epsilon", "theta", "lambda", "mu", "omega", "phi", "psi",
    "rho", "sigma", "tau", "varphi", "zeta", "eta", "kappa", "nu", "xi", "chi", "Gamma", "Delta",
    "Theta", "Lambda", "Sigma", "Phi", "Psi", "Omega",
];

//! The page's language: texts, plural forms, dates and numbers.
//!
//! Texts stand in the templates in English, in `t("...")`, or `tf!` with names in braces, or `tn!` with a form for one and a
//! form for several; a catalogue per language says what they are there. A test looks for every text of the page in
//! every catalogue. The language belongs to a request: the user's setting, else what the browser asks for.

use std::{collections::HashMap, fmt, future::Future, sync::LazyLock};

use axum::http::{HeaderMap, header};
use jiff::civil::Date;

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lang {
    #[default]
    En,
    De,
    Es,
    Fr,
}

tokio::task_local! {
    /// That of the request that is being answered.
    static NOW: Lang;
}

/// Texts by their English.
type Catalogue = HashMap<String, String>;

static DE: LazyLock<Catalogue> = LazyLock::new(|| parse(include_str!("i18n/de.toml")));
static ES: LazyLock<Catalogue> = LazyLock::new(|| parse(include_str!("i18n/es.toml")));
static FR: LazyLock<Catalogue> = LazyLock::new(|| parse(include_str!("i18n/fr.toml")));

/// A catalogue that cannot be read fails the tests; a page in English is better than none.
fn parse(text: &str) -> Catalogue {
    toml::from_str(text).unwrap_or_default()
}

impl Lang {
    pub(crate) const ALL: [Self; 4] = [Self::En, Self::De, Self::Es, Self::Fr];

    /// As HTML and HTTP name it (BCP 47).
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Es => "es",
            Self::Fr => "fr",
        }
    }

    /// As its speakers name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::De => "Deutsch",
            Self::Es => "Espa\u{f1}ol",
            Self::Fr => "Fran\u{e7}ais",
        }
    }

    /// Which way it is written: the pages follow the `dir` attribute.
    pub(crate) fn dir(self) -> &'static str {
        match self {
            Self::En | Self::De | Self::Es | Self::Fr => "ltr",
        }
    }

    /// The language of a code.
    pub(crate) fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.code() == code)
    }

    /// What the browser likes best of the languages here (Accept-Language, RFC 9110, section 12.5.4).
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
        let mut best = (0.0, Self::En);
        for range in wanted.unwrap_or_default().split(',') {
            let (tag, weight) = range.split_once(";q=").unwrap_or((range, "1"));
            let weight: f32 = weight.trim().parse().unwrap_or(0.0);
            let code = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
            if let Some(lang) = Self::of_code(&code).filter(|_| weight > best.0) {
                best = (weight, lang);
            }
        }
        best.1
    }

    /// That of the request that is being answered; English outside of one.
    pub(crate) fn now() -> Self {
        NOW.try_with(|lang| *lang).unwrap_or_default()
    }

    /// Runs work in this language.
    pub(crate) fn within<T>(self, work: impl FnOnce() -> T) -> T {
        NOW.sync_scope(self, work)
    }

    /// Answers a request in this language.
    pub(crate) async fn scope<F: Future>(self, answer: F) -> F::Output {
        NOW.scope(self, answer).await
    }

    fn catalogue(self) -> Option<&'static Catalogue> {
        match self {
            Self::En => None,
            Self::De => Some(&DE),
            Self::Es => Some(&ES),
            Self::Fr => Some(&FR),
        }
    }

    /// Whether so many things take the form for one (Unicode CLDR, cardinals).
    fn is_one(self, n: usize) -> bool {
        match self {
            Self::En | Self::De | Self::Es => n == 1,
            Self::Fr => n <= 1,
        }
    }
}

/// A text in the language of the request.
pub(crate) fn t(text: &str) -> &str {
    let known = Lang::now().catalogue().and_then(|catalogue| catalogue.get(text));
    known.map_or(text, String::as_str)
}

/// A text with values in the place of its names: `tf!("{name} can", name = name)`.
macro_rules! tf {
    ($text:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::ui::i18n::fill(
            $crate::ui::i18n::t($text),
            &[$((stringify!($name), &$value as &dyn std::fmt::Display)),*],
        )
    };
}

/// A text about `{n}` things, as `"one|several"`.
macro_rules! tn {
    ($text:literal, $n:expr) => {{
        let n = $n;
        $crate::ui::i18n::fill($crate::ui::i18n::form($crate::ui::i18n::t($text), n), &[("n", &n)])
    }};
}

pub(crate) use {tf, tn};

/// The form of a text that so many things take.
pub(crate) fn form(text: &str, n: usize) -> &str {
    match text.split_once('|') {
        Some((one, several)) => {
            if Lang::now().is_one(n) {
                one
            } else {
                several
            }
        }
        None => text,
    }
}

/// Puts values in the place of names in braces. What the values hold is not looked at.
pub(crate) fn fill(text: &str, values: &[(&str, &dyn fmt::Display)]) -> String {
    let mut filled = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let named = after.split_once('}').and_then(|(name, rest)| {
            values.iter().find(|(n, _)| *n == name).map(|(_, value)| (value, rest))
        });
        match named {
            Some((value, after)) => {
                filled.push_str(&value.to_string());
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled + rest
}

/// A number with so many digits after the point, which is a comma in most languages.
pub(crate) fn decimal(x: f64, digits: usize) -> String {
    with_comma(format!("{x:.digits$}"))
}

/// The same with its sign.
pub(crate) fn signed(x: f64, digits: usize) -> String {
    with_comma(format!("{x:+.digits$}"))
}

fn with_comma(number: String) -> String {
    match Lang::now() {
        Lang::En => number,
        Lang::De | Lang::Es | Lang::Fr => number.replace('.', ","),
    }
}

const DE_DAYS: [&str; 7] =
    ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"];
const ES_DAYS: [&str; 7] =
    ["lunes", "martes", "mi\u{e9}rcoles", "jueves", "viernes", "s\u{e1}bado", "domingo"];
const FR_DAYS: [&str; 7] =
    ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"];
const DE_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "M\u{e4}rz",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const ES_MONTHS: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];
const FR_MONTHS: [&str; 12] = [
    "janvier",
    "f\u{e9}vrier",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "ao\u{fb}t",
    "septembre",
    "octobre",
    "novembre",
    "d\u{e9}cembre",
];

/// The day of the week.
pub(crate) fn weekday(day: Date) -> String {
    let at = day.weekday().to_monday_zero_offset() as usize;
    match Lang::now() {
        Lang::En => day.strftime("%A").to_string(),
        Lang::De => DE_DAYS[at].to_owned(),
        Lang::Es => ES_DAYS[at].to_owned(),
        Lang::Fr => FR_DAYS[at].to_owned(),
    }
}

/// The month.
pub(crate) fn month(day: Date) -> String {
    let at = day.month() as usize - 1;
    match Lang::now() {
        Lang::En => day.strftime("%B").to_string(),
        Lang::De => DE_MONTHS[at].to_owned(),
        Lang::Es => ES_MONTHS[at].to_owned(),
        Lang::Fr => FR_MONTHS[at].to_owned(),
    }
}

/// A day as people write it.
pub(crate) fn date(day: Date) -> String {
    let (n, year) = (day.day(), day.year());
    match Lang::now() {
        Lang::En => day.strftime("%-d %b %Y").to_string(),
        Lang::De => format!("{n}. {} {year}", month(day)),
        Lang::Es => format!("{n} de {} de {year}", month(day)),
        Lang::Fr if n == 1 => format!("1er {} {year}", month(day)),
        Lang::Fr => format!("{n} {} {year}", month(day)),
    }
}

#[cfg(test)]
mod tests;

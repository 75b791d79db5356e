//! What a run is to do: the recipe as written, and the settings it resolves to with their origins.

mod config;
mod keys;
mod model;

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
};

use psi_store::nearest;
use toml::{Table, Value};

pub use self::keys::{Fallback, KEYS, Key, Kind};
pub(crate) use self::{
    config::{EvalConfig, RunConfig, data_config},
    model::new_model,
};
use crate::{Result, TrainError};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything else.
    Default,
    /// The recipe's file.
    Recipe,
    /// `--set` on the command line.
    Set,
    /// Follows from other settings.
    Derived(String),
}

impl Origin {
    /// The word for it in the run folder.
    pub fn describe(&self) -> String {
        match self {
            Self::Default => "default".into(),
            Self::Recipe => "recipe".into(),
            Self::Set => "--set".into(),
            Self::Derived(how) => format!("derived: {how}"),
        }
    }
}

/// A value and its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// In TOML's types; of the key's kind.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// The settings of a run: what the recipe, the command line, the defaults and the derivations say.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    by_key: BTreeMap<&'static str, Setting>,
    /// The recipe's file, for messages and for paths relative to it.
    recipe: PathBuf,
}

impl Settings {
    /// Reads a recipe and the `key=value` texts of `--set`, which win. Defaults are filled in; keys whose
    /// value is derived or absent are not there yet.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] for anything that is not a known key with a value of its kind.
    pub fn read(recipe: &Path, sets: &[String]) -> Result<Self> {
        let text = std::fs::read_to_string(recipe)
            .map_err(|e| TrainError::io(recipe, "reading the recipe", e))?;
        Self::parse(&text, recipe, sets)
    }

    /// [`Settings::read`] of a recipe's text; `recipe` is for messages.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn parse(text: &str, recipe: &Path, sets: &[String]) -> Result<Self> {
        let mut settings = Self { by_key: BTreeMap::new(), recipe: recipe.to_owned() };
        let place = recipe.display().to_string();
        let table: Table = toml::from_str(text).map_err(|e| not_toml(&place, text, &e))?;
        settings.add_table("", table, &place)?;
        for set in sets {
            settings.add_set(set)?;
        }
        for key in KEYS {
            if let (Fallback::Is(text), false) =
                (key.fallback, settings.by_key.contains_key(key.name))
            {
                settings.insert(key, literal(text), Origin::Default);
            }
        }
        Ok(settings)
    }

    fn add_table(&mut self, prefix: &str, table: Table, place: &str) -> Result<()> {
        for (name, value) in table {
            let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            match (KEYS.iter().find(|k| k.name == name), value) {
                (Some(key), value) => {
                    let value = fitting(key, value, place)?;
                    self.insert(key, value, Origin::Recipe);
                }
                (None, Value::Table(inner)) => self.add_table(&name, inner, place)?,
                (None, _) => return Err(unknown(place, &name)),
            }
        }
        Ok(())
    }

    /// One `key=value`; a value that is no TOML is a text.
    fn add_set(&mut self, set: &str) -> Result<()> {
        let Some((name, text)) = set.split_once('=') else {
            let error = TrainError::key("--set", set, "expected KEY=VALUE");
            return Err(error.with_hint("for example --set train.steps=100"));
        };
        let name = name.trim();
        let key = KEYS.iter().find(|k| k.name == name).ok_or_else(|| unknown("--set", name))?;
        let parsed = toml::from_str::<Table>(&format!("x = {text}")).ok();
        let value = match parsed.and_then(|mut t| t.remove("x")) {
            Some(value) if !matches!(key.kind, Kind::Text | Kind::Choice(_)) => value,
            Some(Value::String(value)) => Value::String(value),
            _ => Value::String(text.to_owned()),
        };
        let value = fitting(key, value, "--set")?;
        self.insert(key, value, Origin::Set);
        Ok(())
    }

    fn insert(&mut self, key: &Key, value: Value, origin: Origin) {
        // The list's own text lives forever.
        let name = KEYS.iter().find(|k| k.name == key.name).map_or("", |k| k.name);
        self.by_key.insert(name, Setting { value, origin });
    }

    /// Sets where the run lives, as the command line's own argument says.
    pub fn set_dir(&mut self, dir: &Path) {
        self.insert(known("run.dir"), path_value(dir), Origin::Set);
    }

    /// Where the run lives if nobody says anything else.
    pub fn derive_dir(&mut self, dir: &Path) {
        self.derive("run.dir", path_value(dir), "the recipe's name, in PSI_HOME");
    }

    /// The value of `name`, or `value`, which `how` explains and which becomes the setting.
    ///
    /// # Panics
    /// When there is no such key.
    pub(crate) fn derive(&mut self, name: &str, value: Value, how: &str) {
        if !self.by_key.contains_key(name) {
            self.insert(known(name), value, Origin::Derived(how.to_owned()));
        }
    }

    /// What is known of `name`.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        debug_assert!(KEYS.iter().any(|k| k.name == name), "no key {name}");
        self.by_key.get(name)
    }

    /// Whether the recipe or the command line gives `name`.
    pub fn is_given(&self, name: &str) -> bool {
        self.get(name).is_some_and(|s| matches!(s.origin, Origin::Recipe | Origin::Set))
    }

    /// A whole number.
    ///
    /// # Panics
    /// When nothing is known of it.
    #[track_caller]
    pub fn count(&self, name: &str) -> usize {
        self.opt_count(name).unwrap_or_else(|| panic!("{name} has no value"))
    }

    /// A whole number, if it is known.
    pub fn opt_count(&self, name: &str) -> Option<usize> {
        // `fitting` has refused negative ones.
        self.get(name).and_then(|s| s.value.as_integer()).map(|n| n as usize)
    }

    /// A number.
    ///
    /// # Panics
    /// When nothing is known of it.
    #[track_caller]
    pub fn number(&self, name: &str) -> f64 {
        let value = self.get(name).and_then(|s| s.value.as_float());
        value.unwrap_or_else(|| panic!("{name} has no value"))
    }

    /// A flag; false when nothing is known of it.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(|s| s.value.as_bool()).unwrap_or_default()
    }

    /// A text, if it is known.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|s| s.value.as_str())
    }

    /// A list of texts.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let list = self.get(name).and_then(|s| s.value.as_array());
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    /// The recipe's file.
    pub fn recipe(&self) -> &Path {
        &self.recipe
    }

    /// An error about `name` that says where it was given.
    pub fn refuse(&self, name: &str, why: impl Into<String>) -> TrainError {
        let place = match self.get(name).map(|s| &s.origin) {
            Some(Origin::Set) => "--set".to_owned(),
            _ => self.recipe.display().to_string(),
        };
        TrainError::key(&place, name, why)
    }

    /// Every setting as a line of TOML with its origin: what the run folder keeps, and what can be read
    /// again as a recipe.
    pub fn to_toml(&self) -> String {
        let line = |name: &&str, s: &Setting| format!("{name} = {}", s.value);
        let width = self.by_key.iter().map(|(n, s)| line(n, s).chars().count()).filter(|&n| n < 60);
        let width = width.max().unwrap_or(0);
        let mut text = String::new();
        for (name, setting) in &self.by_key {
            let line = line(name, setting);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{line:<width$}  # {}", setting.origin.describe());
        }
        text
    }

    /// Every known setting, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Setting)> {
        self.by_key.iter().map(|(&name, setting)| (name, setting))
    }

    /// The first setting that must not change within a run and differs from `before`.
    pub fn first_change(&self, before: &Self) -> Option<(&'static str, String, String)> {
        let show = |s: Option<&Setting>| s.map_or("absent".to_owned(), |s| s.value.to_string());
        KEYS.iter().filter(|k| !k.free).find_map(|k| {
            let (old, new) = (before.by_key.get(k.name), self.by_key.get(k.name));
            let same = old.map(|s| &s.value) == new.map(|s| &s.value);
            (!same).then(|| (k.name, show(old), show(new)))
        })
    }
}

#[track_caller]
fn known(name: &str) -> &'static Key {
    KEYS.iter().find(|k| k.name == name).unwrap_or_else(|| panic!("no key {name}"))
}

fn path_value(path: &Path) -> Value {
    Value::String(path.display().to_string())
}

/// A default's text as a value.
fn literal(text: &str) -> Value {
    let table: Option<Table> = toml::from_str(&format!("x = {text}")).ok();
    table.and_then(|mut t| t.remove("x")).unwrap_or_else(|| panic!("default {text} is no TOML"))
}

/// The value in the key's own type, or why it cannot be.
fn fitting(key: &Key, value: Value, place: &str) -> Result<Value> {
    let refuse = |why: String| Err(TrainError::key(place, key.name, why));
    match (key.kind, value) {
        (Kind::Count, Value::Integer(n)) if n >= 0 => Ok(Value::Integer(n)),
        (Kind::Count, Value::Float(x)) if x >= 0.0 && x.fract() == 0.0 && x < 1e15 => {
            Ok(Value::Integer(x as i64))
        }
        (Kind::Count, other) => refuse(format!("{other} is not a whole number from 0 on")),
        (Kind::Number, Value::Integer(n)) => Ok(Value::Float(n as f64)),
        (Kind::Number, Value::Float(x)) if x.is_finite() => Ok(Value::Float(x)),
        (Kind::Number, other) => refuse(format!("{other} is not a finite number")),
        (Kind::Flag, value @ Value::Boolean(_)) => Ok(value),
        (Kind::Flag, other) => refuse(format!("{other} is neither true nor false")),
        (Kind::Text, value @ Value::String(_)) => Ok(value),
        (Kind::Text, other) => refuse(format!("{other} is not a text in quotes")),
        (Kind::Choice(all), Value::String(text)) => {
            if all.contains(&text.as_str()) {
                return Ok(Value::String(text));
            }
            let error = TrainError::key(place, key.name, format!("there is no '{text}'"));
            Err(error.with_hint(format!("choose one of {}", all.join(", "))))
        }
        (Kind::Choice(all), other) => refuse(format!("{other} is none of {}", all.join(", "))),
        (Kind::Texts, Value::Array(list)) if list.iter().all(Value::is_str) => {
            Ok(Value::Array(list))
        }
        (Kind::Texts, Value::String(one)) => Ok(Value::Array(vec![Value::String(one)])),
        (Kind::Texts, other) => refuse(format!("{other} is not a list of texts")),
        (Kind::Table, value @ Value::Table(_)) => Ok(value),
        (Kind::Table, other) => refuse(format!("{other} is not a table")),
        (Kind::Tables, Value::Array(list)) if list.iter().all(Value::is_table) => {
            Ok(Value::Array(list))
        }
        (Kind::Tables, other) => refuse(format!("{other} is not a list of tables")),
    }
}

fn unknown(place: &str, name: &str) -> TrainError {
    let error = TrainError::key(place, name, "no such key");
    match nearest(name, &mut KEYS.iter().map(|k| k.name), 2)[..] {
        [] => error.with_hint("`psi help recipe` lists every key"),
        [one] => error.with_hint(format!("did you mean {one}?")),
        [a, b, ..] => error.with_hint(format!("did you mean {a} or {b}?")),
    }
}

fn not_toml(place: &str, text: &str, error: &toml::de::Error) -> TrainError {
    let line = error.span().map(|s| text[..s.start.min(text.len())].matches('\n').count() + 1);
    let place = line.map_or(place.to_owned(), |line| format!("{place}:{line}"));
    let why = format!("not TOML: {}", error.message().trim());
    TrainError::Recipe { place, key: None, why, hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, sets: &[&str]) -> Result<Settings> {
        let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
        Settings::parse(text, Path::new("r.toml"), &sets)
    }

    #[test]
    fn the_command_line_wins_over_the_recipe_and_the_recipe_over_the_default() {
        let settings = parse(
            "[model]\ndepth = 6\n[optim]\nlr = 1\nkind = 'adamw'",
            &["model.depth=8", "optim.beta1=0.8", "run.dir=a=b", "eval.prompts=['x', 'y']"],
        )
        .unwrap();
        let shown = |name: &str| {
            let s = settings.get(name).unwrap();
            format!("{} ({})", s.value, s.origin.describe())
        };
        assert_eq!(shown("model.depth"), "8 (--set)");
        assert_eq!(shown("optim.lr"), "1.0 (recipe)");
        assert_eq!(shown("optim.beta1"), "0.8 (--set)");
        assert_eq!(shown("optim.beta2"), "0.95 (default)");
        assert_eq!(settings.text("run.dir"), Some("a=b"));
        assert_eq!(settings.texts("eval.prompts"), ["x", "y"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_a_way_out() {
        let cases: [(&str, &[&str], &str, &str); 8] = [
            ("[optm]\nlr = 1.0", &[], "r.toml: optm.lr: no such key", "did you mean optim.lr"),
            ("[train]\nstep = 5", &[], "r.toml: train.step: no such key", "train.steps"),
            ("[model]\ndepth = -1", &[], "model.depth: -1 is not a whole number", ""),
            ("[model]\ndepth = '4'", &[], "is not a whole number", ""),
            ("", &["optim.kind=sgd"], "--set: optim.kind: there is no 'sgd'", "muon, adamw"),
            ("", &["optim.lr=nan"], "is not a finite number", ""),
            ("", &["train.steps"], "expected KEY=VALUE", "for example"),
            ("a = 1\nb = = 2", &[], "r.toml:2: not TOML", ""),
        ];
        for (text, sets, message, hint) in cases {
            let error = parse(text, sets).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.hint().unwrap_or_default().contains(hint), "{error}: {:?}", error.hint());
        }
    }

    #[test]
    fn every_default_is_of_its_keys_kind() {
        for key in KEYS {
            if let Fallback::Is(text) = key.fallback {
                fitting(key, literal(text), "default").unwrap();
            }
        }
    }

    #[test]
    fn resolved_settings_read_back_as_a_recipe() {
        let mut settings = parse("[model]\ndepth = 6", &["optim.lr=3e-4"]).unwrap();
        settings.derive("model.d_model", Value::Integer(384), "64 x model.depth");
        let again = parse(&settings.to_toml(), &[]).unwrap();
        assert_eq!(again.first_change(&settings), None);
        let other = parse(&settings.to_toml(), &["model.d_model=400", "save.keep=9"]).unwrap();
        let change = other.first_change(&settings);
        assert_eq!(change, Some(("model.d_model", "384".into(), "400".into())));
    }
}

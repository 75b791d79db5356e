//! The filters and tests of Jinja, with Python's results, charged to the budget.

use std::sync::Arc;

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, Value, filters, tests};

use super::budget::Budget;
use super::methods;
use super::operators::{format_percent, invalid};
use super::python::{self, JsonStyle, to_text};

type Result<T> = std::result::Result<T, Error>;

/// Adds everything a template may use after `|` and `is`.
pub(super) fn register(environment: &mut Environment<'_>, budget: &Arc<Budget>) {
    text_filters(environment, budget);
    list_filters(environment);
    number_filters(environment);
    register_tests(environment);
    let b = budget.clone();
    environment.add_filter(
        "tojson",
        move |value: &Value, indent: Option<Value>, kwargs: Kwargs| {
            to_json(value, indent, &kwargs, &b)
        },
    );
}

#[expect(clippy::too_many_lines, reason = "one list of filters")]
fn text_filters(environment: &mut Environment<'_>, budget: &Arc<Budget>) {
    type Change = fn(&str) -> String;
    let changes: [(&str, Change); 4] = [
        ("upper", |t| t.to_uppercase()),
        ("lower", |t| t.to_lowercase()),
        ("capitalize", methods::capitalize),
        ("title", methods::title),
    ];
    for (name, change) in changes {
        let b = budget.clone();
        environment.add_filter(name, move |value: &Value| -> Result<String> {
            let text = to_text(value)?;
            b.charge(text.len() * 2)?;
            Ok(change(&text))
        });
    }
    for name in ["string", "safe"] {
        let b = budget.clone();
        environment.add_filter(name, move |value: &Value| -> Result<String> {
            let text = to_text(value)?;
            b.charge(text.len())?;
            Ok(text.into_owned())
        });
    }
    for name in ["escape", "e"] {
        let b = budget.clone();
        environment.add_filter(name, move |value: &Value| -> Result<String> {
            let text = to_text(value)?;
            b.charge(text.len().saturating_mul(5))?;
            Ok(text
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('\'', "&#39;")
                .replace('"', "&#34;"))
        });
    }
    let b = budget.clone();
    environment.add_filter("trim", move |value: &Value, chars: Option<Value>| -> Result<String> {
        let text = to_text(value)?;
        b.charge(text.len())?;
        methods::trim(&text, chars.as_ref())
    });
    let b = budget.clone();
    let replace = move |value: &Value, old: &Value, new: &Value, count: Option<i64>| {
        let (text, old, new) = (to_text(value)?, to_text(old)?, to_text(new)?);
        methods::replace(&text, &old, &new, count.unwrap_or(-1), &b)
    };
    environment.add_filter("replace", replace);
    let b = budget.clone();
    let join = move |value: Value, separator: Option<String>, kwargs: Kwargs| -> Result<String> {
        let by_keyword: Option<String> = kwargs.get("d")?;
        let separator = separator.or(by_keyword).unwrap_or_default();
        match kwargs.get::<Option<&str>>("attribute")? {
            None => methods::join(&value, &separator, &b),
            Some(name) => {
                let items: Result<Vec<Value>> =
                    value.try_iter()?.map(|v| v.get_attr(name)).collect();
                methods::join(&Value::from(items?), &separator, &b)
            }
        }
    };
    environment.add_filter("join", join);
    let b = budget.clone();
    environment.add_filter("format", move |format: &str, args: Rest<Value>| -> Result<String> {
        format_percent(format, &args, &b)
    });
    let b = budget.clone();
    environment.add_filter("indent", move |value: &Value, args: Rest<Value>| {
        indent(&to_text(value)?, &args, &b)
    });
    environment.add_filter("wordcount", |value: &Value| -> Result<usize> {
        Ok(to_text(value)?.split_whitespace().count())
    });
}

/// `indent(width=4, first=False, blank=False)`.
fn indent(text: &str, args: &[Value], budget: &Budget) -> Result<String> {
    let (width, first, blank, kwargs): (Option<Value>, Option<bool>, Option<bool>, Kwargs) =
        minijinja::value::from_args(args)?;
    let width = width.or(kwargs.get("width")?).unwrap_or(Value::from(4));
    let first = first.or(kwargs.get("first")?).unwrap_or(false);
    let blank = blank.or(kwargs.get("blank")?).unwrap_or(false);
    let indentation = match (width.as_str(), width.as_usize()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(n)) if n <= 10_000 => " ".repeat(n),
        _ => return Err(invalid("indent takes a width or a text")),
    };
    let n_lines = text.matches('\n').count() + 1;
    budget.charge(text.len() + n_lines.saturating_mul(indentation.len()))?;
    let mut out = String::with_capacity(text.len() + n_lines * indentation.len());
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let wanted = if i == 0 { first } else { blank || !line.is_empty() };
        out.push_str(if wanted { &indentation } else { "" });
        out.push_str(line);
    }
    Ok(out)
}

fn list_filters(environment: &mut Environment<'_>) {
    for name in ["length", "count"] {
        environment.add_filter(name, filters::length);
    }
    for name in ["default", "d"] {
        environment.add_filter(name, filters::default);
    }
    environment.add_filter("items", filters::items);
    environment.add_filter("dictsort", filters::dictsort);
    environment.add_filter("reverse", filters::reverse);
    environment.add_filter("attr", filters::attr);
    environment.add_filter("first", filters::first);
    environment.add_filter("last", filters::last);
    environment.add_filter("list", filters::list);
    environment.add_filter("sort", filters::sort);
    environment.add_filter("unique", filters::unique);
    environment.add_filter("min", filters::min);
    environment.add_filter("max", filters::max);
    environment.add_filter("sum", filters::sum);
    environment.add_filter("map", filters::map);
    environment.add_filter("select", filters::select);
    environment.add_filter("reject", filters::reject);
    environment.add_filter("selectattr", filters::selectattr);
    environment.add_filter("rejectattr", filters::rejectattr);
    environment.add_filter("groupby", filters::groupby);
    environment.add_filter("batch", filters::batch);
    environment.add_filter("slice", filters::slice);
}

fn number_filters(environment: &mut Environment<'_>) {
    environment.add_filter("abs", filters::abs);
    environment.add_filter("round", filters::round);
    environment.add_filter("int", |value: &Value, default: Option<i64>| -> Value {
        let default = Value::from(default.unwrap_or(0));
        match value.kind() {
            ValueKind::Bool => Value::from(i64::from(value.is_true())),
            ValueKind::Number if value.is_integer() => value.clone(),
            ValueKind::Number => f64::try_from(value.clone())
                .ok()
                .filter(|f| f.is_finite())
                .map_or(default, |f| Value::from(f as i128)),
            ValueKind::String => {
                let text = value.as_str().unwrap_or_default().trim().replace('_', "");
                let whole = text.parse::<i128>().ok();
                let cut = || text.parse::<f64>().ok().filter(|f| f.is_finite()).map(|f| f as i128);
                whole.or_else(cut).map_or(default, Value::from)
            }
            _ => default,
        }
    });
    environment.add_filter("float", |value: &Value, default: Option<f64>| -> Value {
        let parsed = match value.kind() {
            ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
            ValueKind::Number => f64::try_from(value.clone()).ok(),
            ValueKind::String => value.as_str().and_then(|t| t.trim().parse().ok()),
            _ => None,
        };
        Value::from(parsed.or(default).unwrap_or(0.0))
    });
}

fn register_tests(environment: &mut Environment<'_>) {
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("none", tests::is_none);
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("odd", tests::is_odd);
    environment.add_test("even", tests::is_even);
    environment.add_test("divisibleby", tests::is_divisibleby);
    // In Python a boolean is a number and an integer is what is not a float nor a boolean.
    environment
        .add_test("number", |v: &Value| matches!(v.kind(), ValueKind::Number | ValueKind::Bool));
    environment.add_test("integer", |v: &Value| v.kind() == ValueKind::Number && v.is_integer());
    environment.add_test("float", |v: &Value| v.kind() == ValueKind::Number && !v.is_integer());
    environment.add_test("string", |v: &Value| v.kind() == ValueKind::String);
    environment.add_test("mapping", |v: &Value| v.kind() == ValueKind::Map);
    // A Python text, dict and list have a length and items: all are sequences to Jinja.
    environment.add_test("sequence", |v: &Value| {
        matches!(v.kind(), ValueKind::Seq | ValueKind::String | ValueKind::Map)
    });
    environment.add_test("iterable", |v: &Value| {
        use ValueKind::{Iterable, Map, Seq, String, Undefined};
        matches!(v.kind(), Seq | String | Map | Iterable | Undefined)
    });
    environment.add_test("callable", |v: &Value| v.kind() == ValueKind::Plain);
    environment.add_test("lower", tests::is_lower);
    environment.add_test("upper", tests::is_upper);
    environment.add_test("sameas", tests::is_sameas);
    environment.add_test("in", tests::is_in);
    environment.add_test("true", tests::is_true);
    environment.add_test("false", tests::is_false);
    environment.add_test("filter", tests::is_filter);
    environment.add_test("test", tests::is_test);
    for name in ["eq", "equalto", "=="] {
        environment.add_test(name, tests::is_eq);
    }
    for name in ["ne", "!="] {
        environment.add_test(name, tests::is_ne);
    }
    for name in ["lt", "lessthan", "<"] {
        environment.add_test(name, tests::is_lt);
    }
    for name in ["le", "<="] {
        environment.add_test(name, tests::is_le);
    }
    for name in ["gt", "greaterthan", ">"] {
        environment.add_test(name, tests::is_gt);
    }
    for name in ["ge", ">="] {
        environment.add_test(name, tests::is_ge);
    }
}

/// `tojson` as `transformers` defines it: `json.dumps(value, ensure_ascii=False, ...)`.
fn to_json(
    value: &Value,
    indent: Option<Value>,
    kwargs: &Kwargs,
    budget: &Budget,
) -> Result<String> {
    let indent = indent.or(kwargs.get("indent")?).filter(|v| !v.is_none());
    let indent = match indent {
        None => None,
        Some(v) => Some(match (v.as_str(), v.as_usize()) {
            (Some(text), _) if text.len() <= 100 => text.to_owned(),
            (_, Some(n)) if n <= 100 => " ".repeat(n),
            _ => return Err(invalid("indent takes a small number or a short text")),
        }),
    };
    let separators: Option<Value> = kwargs.get("separators")?;
    let (item, key) = match separators.filter(|s| !s.is_none()) {
        None => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
        Some(pair) => {
            let part = |i| pair.get_item_by_index(i).and_then(|s| Ok(to_text(&s)?.into_owned()));
            (part(0)?, part(1)?)
        }
    };
    let style = JsonStyle {
        ensure_ascii: kwargs.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
        indent,
        item_separator: item,
        key_separator: key,
        sort_keys: kwargs.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    kwargs.assert_all_used()?;
    let mut out = String::new();
    python::write_json(value, &style, 0, &mut out)?;
    budget.charge(out.len())?;
    Ok(out)
}

//! The last step of every rendering: an allow-list of elements, attributes, classes and schemes.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use ammonia::{Builder, UrlRelative};

/// Elements of prose.
const PROSE: [&str; 25] = [
    "a",
    "blockquote",
    "br",
    "code",
    "del",
    "div",
    "em",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "span",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];
/// Elements of MathML Core, without links, actions and embedded documents.
const MATH: [&str; 29] = [
    "math",
    "semantics",
    "annotation",
    "mrow",
    "mi",
    "mo",
    "mn",
    "ms",
    "mtext",
    "mspace",
    "mfrac",
    "msqrt",
    "mroot",
    "msub",
    "msup",
    "msubsup",
    "munder",
    "mover",
    "munderover",
    "mmultiscripts",
    "mprescripts",
    "mtable",
    "mtr",
    "mtd",
    "mpadded",
    "mphantom",
    "mstyle",
    "merror",
    "none",
];
/// Attributes of MathML that lay out and say nothing else.
const MATH_ATTRIBUTES: [&str; 22] = [
    "accent",
    "accentunder",
    "columnspan",
    "depth",
    "display",
    "displaystyle",
    "encoding",
    "fence",
    "form",
    "height",
    "largeop",
    "linethickness",
    "lspace",
    "mathvariant",
    "maxsize",
    "minsize",
    "movablelimits",
    "rspace",
    "scriptlevel",
    "stretchy",
    "symmetric",
    "width",
];
/// Classes of the highlighter.
pub(super) const CODE_CLASSES: [&str; 10] =
    ["hc", "hs", "hn", "hk", "hf", "ht", "ha", "hv", "hi", "hd"];
/// Classes of the MathML writer, on tables, cells and operators.
const MATH_CLASSES: [&str; 15] = [
    "menv-alignlike",
    "menv-align",
    "menv-arraylike",
    "menv-cases",
    "menv-cells-left",
    "menv-cells-right",
    "menv-matrix",
    "menv-multline",
    "menv-nonumber",
    "menv-left-solid",
    "menv-right-solid",
    "menv-border-only",
    "cell-left",
    "cell-right",
    "mop-negated",
];

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(cleaner);

/// Markup without anything that is not on the lists.
pub(super) fn clean(markup: &str) -> String {
    CLEANER.clean(markup).to_string()
}

fn set<const N: usize>(names: [&'static str; N]) -> HashSet<&'static str> {
    names.into_iter().collect()
}

fn cleaner() -> Builder<'static> {
    let mut attributes: HashMap<&str, HashSet<&str>> =
        HashMap::from([("a", set(["href"])), ("ol", set(["start"])), ("pre", set(["data-lang"]))]);
    for element in MATH {
        attributes.insert(element, set(MATH_ATTRIBUTES));
    }
    let focusable = HashMap::from([("tabindex", set(["0"]))]);
    let mut classes = HashMap::from([("span", set(CODE_CLASSES)), ("div", set(["table"]))]);
    for element in ["td", "th"] {
        classes.insert(element, set(["right", "center"]));
    }
    for element in ["mtable", "mtd", "mtr", "mo", "mi"] {
        classes.insert(element, set(MATH_CLASSES));
    }
    let mut builder = Builder::empty();
    builder
        .tags(PROSE.into_iter().chain(MATH).collect())
        .clean_content_tags(set(["script", "style"]))
        .tag_attributes(attributes)
        .tag_attribute_values(HashMap::from([("div", focusable.clone()), ("pre", focusable)]))
        .allowed_classes(classes)
        .generic_attributes(HashSet::new())
        .url_schemes(set(["http", "https", "mailto"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .set_tag_attribute_value("a", "target", "_blank")
        .attribute_filter(|element, attribute, value| match (element, attribute) {
            ("pre", "data-lang") if value.len() > 24 || value.is_empty() => None,
            ("ol", "start") => value.parse::<u32>().ok().map(|n| n.to_string().into()),
            _ => Some(Cow::Borrowed(value)),
        });
    builder
}

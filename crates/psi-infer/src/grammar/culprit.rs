//! Which keyword of a schema the compiler refuses: it gives a reason but no place.

use serde_json::Value;

use super::{
    GrammarError,
    schema::{Prepared, drop_keyword},
};

/// Most places that are tried.
const MAX_TRIES: usize = 24;

/// Phrases of the compiler and the keywords they are about.
const PHRASES: [(&str, &[&str]); 6] = [
    ("oneOf constraints", &["oneOf"]),
    ("patternProperty", &["patternProperties"]),
    ("min/maxProperties", &["minProperties", "maxProperties"]),
    ("circular references", &["$ref", "allOf"]),
    ("regex is empty", &["pattern"]),
    ("multipleOf", &["multipleOf"]),
];

/// The error for a schema that was refused with `why`. `refusal` compiles a schema and gives the reason
/// it is refused with, if it is.
///
/// Keywords of the kind that `why` is about are taken out one after another; the one whose absence
/// changes the reason is the culprit.
pub(super) fn name(
    schema: &Prepared,
    why: &str,
    refusal: &dyn Fn(&Value) -> Option<String>,
) -> GrammarError {
    let about = PHRASES.iter().find(|(phrase, _)| why.contains(phrase));
    let Some((_, keywords)) = about else {
        return GrammarError::refused("the JSON schema", why);
    };
    let suspects = schema.partial.iter().filter(|(k, _)| keywords.contains(&k.as_str()));
    let suspects: Vec<&(String, String)> = suspects.collect();
    let mut rest = schema.value.clone();
    let mut found = suspects.first();
    if suspects.len() > 1 {
        for suspect in suspects.iter().take(MAX_TRIES) {
            drop_keyword(&mut rest, &suspect.1);
            if refusal(&rest).as_deref() != Some(why) {
                found = Some(suspect);
                break;
            }
        }
    }
    let error = GrammarError::refused("the JSON schema", why);
    let why = match (&error, keywords[0]) {
        (_, "oneOf") => "its alternatives are not clearly exclusive".to_owned(),
        (GrammarError::Invalid { why, .. } | GrammarError::TooComplex { why, .. }, _) => {
            why.clone()
        }
        _ => return error,
    };
    match found {
        Some((keyword, path)) => GrammarError::unsupported(keyword, path, why),
        None => error,
    }
}

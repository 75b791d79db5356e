//! From bytes to a request's type, with the parameter that is wrong named by its path.

use serde::de::DeserializeOwned;

use super::error::ApiError;

/// Reads a JSON body. Unknown and repeated parameters are errors, as is anything after the document.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // A struct would also take a list of its fields in order.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(ApiError::Invalid {
            param: None,
            why: "the body must be a JSON object".to_owned(),
        });
    }
    let mut document = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut document);
    let value = parsed.map_err(|e| refusal(&e.path().to_string(), e.inner()))?;
    document.end().map_err(|e| refusal(".", &e))?;
    Ok(value)
}

fn refusal(path: &str, error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    if error.is_syntax() || error.is_eof() {
        return ApiError::Invalid { param: None, why: format!("the body is not JSON: {text}") };
    }
    let why = text.split(" at line ").next().unwrap_or(&text);
    let path = path.trim_start_matches('.');
    let quoted = |start: &str| why.strip_prefix(start)?.split('`').next();
    if let Some(name) = quoted("unknown field `") {
        return ApiError::Unsupported {
            param: join(path, name),
            why: "psi does not know this parameter".to_owned(),
        };
    }
    if let Some(name) = quoted("missing field `") {
        return ApiError::invalid(join(path, name), "is needed");
    }
    if let Some(name) = quoted("duplicate field `") {
        return ApiError::invalid(join(path, name), "is given twice");
    }
    let param = (!path.is_empty()).then(|| path.to_owned());
    ApiError::Invalid { param, why: why.to_owned() }
}

/// The path of a field inside the object at `path`; the parser sometimes names the field already.
fn join(path: &str, name: &str) -> String {
    match path {
        "" | "?" => name.to_owned(),
        path if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        path => format!("{}.{name}", path.trim_end_matches(".?")),
    }
}

/// Reads what follows `?`: `a=1`, lists as `a[]=1`, maps as `a[b]=1`. Unknown and repeated parameters are errors.
pub(crate) fn query<T: DeserializeOwned>(uri: &axum::http::Uri) -> Result<T, ApiError> {
    let config = serde_qs::Config::new()
        .max_depth(1)
        .use_form_encoding(true)
        .duplicate_key_behavior(serde_qs::DuplicateKeyBehavior::Error);
    let parsed = config.deserialize_str(uri.query().unwrap_or(""));
    parsed.map_err(|e| ApiError::Invalid { param: None, why: e.to_string() })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "n")]
        _n: u32,
        #[serde(default, rename = "list")]
        _list: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "x")]
        _x: f32,
    }

    #[track_caller]
    fn check(body: &str, param: Option<&str>, why: &str) {
        let error = parse::<Outer>(body.as_bytes()).expect_err(body);
        let (ApiError::Invalid { why: said, .. } | ApiError::Unsupported { why: said, .. }) =
            error.clone()
        else {
            panic!("{error:?}")
        };
        let named = match error {
            ApiError::Invalid { param, .. } => param,
            ApiError::Unsupported { param, .. } => Some(param),
            _ => None,
        };
        assert_eq!(named.as_deref(), param, "{body}: {said}");
        assert!(said.contains(why), "{body}: {said}");
    }

    #[test]
    fn the_parameter_that_is_wrong_is_named_by_its_path() {
        check(r#"{"n": 1, "list": [{"x": 1}, {"x": "a"}]}"#, Some("list[1].x"), "invalid type");
        check(r#"{"n": 1, "list": [{"x": 1, "y": 2}]}"#, Some("list[0].y"), "does not know");
        check(r#"{"n": 1, "list": [{}]}"#, Some("list[0].x"), "is needed");
        check(r#"{"n": -1}"#, Some("n"), "invalid value");
        check(r#"{"n": 1, "n": 2}"#, Some("n"), "twice");
        check(r#"{"m": 1}"#, Some("m"), "does not know");
        check("{}", Some("n"), "is needed");
        check("", None, "not JSON");
        check(r#"{"n": 1} x"#, None, "not JSON");
        check(&format!("{}1", "[".repeat(100_000)), None, "");
    }
}

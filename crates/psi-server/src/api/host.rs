//! By what name the server may be called, and from which pages.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::error::ApiError;
use crate::guard;

/// Names and origins beside the server's own.
#[derive(Debug)]
pub(crate) struct Allowed {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Allowed {
    /// `*` among the hosts: any name.
    pub(crate) fn new(hosts: Vec<String>, origins: Vec<String>) -> Self {
        Self { hosts, origins }
    }

    /// Refuses a name that is not the server's (a rebound one) and a page of another site.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(ApiError::Invalid { param: None, why: "one Host header is needed".into() });
        };
        let host = host.to_str().ok().filter(|h| self.is_own(h));
        let Some(host) = host else {
            let why = "this server does not answer to that Host (see --allow-host)";
            return Err(ApiError::Forbidden(why.to_owned()));
        };
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        match origin.to_str() {
            Ok(origin) if origin == format!("http://{host}") || self.is_friend(origin) => Ok(()),
            _ => {
                let why = "another site's page may not ask here (see --allow-origin)";
                Err(ApiError::Forbidden(why.to_owned()))
            }
        }
    }

    fn is_own(&self, host: &str) -> bool {
        let name = host.rsplit_once(':').map_or(host, |(name, port)| {
            if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host }
        });
        let matches = |own: &String| own == "*" || own.eq_ignore_ascii_case(name);
        guard::is_loopback(host) || self.hosts.iter().any(matches)
    }

    fn is_friend(&self, origin: &str) -> bool {
        self.origins.iter().any(|o| o == origin)
    }

    /// What a browser is told about a page of another site that may ask: nothing else gets these.
    pub(crate) fn cors(&self, headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        let origin = headers.get(header::ORIGIN);
        let Some(origin) = origin.filter(|o| o.to_str().is_ok_and(|o| self.is_friend(o))) else {
            return Vec::new();
        };
        vec![
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()),
            (header::VARY, HeaderValue::from_static("origin")),
            (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE")),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static(
                    "authorization, content-type, x-api-key, anthropic-version",
                ),
            ),
            (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(allowed: &Allowed, host: &str, origin: Option<&str>, ok: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).expect("a value"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).expect("a value"));
        }
        assert_eq!(allowed.check(&headers).is_ok(), ok, "{host} {origin:?}");
    }

    #[test]
    fn only_its_own_names_and_friendly_pages_get_through() {
        let local = Allowed::new(Vec::new(), Vec::new());
        check(&local, "localhost:8080", None, true);
        check(&local, "localhost:8080", Some("http://localhost:8080"), true);
        check(&local, "localhost:8080", Some("http://localhost:9"), false);
        check(&local, "rebound.example:8080", None, false);
        let wide =
            Allowed::new(vec!["lab.example".to_owned()], vec!["https://app.example".to_owned()]);
        check(&wide, "lab.example:8080", Some("https://app.example"), true);
        check(&wide, "LAB.example", None, true);
        check(&wide, "lab.example.evil.example", None, false);
        check(&wide, "lab.example", Some("https://app.example.evil.example"), false);
        check(&wide, "lab.example", Some("null"), false);
        check(&Allowed::new(vec!["*".to_owned()], Vec::new()), "any.example", None, true);
    }
}

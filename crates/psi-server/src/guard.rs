//! What every route goes through: who may ask, and what a browser may do with the answer.

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Refuses requests that another site's page could have caused: the Host must be a loopback name or
/// address (a rebound name is neither), and an Origin, where one is sent, must be this server's own.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let mut response = match check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err((status, why)) => (status, why).into_response(),
    };
    protect(&mut response);
    response
}

/// Tells a browser what the answer may do.
pub(crate) fn protect(response: &mut Response) {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

fn check(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    if method != Method::GET && method != Method::HEAD {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "these pages are only read\n"));
    }
    check_names(headers, &is_loopback)
}

/// Why a request is refused.
pub(crate) type Refusal = (StatusCode, &'static str);

/// The Host must be one of this server's names, and an Origin, where one is sent, its own.
pub(crate) fn check_names(
    headers: &HeaderMap,
    is_own: &dyn Fn(&str) -> bool,
) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err((StatusCode::BAD_REQUEST, "one Host header is needed\n"));
    };
    let host = host.to_str().ok().filter(|h| is_own(h));
    let Some(host) = host else {
        return Err((StatusCode::FORBIDDEN, "this server does not answer to that name\n"));
    };
    match headers.get(header::ORIGIN) {
        None => Ok(()),
        Some(origin) if origin.to_str().ok() == Some(&format!("http://{host}")) => Ok(()),
        Some(_) => Err((StatusCode::FORBIDDEN, "another site's page may not ask here\n")),
    }
}

/// Whether a Host header (`name`, `name:port`, `[address]:port`) names this machine to itself.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = name_of(host);
    name.is_some_and(|name| {
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

/// The name or address in a Host header, without its port; none if it is neither.
pub(crate) fn name_of(host: &str) -> Option<&str> {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if port.is_empty() || is_port(port) => address,
            _ => return None,
        },
        None => match host.split_once(':') {
            Some((name, port)) if is_port(&format!(":{port}")) => name,
            Some(_) => return None,
            None => host,
        },
    };
    Some(name)
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_are_answered() {
        for good in ["localhost", "LocalHost:8080", "127.0.0.1:1", "127.8.9.1", "[::1]", "[::1]:80"]
        {
            assert!(is_loopback(good), "{good}");
        }
        let bad = [
            "",
            "evil.example",
            "evil.example:80",
            "localhost.evil.example",
            "127.0.0.1.nip.example",
            "0.0.0.0",
            "10.0.0.1:80",
            "[::2]:80",
            "[::1",
            "[::1]x",
            "localhost:",
            "localhost:99999",
            "localhost:80:80",
            "127.0.0.1@evil.example",
        ];
        for bad in bad {
            assert!(!is_loopback(bad), "{bad}");
        }
    }

    #[test]
    fn a_foreign_origin_and_a_write_are_refused() {
        let headers = |pairs: &[(HeaderName, &'static str)]| {
            let pairs = pairs.iter().cloned();
            pairs.map(|(n, v)| (n, HeaderValue::from_static(v))).collect::<HeaderMap>()
        };
        let host = (header::HOST, "localhost:7");
        let status = |method, h: &[_]| check(&method, &headers(h)).map_err(|e| e.0);
        let get = Method::GET;
        assert_eq!(status(get.clone(), std::slice::from_ref(&host)), Ok(()));
        assert_eq!(status(get.clone(), &[]), Err(StatusCode::BAD_REQUEST));
        let own = (header::ORIGIN, "http://localhost:7");
        assert_eq!(status(get.clone(), &[host.clone(), own]), Ok(()));
        for origin in ["http://localhost:8", "https://localhost:7", "null", "http://evil.example"] {
            let foreign = (header::ORIGIN, origin);
            assert_eq!(status(get.clone(), &[host.clone(), foreign]), Err(StatusCode::FORBIDDEN));
        }
        assert_eq!(status(Method::POST, &[host]), Err(StatusCode::METHOD_NOT_ALLOWED));
    }
}

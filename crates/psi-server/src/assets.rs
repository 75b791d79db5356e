//! Files that pages load, compiled in.

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// The page's script: one file for the browser, one per concern here.
const APP: &str = concat!(include_str!("assets/app.js"), "\n", include_str!("assets/slash.js"));

/// Name, media type and content.
const ASSETS: [(&str, &str, &str); 4] = [
    ("app.js", "text/javascript; charset=utf-8", APP),
    ("live.js", "text/javascript; charset=utf-8", include_str!("assets/live.js")),
    ("psi.css", "text/css; charset=utf-8", include_str!("assets/psi.css")),
    ("psi.svg", "image/svg+xml", include_str!("assets/psi.svg")),
];

/// `GET /assets/NAME`.
pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(n, ..)| *n == name) {
        Some((_, kind, text)) => ([(header::CONTENT_TYPE, *kind)], *text).into_response(),
        None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    }
}

//! Files that pages load, compiled in: under plain names, and under names with their hash, which never change.

use std::{fmt::Write, sync::LazyLock};

use axum::{
    body::Body,
    extract::Path,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

/// The page's script: one file for the browser, one per concern here.
const APP: &str = concat!(
    include_str!("assets/app.js"),
    "\n",
    include_str!("assets/slash.js"),
    "\n",
    include_str!("assets/notices.js")
);

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// Name, media type and content.
const ASSETS: [(&str, &str, &[u8]); 8] = [
    ("app.js", SCRIPT, APP.as_bytes()),
    ("app.webmanifest", "application/manifest+json", include_bytes!("assets/app.webmanifest")),
    ("icon-192.png", "image/png", include_bytes!("assets/icon-192.png")),
    ("icon-512.png", "image/png", include_bytes!("assets/icon-512.png")),
    ("icon-maskable-512.png", "image/png", include_bytes!("assets/icon-maskable-512.png")),
    ("live.js", SCRIPT, include_bytes!("assets/live.js")),
    ("psi.css", STYLE, include_bytes!("assets/psi.css")),
    ("psi.svg", "image/svg+xml", include_bytes!("assets/psi.svg")),
];

/// What a service worker keeps: all that a page loads by its hash.
const KEPT: [&str; 3] = ["app.js", "live.js", "psi.css"];

/// The service worker, with the addresses that it keeps and a version that changes with any of them.
static WORKER: LazyLock<String> = LazyLock::new(|| {
    let files: Vec<String> = KEPT.iter().map(|name| format!("\"{}\"", at(name))).collect();
    let files = format!("[{}]", files.join(", "));
    let worker = include_str!("assets/worker.js");
    let version = hash(format!("{worker}{files}{}", *OFFLINE).as_bytes());
    worker.replace("__FILES__", &files).replace("__VERSION__", &version)
});

/// What the service worker shows when psi does not run.
static OFFLINE: LazyLock<String> =
    LazyLock::new(|| include_str!("assets/offline.html").replace("__STYLE__", &at("psi.css")));

/// The address of a file, with its hash: another content has another address.
pub(crate) fn at(name: &str) -> String {
    static HASHES: LazyLock<Vec<String>> =
        LazyLock::new(|| ASSETS.iter().map(|(.., bytes)| hash(bytes)).collect());
    match ASSETS.iter().position(|(n, ..)| *n == name) {
        Some(at) => format!("/assets/{name}?h={}", HASHES[at]),
        None => format!("/assets/{name}"),
    }
}

/// The first eight bytes of a content's SHA-256, in hexadecimal.
fn hash(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(16);
    for byte in Sha256::digest(bytes).iter().take(8) {
        // A String takes any text.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// `GET /assets/NAME`.
pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    // A worker may act for the pages of its folder only, unless the server says otherwise.
    let scope = (HeaderName::from_static("service-worker-allowed"), "/");
    match name.as_str() {
        "worker.js" => ([(header::CONTENT_TYPE, SCRIPT), scope], WORKER.as_str()).into_response(),
        "offline.html" => ([(header::CONTENT_TYPE, HTML)], OFFLINE.as_str()).into_response(),
        _ => match ASSETS.iter().find(|(n, ..)| *n == name) {
            Some((_, kind, bytes)) => {
                ([(header::CONTENT_TYPE, *kind)], Body::from(*bytes)).into_response()
            }
            None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_keeps_files_by_their_hash_and_its_version_follows_them() {
        for name in KEPT {
            assert!(WORKER.contains(&at(name)), "{name}");
        }
        assert!(!WORKER.contains("__") && !OFFLINE.contains("__"));
        assert!(
            at("psi.css").starts_with("/assets/psi.css?h=") && OFFLINE.contains(&at("psi.css"))
        );
        assert_ne!(hash(b"a"), hash(b"b"));
    }

    #[test]
    fn the_icons_have_the_sizes_that_the_manifest_says() {
        let manifest = include_str!("assets/app.webmanifest");
        let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
        for icon in manifest["icons"].as_array().unwrap() {
            let name = icon["src"].as_str().unwrap().strip_prefix("/assets/").unwrap();
            let (_, kind, bytes) = ASSETS.iter().find(|(n, ..)| *n == name).unwrap();
            assert_eq!(icon["type"], *kind);
            let sizes = icon["sizes"].as_str().unwrap();
            if sizes != "any" {
                let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
                assert_eq!(sizes, format!("{}x{}", number(16), number(20)), "{name}");
            }
        }
    }
}

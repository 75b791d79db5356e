//! Search services that a test runs on loopback: one that speaks SearXNG's JSON, one with a page, and ones that lie.

use std::{net::SocketAddr, sync::Arc};

use super::*;
use crate::tools::{
    tests::context,
    web::tests::{Server, moved, page},
};

const JSON: &str = r#"{"query": "x", "results": [
    {"title": "Tea\u001b[31m", "url": "https://tea.test/green#top", "content": "Steep\n for three minutes."},
    {"title": "Tea again", "url": "https://tea.test/green", "content": "the same page"},
    {"title": "", "url": "https://second.test/", "content": ""},
    {"title": "no page", "url": "javascript:alert(1)", "content": "x"},
    {"title": "a file", "url": "file:///etc/passwd", "content": "x"},
    {"title": "a name and password", "url": "https://a:b@third.test/", "content": "x"}]}"#;

const PAGE: &str = r#"<html><body><a href="/settings">Settings</a>
    <div><a href="https://tea.test/green">How to make <b>green tea</b></a><p>Steep for three minutes.</p>
    <a href="https://tea.test/green">tea.test/green</a></div>
    <div><a href="/l/?x=1&amp;to=https%3A%2F%2Fsecond.test%2Fp">The second page</a><p>About kettles.</p></div>
    <a href="javascript:alert(1)">A bad link</a> <a href="/next">Next page</a> <a href="https://x.test/">1</a>
    <script>document.write('<a href="https://script.test/">scripted</a>')</script></body></html>"#;

fn service(server: &Server, path: &str) -> SearchService {
    SearchService::parse(&format!("http://{}{path}", server.address)).unwrap()
}

fn addresses(output: &ToolOutput) -> Vec<&str> {
    output.data["pages"].as_array().unwrap().iter().map(|p| p["url"].as_str().unwrap()).collect()
}

#[test]
fn searxng_is_asked_for_json_and_its_results_are_text_of_others() {
    let asked = "/searx/search?q=green+tea+%26+more&format=json";
    let server = Server::start(&[(asked, page("application/json", JSON.as_bytes()))]);
    for path in ["/searx", "/searx/", "/searx/search", "/searx/search?q=old"] {
        let output =
            service(&server, path).search(&Web::default(), "green tea & more", &context()).unwrap();
        assert!(output.untrusted);
        assert_eq!(addresses(&output), ["https://tea.test/green", "https://second.test/"]);
        let expected = "[1] Tea[31m\nhttps://tea.test/green\nSteep for three minutes.\n\n[2] second.test\nhttps://second.test/";
        assert_eq!(output.text, expected);
    }
    assert!(server.seen.lock().unwrap().iter().all(|path| path == asked));
}

#[test]
fn a_page_of_results_is_read_as_links_with_what_stands_after_them() {
    let server = Server::start(&[("/find/a%20%2B%20b/x", page("text/html", PAGE.as_bytes()))]);
    let output = service(&server, "/find/{query}/x").search(&Web::default(), "a + b", &context());
    let output = output.unwrap();
    assert_eq!(addresses(&output), ["https://tea.test/green", "https://second.test/p"]);
    let pages = &output.data["pages"];
    assert_eq!(pages[0]["title"], "How to make green tea");
    assert!(pages[0]["excerpt"].as_str().unwrap().contains("Steep for three minutes."), "{pages}");
    assert!(pages[1]["excerpt"].as_str().unwrap().starts_with("About kettles."), "{pages}");
}

#[test]
fn nothing_and_too_much_are_said() {
    let server = Server::start(&[
        ("/search?q=none&format=json", page("application/json", b"{\"results\": []}")),
        ("/search?q=html&format=json", page("text/html", b"<p>hello")),
        (
            "/search?q=closed&format=json",
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
    ]);
    let ask = |query: &str| service(&server, "").search(&Web::default(), query, &context());
    assert_eq!(ask("none").unwrap().text, NOTHING_FOUND);
    assert!(ask("html").unwrap_err().to_string().contains("not SearXNG's JSON"));
    assert!(ask("closed").unwrap_err().to_string().contains("search.formats"));
    assert!(ask(&"x".repeat(MAX_QUERY + 1)).is_err() && ask("  ").is_err());
}

/// T15, T16: the service's own address may lie inside where the user named it so, and no other.
#[test]
fn t16_a_service_inside_leads_nowhere_else_inside() {
    let other = Server::start(&[("/", page("application/json", JSON.as_bytes()))]);
    let server = Server::start(&[
        ("/search?q=other&format=json", moved(&format!("http://{}/", other.address))),
        ("/search?q=metadata&format=json", moved("http://169.254.169.254/latest/")),
        ("/search?q=file&format=json", moved("file:///etc/passwd")),
        ("/search?q=own&format=json", moved("/results")),
        ("/results", page("application/json", JSON.as_bytes())),
    ]);
    let own = service(&server, "");
    assert!(own.search(&Web::default(), "own", &context()).is_ok());
    for query in ["other", "metadata", "file"] {
        let error = own.search(&Web::default(), query, &context()).unwrap_err();
        assert!(matches!(error, ToolError::NotAllowed(_)), "{query}: {error}");
    }
    assert!(other.seen.lock().unwrap().is_empty());
}

/// T15: a name of the internet that leads inside is refused, whoever named it.
#[test]
fn t15_a_public_name_that_leads_inside_is_refused() {
    let server = Server::start(&[("/search?q=x&format=json", page("application/json", b"{}"))]);
    let address: SocketAddr = server.address;
    let lookup = move |_: &str, _: u16| Ok(vec![address]);
    let web = Web { lookup: Arc::new(lookup), also: Vec::new() };
    let public = SearchService::parse(&format!("http://search.test:{}/", address.port())).unwrap();
    let error = public.search(&web, "x", &context()).unwrap_err();
    assert!(error.to_string().contains("named by its number"), "{error}");
    for name in ["search.lan", "localhost", "searxng", "a.home.arpa"] {
        let service = SearchService::parse(&format!("http://{name}:{}/", address.port())).unwrap();
        let error = service.search(&web, "x", &context()).unwrap_err();
        assert!(error.to_string().contains("not SearXNG's JSON"), "{name}: {error}");
    }
}

#[test]
fn addresses_that_are_no_services_are_refused() {
    for address in [
        "",
        "search.example",
        "ftp://search.example/",
        "http://a:b@search.example/",
        "https://{query}.example/",
        "https://search.example:22/?q={query}",
        "file:///etc/{query}",
    ] {
        assert!(SearchService::parse(address).is_err(), "{address}");
    }
}

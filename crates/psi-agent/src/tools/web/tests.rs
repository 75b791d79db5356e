//! A server on loopback that lies in every way a web server can, and a lookup that a test controls.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::Mutex,
    thread,
};

use super::*;
use crate::tools::tests::context;

/// Answers one request per path, and counts them.
pub(in crate::tools) struct Server {
    pub(in crate::tools) address: SocketAddr,
    pub(in crate::tools) seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(in crate::tools) fn start(answers: &[(&str, Vec<u8>)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers: HashMap<String, Vec<u8>> =
            answers.iter().map(|(path, answer)| ((*path).to_owned(), answer.clone())).collect();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        thread::Builder::new()
            .spawn(move || {
                for stream in listener.incoming() {
                    let mut stream = stream.unwrap();
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    let Some(Ok(first)) = lines.next() else { continue };
                    while lines.next().is_some_and(|l| l.is_ok_and(|l| !l.is_empty())) {}
                    let path = first.split(' ').nth(1).unwrap_or("").to_owned();
                    log.lock().unwrap().push(path.clone());
                    // The other side may hang up early: that is what is tested.
                    let _ = stream.write_all(answers.get(&path).map_or(b"", Vec::as_slice));
                }
            })
            .unwrap();
        Self { address, seen }
    }

    /// A way to the web on which `site.test` is this server and every other name is what `names` say.
    fn web(&self, names: &'static [(&str, &str)]) -> Web {
        let address = self.address;
        let lookup = move |host: &str, port: u16| {
            let other = names.iter().find(|(name, _)| *name == host);
            match (host, other) {
                ("site.test", _) => Ok(vec![address]),
                (_, Some((_, ip))) => Ok(vec![SocketAddr::new(ip.parse().unwrap(), port)]),
                _ => Ok((host, port).to_socket_addrs()?.collect()),
            }
        };
        Web { lookup: Arc::new(lookup), also: vec![address] }
    }
}

pub(in crate::tools) fn page(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

pub(in crate::tools) fn moved(target: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

#[test]
fn a_page_is_read_as_text_and_marked_as_of_others() {
    let server = Server::start(&[
        ("/", page("text/html", b"<p>Hello <b>there</b></p><script>x</script>")),
        ("/latin", page("text/plain; charset=iso-8859-1", b"caf\xe9")),
        ("/moved", moved("/")),
    ]);
    let web = server.web(&[]);
    let read = |url: &str| web.fetch(url, None, &context()).unwrap();
    let answer = read("http://site.test/");
    assert!(answer.untrusted);
    assert!(answer.text.contains("Hello there") && !answer.text.contains('x'), "{}", answer.text);
    assert!(read("http://site.test/latin").text.contains("café"));
    assert!(read("http://site.test/moved").text.contains("Hello there"));
}

/// T15: however an address of this machine or its network is written.
#[test]
fn t15_addresses_inside_are_refused_in_every_spelling() {
    let server = Server::start(&[]);
    let web = server.web(&[
        ("evil.test", "127.0.0.1"),
        ("evil.test.", "10.0.0.7"),
        ("xn--bcher-kva.test", "192.168.0.1"),
    ]);
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "0",
        "127.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "169.254.169.254",
        "10.1.2.3",
        "192.168.1.1",
        "172.20.0.1",
        "100.64.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[fc00::1]",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
        "evil.test",
        "evil.test.",
        "bücher.test",
        "127.0.0.1.",
        "１２７.0.0.1",
    ] {
        let url = format!("http://{host}:{}/", if port == 8123 { 8124 } else { 8123 });
        let error = web.fetch(&url, None, &context()).expect_err(&url);
        assert!(matches!(error, ToolError::NotAllowed(_)), "{url}: {error}");
    }
    for url in [
        "http://site.test:0/",
        "http://site.test:22/",
        "http://a:b@site.test/",
        "http://u@site.test/",
    ] {
        assert!(matches!(web.fetch(url, None, &context()), Err(ToolError::NotAllowed(_))), "{url}");
    }
    assert!(server.seen.lock().unwrap().is_empty());
}

/// T15, T17: one name that has an address outside and one inside is refused as a whole.
#[test]
fn t17_a_name_with_one_address_inside_is_refused() {
    let lookup = |_: &str, port: u16| {
        Ok(["93.184.216.34", "127.0.0.1"]
            .map(|ip| SocketAddr::new(ip.parse().unwrap(), port))
            .to_vec())
    };
    let web = Web { lookup: Arc::new(lookup), also: Vec::new() };
    let error = web.fetch("http://two.test/", None, &context()).unwrap_err();
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
}

/// T16: every hop is checked, and there are at most five.
#[test]
fn t16_redirects_are_checked_again() {
    let server = Server::start(&[
        ("/metadata", moved("http://169.254.169.254/latest/meta-data/")),
        ("/loopback", moved("http://127.0.0.1:9/")),
        ("/file", moved("file:///etc/passwd")),
        ("/name", moved("http://inside.test/")),
        ("/loop", moved("/loop")),
    ]);
    let web = server.web(&[("inside.test", "10.0.0.1")]);
    for path in ["/metadata", "/loopback", "/file", "/name"] {
        let error = web.fetch(&format!("http://site.test{path}"), None, &context()).unwrap_err();
        assert!(matches!(error, ToolError::NotAllowed(_)), "{path}: {error}");
    }
    let error = web.fetch("http://site.test/loop", None, &context()).unwrap_err();
    assert!(error.to_string().contains("redirects"), "{error}");
    let loops = server.seen.lock().unwrap().iter().filter(|p| *p == "/loop").count();
    assert_eq!(loops, 1 + MAX_REDIRECTS);
}

/// T17: the name is looked up once per hop, and the connection goes to what was checked.
#[test]
fn t17_a_name_that_changes_between_check_and_connection_gains_nothing() {
    let server = Server::start(&[("/", page("text/plain", b"inside"))]);
    let asked = Arc::new(Mutex::new(0));
    let (count, address) = (Arc::clone(&asked), server.address);
    let lookup = move |_: &str, _: u16| {
        let mut n = count.lock().unwrap();
        *n += 1;
        // Loopback on the first question, so a check that asked once and connected by a second question would differ.
        Ok(if *n == 1 { vec!["127.0.0.1:1".parse().unwrap()] } else { vec![address] })
    };
    let web = Web { lookup: Arc::new(lookup), also: vec![server.address] };
    let error = web.fetch("http://rebind.test/", None, &context()).unwrap_err();
    assert!(matches!(error, ToolError::NotAllowed(_)), "{error}");
    assert_eq!(*asked.lock().unwrap(), 1);
    assert!(server.seen.lock().unwrap().is_empty());
}

/// T18: only the web's own schemes.
#[test]
fn t18_other_schemes_are_refused() {
    for url in [
        "file:///etc/passwd",
        "gopher://x.test/",
        "data:text/plain,x",
        "javascript:alert(1)",
        "ftp://x.test/",
        "jar:http://x.test!/",
        "unix:///run/x",
        "FILE:///etc/passwd",
    ] {
        let error = Web::default().fetch(url, None, &context()).unwrap_err();
        assert!(matches!(error, ToolError::NotAllowed(_)), "{url}: {error}");
    }
    assert!(Web::default().fetch("not an address", None, &context()).is_err());
}

/// T33: what a server may make us hold is limited.
#[test]
fn t33_bodies_that_are_too_large_compressed_or_no_text_are_refused() {
    let large = vec![b'x'; MAX_BODY_BYTES as usize + 1];
    let endless =
        [b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n".to_vec(), large.clone()].concat();
    // A thousand times smaller than what it holds. Whether the HTTP library undoes it depends on the features
    // that other crates ask of it: then the limit holds for what comes out, else the encoding is refused.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![b'x'; 10 * MAX_BODY_BYTES as usize]).unwrap();
    let body = gzip.finish().unwrap();
    assert!(body.len() * 500 < 10 * MAX_BODY_BYTES as usize);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let bomb = [head.into_bytes(), body].concat();
    let headers = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(100_000)).into_bytes();
    let server = Server::start(&[
        ("/large", page("text/plain", &large)),
        ("/endless", endless),
        ("/bomb", bomb),
        ("/image", page("image/png", b"x")),
        ("/headers", headers),
        ("/deep", page("text/html", "<div>".repeat(50_000).as_bytes())),
        ("/missing", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()),
    ]);
    let web = server.web(&[]);
    for (path, why) in [
        ("/large", "more than"),
        ("/endless", "more than"),
        ("/image", "image/png"),
        ("/headers", "site.test"),
        ("/deep", "nests"),
        ("/missing", "404"),
    ] {
        let error = web.fetch(&format!("http://site.test{path}"), None, &context()).unwrap_err();
        assert!(error.to_string().contains(why), "{path}: {error}");
    }
    let error = web.fetch("http://site.test/bomb", None, &context()).unwrap_err().to_string();
    assert!(error.contains("more than") || error.contains("compressed"), "{error}");
}

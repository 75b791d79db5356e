//! A Hub on this machine: the endpoints that `psi pull` uses, with failures by script.
//!
//! Two listeners play two hosts: the Hub itself, and the host that keeps the large files.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use psi_store::ContentHash;
use sha1::{Digest, Sha1};

pub(crate) const NAME: &str = "acme/tiny";
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// Whether it came to the host of the large files.
    pub(crate) at_store: bool,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Close the connection after so many bytes of the body.
    pub(crate) cut: Option<usize>,
    /// After that, keep the connection open in silence instead.
    pub(crate) stall: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, body: &[u8]) -> Self {
        Self { status, headers: Vec::new(), body: body.to_vec(), cut: None, stall: false }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn cut_after(mut self, n_bytes: usize) -> Self {
        self.cut = Some(n_bytes);
        self
    }

    pub(crate) fn stall_after(mut self, n_bytes: usize) -> Self {
        self.stall = true;
        self.cut_after(n_bytes)
    }
}

/// Changes the answer to the n-th request (from 0) for a path.
type Script = Box<dyn Fn(&Request, usize, Reply) -> Reply + Send>;

struct State {
    commit: String,
    files: BTreeMap<String, Vec<u8>>,
    requests: Vec<Request>,
    script: Script,
    /// The listing's text, if it is not the usual one.
    listing: Option<String>,
    store: String,
}

/// A running server.
#[derive(Clone)]
pub(crate) struct Hub {
    state: Arc<Mutex<State>>,
    pub(crate) endpoint: String,
}

/// Whether a file of this name is large, by the way its repository keeps it.
fn is_large(path: &str) -> bool {
    path.ends_with(".safetensors") || path.ends_with(".gguf")
}

impl Hub {
    /// Serves `files` of the repository [`NAME`] at [`COMMIT`].
    pub(crate) fn start(files: &[(&str, &[u8])]) -> Self {
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        let store = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = |l: &TcpListener| format!("http://{}", l.local_addr().unwrap());
        let endpoint = address(&hub);
        let state = State {
            commit: COMMIT.to_owned(),
            files: files.iter().map(|&(n, b)| (n.to_owned(), b.to_vec())).collect(),
            requests: Vec::new(),
            script: Box::new(|_, _, reply| reply),
            listing: None,
            store: address(&store),
        };
        let state = Arc::new(Mutex::new(state));
        for (listener, at_store) in [(hub, false), (store, true)] {
            let state = Arc::clone(&state);
            let accept = move || {
                for stream in listener.incoming().flatten() {
                    let state = Arc::clone(&state);
                    let serve = move || {
                        // A client that hangs up is part of some scripts.
                        let _ = serve(&stream, &state, at_store);
                    };
                    thread::Builder::new().spawn(serve).unwrap();
                }
            };
            thread::Builder::new().spawn(accept).unwrap();
        }
        Self { state, endpoint }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// From now on `script` may change answers; the count of requests starts anew.
    pub(crate) fn script(&self, script: impl Fn(&Request, usize, Reply) -> Reply + Send + 'static) {
        let mut state = self.state();
        state.script = Box::new(script);
        state.requests.clear();
    }

    /// From now on everything is answered as it should be; the requests so far are forgotten.
    pub(crate) fn behave(&self) {
        self.script(|_, _, reply| reply);
    }

    /// A new commit with one file changed.
    pub(crate) fn change(&self, commit: &str, path: &str, bytes: &[u8]) {
        let mut state = self.state();
        state.commit = commit.to_owned();
        state.files.insert(path.to_owned(), bytes.to_vec());
    }

    /// Answers the request for the listing with this text.
    pub(crate) fn list_as(&self, text: &str) {
        self.state().listing = Some(text.to_owned());
    }

    /// The usual listing, changed.
    pub(crate) fn change_listing(&self, change: impl Fn(&mut serde_json::Value)) {
        let mut state = self.state();
        let mut listing = serde_json::from_str(&listing(&state)).unwrap();
        change(&mut listing);
        state.listing = Some(listing.to_string());
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// The `Range` headers of the requests for bytes of a large file, in order.
    pub(crate) fn ranges(&self) -> Vec<Option<String>> {
        let of_store = |r: &&Request| r.at_store;
        let range = |r: &Request| r.header("range").map(str::to_owned);
        self.state().requests.iter().filter(of_store).map(range).collect()
    }
}

fn listing(state: &State) -> String {
    let siblings: Vec<_> = state
        .files
        .iter()
        .map(|(name, bytes)| {
            let blob = blob_id(bytes);
            if is_large(name) {
                let sha256 = ContentHash::of_bytes(bytes).to_string();
                serde_json::json!({"rfilename": name, "size": bytes.len(), "blobId": blob,
                    "lfs": {"sha256": sha256, "size": bytes.len(), "pointerSize": 134}})
            } else {
                serde_json::json!({"rfilename": name, "size": bytes.len(), "blobId": blob})
            }
        })
        .collect();
    let text = serde_json::json!({
        "id": NAME, "private": false, "gated": false, "sha": state.commit, "siblings": siblings,
    });
    text.to_string()
}

/// What `git hash-object` prints.
fn blob_id(bytes: &[u8]) -> String {
    let mut sha1 = Sha1::new();
    sha1.update(format!("blob {}\0", bytes.len()));
    sha1.update(bytes);
    sha1.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

fn serve(stream: &TcpStream, state: &Mutex<State>, at_store: bool) -> Option<()> {
    let request = read_request(stream, at_store)?;
    let reply = {
        let mut state = state.lock().unwrap();
        let count = state.requests.iter().filter(|r| r.path == request.path).count();
        state.requests.push(request.clone());
        let usual = answer(&state, &request);
        (state.script)(&request, count, usual)
    };
    send(stream, &request, &reply)
}

fn read_request(stream: &TcpStream, at_store: bool) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Request { method, path, headers, at_store })
}

fn send(mut stream: &TcpStream, request: &Request, reply: &Reply) -> Option<()> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !reply.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-length")) {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    head.push_str("Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    if request.method != "HEAD" {
        let n = reply.cut.unwrap_or(reply.body.len()).min(reply.body.len());
        stream.write_all(&reply.body[..n]).ok()?;
        stream.flush().ok()?;
    }
    if reply.stall {
        // Longer than any test waits; the thread ends with the process.
        thread::sleep(Duration::from_secs(600));
    }
    Some(())
}

/// What the Hub answers.
fn answer(state: &State, request: &Request) -> Reply {
    let path = request.path.split('?').next().unwrap();
    if request.at_store {
        let bytes = path.strip_prefix("/blobs/").and_then(|p| state.files.get(p));
        return bytes.map_or(Reply::new(404, b""), |b| ranged(request, b));
    }
    if let Some(revision) = path.strip_prefix(&format!("/api/models/{NAME}/revision/")) {
        if revision != "main" && revision != "v1" && revision != state.commit {
            return Reply::new(404, b"{}").header("X-Error-Code", "RevisionNotFound");
        }
        let text = state.listing.clone().unwrap_or_else(|| listing(state));
        return Reply::new(200, text.as_bytes()).header("Content-Type", "application/json");
    }
    let missing = || Reply::new(404, b"").header("X-Error-Code", "EntryNotFound");
    let Some(rest) = path.strip_prefix(&format!("/{NAME}/resolve/{}/", state.commit)) else {
        return Reply::new(404, b"").header("X-Error-Code", "RepoNotFound");
    };
    let Some(bytes) = state.files.get(rest) else { return missing() };
    if is_large(rest) {
        let sha256 = ContentHash::of_bytes(bytes);
        Reply::new(302, b"")
            .header("Location", &format!("{}/blobs/{rest}", state.store))
            .header("X-Repo-Commit", &state.commit)
            .header("X-Linked-Etag", &format!("\"{sha256}\""))
            .header("X-Linked-Size", &bytes.len().to_string())
    } else {
        ranged(request, bytes)
            .header("ETag", &format!("\"{}\"", blob_id(bytes)))
            .header("X-Repo-Commit", &state.commit)
    }
}

/// The bytes, or the range of them that was asked for.
fn ranged(request: &Request, bytes: &[u8]) -> Reply {
    let from = request.header("range").and_then(|r| r.strip_prefix("bytes="));
    let from = from.and_then(|r| r.strip_suffix('-')).map(|n| n.parse::<usize>().unwrap());
    match from {
        None => Reply::new(200, bytes),
        Some(from) if from < bytes.len() => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            Reply::new(206, &bytes[from..]).header("Content-Range", &range)
        }
        Some(_) => {
            Reply::new(416, b"").header("Content-Range", &format!("bytes */{}", bytes.len()))
        }
    }
}

//! `psi pull` against a Hub on this machine that fails by script.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::{
    hub::{COMMIT, Hub, NAME, Reply, Request},
    program::{Program, Ran},
};

const WEIGHTS: &str = "model.safetensors";

/// `n` bytes that differ from place to place and from seed to seed.
fn noise(seed: u32, n: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        })
        .collect()
}

/// A Hub with a model whose weights are `weights`.
fn hub(weights: &[u8]) -> Hub {
    Hub::start(&[
        (".gitattributes", b"*.safetensors filter=lfs\n"),
        ("README.md", b"# tiny\n"),
        ("config.json", b"{\"model_type\": \"llama\"}\n"),
        (WEIGHTS, weights),
        ("pytorch_model.bin", b"pickle"),
        ("tokenizer.json", b"{}\n"),
    ])
}

fn pull(program: &Program, hub: &Hub, model: &str, more: &[&str]) -> Ran {
    let mut args = vec!["pull", model, "--endpoint", &hub.endpoint];
    args.extend(more);
    program.run(&args)
}

fn folder(program: &Program) -> PathBuf {
    program.path("models").join(NAME)
}

/// The part of the weights, if there is one.
fn part(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    let is_part = |p: &PathBuf| {
        let name = p.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(".model.safetensors.") && name.ends_with(".part")
    };
    entries.map(|e| e.unwrap().path()).find(is_part)
}

/// Waits until the part of the weights has `n` bytes.
fn wait_for_part(folder: &Path, n: u64) {
    for _ in 0..3000 {
        if part(folder).and_then(|p| p.metadata().ok()).is_some_and(|m| m.len() >= n) {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("no part of {n} bytes in {}", folder.display());
}

#[track_caller]
fn assert_complete(program: &Program, weights: &[u8]) {
    let folder = folder(program);
    assert!(fs::read(folder.join(WEIGHTS)).unwrap() == weights, "the weights are not the Hub's");
    assert_eq!(fs::read(folder.join("tokenizer.json")).unwrap(), b"{}\n");
    assert_eq!(part(&folder), None, "no part is left");
    let models = program.run(&["models", "--json"]).ok().stdout;
    assert!(models.contains(NAME), "{models}");
}

#[track_caller]
fn assert_no_model(program: &Program) {
    assert!(!folder(program).join(WEIGHTS).exists());
    let models = program.run(&["models", "--json"]).ok().stdout;
    assert!(!models.contains(NAME), "{models}");
}

/// Whether bytes of the weights are asked for.
fn is_weights(request: &Request) -> bool {
    request.at_store && request.path.ends_with(WEIGHTS)
}

#[test]
fn a_model_is_pulled_verified_and_listed() {
    let weights = noise(1, 3_000_000);
    let (program, hub) = (Program::new(), hub(&weights));
    let ran = pull(&program, &hub, NAME, &[]).ok();
    assert_eq!(ran.stdout, format!("{}\n", folder(&program).display()));
    assert!(ran.stderr.contains("3 files, 3.00 MB, 3 new; 3 match"), "{ran}");
    assert!(ran.stderr.contains("1 pickled"), "{ran}");
    assert_complete(&program, &weights);
    assert!(!folder(&program).join("README.md").exists() && !program.path("README.md").exists());
    let record = fs::read_to_string(folder(&program).join(".pull.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!((&record["commit"], &record["repository"]), (&COMMIT.into(), &NAME.into()));
    assert_eq!(record["files"][WEIGHTS]["bytes"], 3_000_000);
    assert_eq!(record["revision"], serde_json::Value::Null);
}

#[test]
fn files_are_asked_for_at_the_commit_of_the_listing() {
    let (program, hub) = (Program::new(), hub(b"w"));
    pull(&program, &hub, &format!("{NAME}@v1"), &[]).ok();
    assert!(program.path("models").join(format!("{NAME}@v1")).join(WEIGHTS).exists());
    let requests = hub.requests();
    assert_eq!(requests[0].path, format!("/api/models/{NAME}/revision/v1?blobs=true"));
    let resolved = requests.iter().skip(1).filter(|r| !r.at_store);
    assert!(resolved.clone().count() == 3 && resolved.clone().all(|r| r.path.contains(COMMIT)));
}

#[test]
fn a_second_pull_verifies_and_fetches_nothing() {
    let weights = noise(2, 100_000);
    let (program, hub) = (Program::new(), hub(&weights));
    pull(&program, &hub, NAME, &[]).ok();
    hub.behave();
    let again = pull(&program, &hub, NAME, &[]).ok();
    assert!(again.stderr.contains("0 new; 3 match"), "{again}");
    assert_eq!(hub.requests().len(), 1, "only the listing");
    // A file of the right length with other content is not taken for the Hub's.
    let mut damaged = weights.clone();
    damaged[50_000] ^= 1;
    psi_store::write_atomic(&folder(&program).join(WEIGHTS), &damaged).unwrap();
    let repaired = pull(&program, &hub, NAME, &[]).ok();
    assert!(repaired.stderr.contains("1 new; 3 match"), "{repaired}");
    assert_complete(&program, &weights);
}

#[test]
fn the_token_goes_to_the_hub_and_not_to_the_host_of_the_files() {
    let program = Program::new().with("HF_TOKEN", "hf_secret\n");
    let hub = hub(b"w");
    let ran = pull(&program, &hub, NAME, &[]).ok();
    let requests = hub.requests();
    let (store, own): (Vec<_>, Vec<_>) = requests.iter().partition(|r| r.at_store);
    assert!(!store.is_empty() && store.iter().all(|r| r.header("authorization").is_none()));
    assert!(own.iter().all(|r| r.header("authorization") == Some("Bearer hf_secret")));
    assert!(!ran.stderr.contains("hf_secret") && !ran.stdout.contains("hf_secret"));
    let record = fs::read_to_string(folder(&program).join(".pull.json")).unwrap();
    assert!(!record.contains("hf_secret"));
}

#[test]
fn without_a_token_none_is_sent() {
    let (program, hub) = (Program::new(), hub(b"w"));
    pull(&program, &hub, NAME, &[]).ok();
    assert!(hub.requests().iter().all(|r| r.header("authorization").is_none()));
    let odd = Program::new().with("HF_TOKEN", "two words");
    let ran = pull(&odd, &hub, NAME, &[]).failed(2, &["HF_TOKEN"]);
    assert!(!ran.stderr.contains("two words"), "{ran}");
}

#[test]
fn a_connection_that_breaks_off_is_continued_in_the_same_run() {
    let weights = noise(3, 2_000_000);
    let (program, hub) = (Program::new(), hub(&weights));
    hub.script(|request, n, reply| match n {
        0 if is_weights(request) => reply.cut_after(700_000),
        1 if is_weights(request) => reply.cut_after(500_000),
        _ => reply,
    });
    pull(&program, &hub, NAME, &[]).ok();
    assert_complete(&program, &weights);
    let range = |n: usize| Some(format!("bytes={n}-"));
    assert_eq!(hub.ranges(), [None, range(700_000), range(1_200_000)]);
}

#[test]
fn a_failed_pull_is_continued_by_the_next_one() {
    let weights = noise(4, 2_000_000);
    let (program, hub) = (Program::new(), hub(&weights));
    hub.script(|r, _, reply| if is_weights(r) { reply.cut_after(900_000) } else { reply });
    pull(&program, &hub, NAME, &["--retries", "0"])
        .failed(1, &[WEIGHTS, "after 900000 of 2000000 bytes", "hint: run the same command again"]);
    assert_no_model(&program);
    assert_eq!(part(&folder(&program)).unwrap().metadata().unwrap().len(), 900_000);
    hub.behave();
    pull(&program, &hub, NAME, &[]).ok();
    assert_complete(&program, &weights);
    assert_eq!(hub.ranges(), [Some("bytes=900000-".to_owned())]);
}

#[test]
fn a_killed_pull_is_continued_by_the_next_one() {
    let weights = noise(5, 1_500_000);
    let (program, hub) = (Program::new(), hub(&weights));
    hub.script(|r, _, reply| if is_weights(r) { reply.stall_after(600_000) } else { reply });
    let mut child = program.start(&["pull", NAME, "--endpoint", &hub.endpoint]);
    wait_for_part(&folder(&program), 600_000);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_no_model(&program);
    hub.behave();
    pull(&program, &hub, NAME, &[]).ok();
    assert_complete(&program, &weights);
    assert_eq!(hub.ranges(), [Some("bytes=600000-".to_owned())]);
}

#[test]
fn two_pulls_of_one_model_do_not_write_the_same_files() {
    let (program, hub) = (Program::new(), hub(&noise(6, 500_000)));
    hub.script(|r, _, reply| if is_weights(r) { reply.stall_after(1000) } else { reply });
    let mut child = program.start(&["pull", NAME, "--endpoint", &hub.endpoint]);
    wait_for_part(&folder(&program), 1000);
    pull(&program, &hub, NAME, &[]).failed(1, &["acme/tiny is being pulled", "hint: wait"]);
    child.kill().unwrap();
    child.wait().unwrap();
    hub.behave();
    pull(&program, &hub, NAME, &[]).ok();
}

#[test]
fn a_server_that_ignores_the_range_is_understood() {
    let weights = noise(7, 1_000_000);
    let (program, hub) = (Program::new(), hub(&weights));
    let whole = weights.clone();
    hub.script(move |r, n, reply| match n {
        0 if is_weights(r) => reply.cut_after(400_000),
        _ if is_weights(r) => Reply::new(200, &whole),
        _ => reply,
    });
    pull(&program, &hub, NAME, &[]).ok();
    assert_complete(&program, &weights);
}

#[test]
fn a_server_that_answers_with_another_range_is_asked_for_all() {
    let weights = noise(8, 1_000_000);
    let (program, hub) = (Program::new(), hub(&weights));
    let shifted = weights[300_000..].to_vec();
    hub.script(move |r, n, reply| match n {
        0 if is_weights(r) => reply.cut_after(400_000),
        1 if is_weights(r) => {
            Reply::new(206, &shifted).header("Content-Range", "bytes 300000-999999/1000000")
        }
        2 if is_weights(r) => reply.cut_after(100_000),
        3 if is_weights(r) => Reply::new(416, b""),
        _ => reply,
    });
    pull(&program, &hub, NAME, &[]).ok();
    assert_complete(&program, &weights);
    let range = |n: usize| Some(format!("bytes={n}-"));
    assert_eq!(hub.ranges(), [None, range(400_000), None, range(100_000), None]);
}

#[test]
fn bytes_that_do_not_match_the_checksum_are_not_kept() {
    let weights = noise(9, 300_000);
    let (program, hub) = (Program::new(), hub(&weights));
    hub.script(|r, _, mut reply| {
        if is_weights(r) {
            reply.body[123_456] ^= 0x40;
        }
        reply
    });
    pull(&program, &hub, NAME, &[]).failed(1, &[WEIGHTS, "is not sha256:", "hint: "]);
    assert_no_model(&program);
    assert_eq!(part(&folder(&program)).unwrap().metadata().unwrap().len(), 0);
    hub.script(|r, _, mut reply| {
        if r.path.ends_with("config.json") {
            reply.body[3] ^= 0x40;
        }
        reply
    });
    pull(&Program::new(), &hub, NAME, &[]).failed(1, &["config.json", "is not git:"]);
    hub.behave();
    pull(&program, &hub, NAME, &[]).ok();
    assert_complete(&program, &weights);
}

#[test]
fn a_part_that_was_damaged_on_disk_is_fetched_anew() {
    let weights = noise(10, 1_000_000);
    let (program, hub) = (Program::new(), hub(&weights));
    hub.script(|r, _, reply| if is_weights(r) { reply.cut_after(600_000) } else { reply });
    pull(&program, &hub, NAME, &["--retries", "0"]).failed(1, &[]);
    let path = part(&folder(&program)).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[77_777] ^= 1;
    psi_store::write_atomic(&path, &bytes).unwrap();
    hub.behave();
    pull(&program, &hub, NAME, &[]).ok();
    assert_complete(&program, &weights);
    assert_eq!(hub.ranges(), [Some("bytes=600000-".to_owned()), None]);
}

#[test]
fn a_file_that_changed_since_is_not_continued() {
    let (old, new) = (noise(11, 1_000_000), noise(12, 1_000_000));
    let (program, hub) = (Program::new(), hub(&old));
    hub.script(|r, _, reply| if is_weights(r) { reply.cut_after(600_000) } else { reply });
    pull(&program, &hub, NAME, &["--retries", "0"]).failed(1, &[]);
    hub.behave();
    hub.change(&"b".repeat(40), WEIGHTS, &new);
    pull(&program, &hub, NAME, &[]).ok();
    assert_complete(&program, &new);
    assert_eq!(hub.ranges(), [None]);
}

#[test]
fn a_new_commit_replaces_the_files_that_changed() {
    let (old, new) = (noise(13, 200_000), noise(14, 150_000));
    let (program, hub) = (Program::new(), hub(&old));
    pull(&program, &hub, NAME, &[]).ok();
    hub.change(&"c".repeat(40), WEIGHTS, &new);
    // Until everything is there, the old model stays whole.
    hub.script(|r, _, reply| if is_weights(r) { reply.cut_after(10) } else { reply });
    pull(&program, &hub, NAME, &["--retries", "0"]).failed(1, &[]);
    assert!(fs::read(folder(&program).join(WEIGHTS)).unwrap() == old);
    hub.behave();
    let ran = pull(&program, &hub, NAME, &[]).ok();
    assert!(ran.stderr.contains("1 new; 3 match"), "{ran}");
    assert_complete(&program, &new);
}

#[test]
fn refusals_say_what_to_do() {
    let (program, hub) = (Program::new(), hub(b"w"));
    let with_token = Program::new().with("HF_TOKEN", "hf_x");
    let listing = |status: u16, code: &'static str| {
        move |r: &Request, _: usize, reply: Reply| {
            if r.path.starts_with("/api") {
                Reply::new(status, b"{}").header("X-Error-Code", code)
            } else {
                reply
            }
        }
    };
    hub.script(listing(401, "RepoNotFound"));
    pull(&program, &hub, NAME, &[]).failed(1, &["no such model, or a private one", "HF_TOKEN"]);
    pull(&with_token, &hub, NAME, &[]).failed(1, &["refuses the token", "hint: check HF_TOKEN"]);
    hub.script(listing(403, "GatedRepo"));
    pull(&program, &hub, NAME, &[]).failed(1, &["asks for an agreement", "hint: agree at", NAME]);
    hub.script(listing(404, "RepoNotFound"));
    pull(&program, &hub, NAME, &[]).failed(2, &["not found", "hint: check the name"]);
    hub.script(listing(418, ""));
    pull(&program, &hub, NAME, &[]).failed(1, &["418"]);
    hub.behave();
    pull(&program, &hub, "acme/other", &[]).failed(2, &["acme/other: not found"]);
    pull(&program, &hub, &format!("{NAME}@v2"), &[]).failed(2, &["no revision 'v2'"]);
    for model in ["../tiny", "acme/tiny/x", "acme/..", "", "acme/tiny@../x", "a b"] {
        pull(&program, &hub, model, &[]).failed(2, &["not a usable name", "hint: names are"]);
    }
    assert!(!program.path("models").exists(), "a refusal leaves nothing behind");
}

#[test]
fn a_gated_file_is_refused_after_an_open_listing() {
    let (program, hub) = (Program::new(), hub(b"w"));
    hub.script(|r, _, reply| {
        if r.path.contains("/resolve/") {
            Reply::new(401, b"")
                .header("X-Error-Code", "GatedRepo")
                .header("X-Error-Message", "Access to model acme/tiny is restricted.")
        } else {
            reply
        }
    });
    let words = ["config.json", "asks for an agreement", "is restricted", "HF_TOKEN"];
    pull(&program, &hub, NAME, &[]).failed(1, &words);
    assert_no_model(&program);
}

#[test]
fn a_busy_server_is_asked_again_but_not_for_ever() {
    let (program, hub) = (Program::new(), hub(b"w"));
    hub.script(|r, n, reply| match n {
        0 if r.path.starts_with("/api") => Reply::new(503, b"").header("Retry-After", "0"),
        1 if r.path.starts_with("/api") => Reply::new(429, b"").header("Retry-After", "0"),
        0 if is_weights(r) => Reply::new(500, b""),
        _ => reply,
    });
    pull(&program, &hub, NAME, &[]).ok();
    assert_complete(&program, b"w");
    hub.script(|_, _, _| Reply::new(429, b"").header("Retry-After", "0"));
    pull(&program, &hub, NAME, &["--retries", "3"]).failed(1, &["limits requests", "hint: wait"]);
    assert_eq!(hub.requests().len(), 4);
    hub.script(|_, _, _| Reply::new(502, b""));
    pull(&program, &hub, NAME, &["--retries", "1"]).failed(1, &["has a problem (502)"]);
    assert_eq!(hub.requests().len(), 2);
    hub.script(|_, _, _| Reply::new(503, b"").header("Retry-After", "86400"));
    pull(&program, &hub, NAME, &[]).failed(1, &["503"]);
    assert_eq!(hub.requests().len(), 1, "psi does not sleep for a day");
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let (program, hub) = (Program::new(), hub(&noise(15, 300_000)));
    let impatient = ["--timeout", "1", "--retries", "0"];
    hub.script(|_, _, mut reply| {
        reply.headers.push(("Content-Length".to_owned(), "1000".to_owned()));
        reply.stall_after(0)
    });
    pull(&program, &hub, NAME, &impatient).failed(1, &[NAME, "hint: "]);
    hub.script(|r, _, reply| if is_weights(r) { reply.stall_after(100_000) } else { reply });
    pull(&program, &hub, NAME, &impatient)
        .failed(1, &["after 100000 of 300000 bytes", "hint: run the same command again"]);
    // Slow but alive: the silence is what counts, not the whole time.
    hub.script(|r, n, reply| match n {
        0 if is_weights(r) => reply.stall_after(50_000),
        _ => reply,
    });
    pull(&program, &hub, NAME, &["--timeout", "1"]).ok();
    let range = |n: usize| Some(format!("bytes={n}-"));
    assert_eq!(hub.ranges(), [range(100_000), range(150_000)]);
}

#[test]
fn a_hub_that_is_not_there_is_said_so() {
    let program = Program::new();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let args = ["pull", NAME, "--endpoint", &closed, "--retries", "0"];
    program.run(&args).failed(1, &["the connection to 127.0.0.1:", "hint: check the network"]);
    let program = program.with("HF_ENDPOINT", &closed);
    program.run(&["pull", NAME, "--retries", "0"]).failed(1, &["the connection to 127.0.0.1:"]);
}

#[test]
fn endpoints_must_be_encrypted_or_on_this_machine() {
    let program = Program::new();
    for (endpoint, word) in [
        ("http://hub.example", "not encrypted"),
        ("ftp://hub.example", "not encrypted"),
        ("http://127.0.0.1.example", "not encrypted"),
        ("https://user:pw@hub.example", "only a host and a path"),
        ("https://hub.example/?x=y", "only a host and a path"),
        ("hub.example", ""),
        ("", "not an address"),
        ("https://", "not an address"),
    ] {
        program.run(&["pull", NAME, "--endpoint", endpoint]).failed(2, &["--endpoint", word]);
    }
}

#[test]
fn names_that_would_leave_the_folder_are_refused() {
    for name in
        ["../../evil.safetensors", "/evil.safetensors", "a/../../evil", "..\\evil", "C:evil"]
    {
        let (program, hub) = (Program::new(), hub(b"w"));
        hub.change_listing(|listing| listing["siblings"][0]["rfilename"] = name.into());
        pull(&program, &hub, NAME, &[])
            .failed(1, &["outside the model's folder", "do not trust this repository"]);
        assert_eq!(hub.requests().len(), 1);
        assert_eq!(fs::read_dir(program.home()).unwrap().count(), 0, "nothing was written");
    }
}

#[test]
fn odd_names_are_left_alone_unless_asked_for() {
    let (program, hub) = (Program::new(), hub(b"w"));
    hub.change_listing(|listing| listing["siblings"][0]["rfilename"] = "a\u{1b}[2Jb.json".into());
    pull(&program, &hub, NAME, &[]).ok();
    let ran = pull(&program, &hub, NAME, &["--include", "a*"]).failed(2, &["such names"]);
    assert!(!ran.stderr.contains('\u{1b}'), "no control characters reach the terminal");
}

#[test]
fn redirects_lead_to_encrypted_places_only() {
    let (program, hub) = (Program::new(), hub(b"w"));
    for (to, word) in [
        ("http://files.example/x", "http://files.example/x"),
        ("ftp://127.0.0.1/x", "ftp://127.0.0.1/x"),
        ("file:///etc/passwd", ""),
    ] {
        hub.script(move |r, _, reply| {
            if r.path.contains("/resolve/") {
                Reply::new(302, b"").header("Location", to)
            } else {
                reply
            }
        });
        pull(&program, &hub, NAME, &["--retries", "0"]).failed(1, &["config.json", word]);
    }
    hub.script(|r, _, reply| {
        let again = Reply::new(302, b"").header("Location", &r.path);
        if r.path.contains("/resolve/") { again } else { reply }
    });
    pull(&program, &hub, NAME, &[]).failed(1, &["redirected in a circle"]);
}

#[test]
fn the_description_comes_from_the_named_host_only() {
    let (program, hub, other) = (Program::new(), hub(b"w"), hub(b"evil"));
    let elsewhere = format!("{}/api/models/{NAME}/revision/main", other.endpoint);
    hub.script(move |r, _, reply| {
        let to = Reply::new(307, b"").header("Location", &elsewhere);
        if r.path.starts_with("/api") { to } else { reply }
    });
    pull(&program, &hub, NAME, &[]).failed(1, &["redirects to", "where psi does not go"]);
    assert_eq!(other.requests().len(), 0, "the other host was not asked");
    // A repository that was renamed: the same host under another path.
    hub.script(|r, _, reply| {
        if r.path.starts_with("/api") && !r.path.contains("moved") {
            let to = format!("/api/models/{NAME}/revision/main?blobs=true&moved=1");
            return Reply::new(307, b"").header("Location", &to);
        }
        reply
    });
    pull(&program, &hub, NAME, &[]).ok();
}

#[test]
fn answers_that_are_no_listing_are_refused() {
    let (program, hub) = (Program::new(), hub(b"w"));
    for text in ["", "<!doctype html>", "[]", "{}", r#"{"sha": "x", "siblings": []}"#, "{\"a\":"] {
        hub.list_as(text);
        pull(&program, &hub, NAME, &[]).failed(1, &["the server's list of files", "hint: "]);
    }
    hub.list_as(&" ".repeat(33 << 20));
    pull(&program, &hub, NAME, &[]).failed(1, &["without end"]);
}

#[test]
fn sizes_must_be_those_of_the_listing() {
    let (program, hub) = (Program::new(), hub(&noise(16, 10_000)));
    let weights = |n: u64| {
        move |listing: &mut serde_json::Value| {
            let entry = &mut listing["siblings"][3];
            assert_eq!(entry["rfilename"], WEIGHTS);
            entry["size"] = n.into();
            entry["lfs"]["size"] = n.into();
        }
    };
    for n in [9_999, 10_001] {
        hub.change_listing(weights(n));
        let words = ["10000 bytes where its listing says", WEIGHTS];
        pull(&program, &hub, NAME, &["--retries", "0"]).failed(1, &words);
    }
    // A body without a length that goes on beyond the listed size.
    hub.change_listing(weights(10_000));
    hub.script(|r, _, mut reply| {
        if is_weights(r) {
            reply.body.extend(b"more");
            reply.headers.push(("Transfer-Encoding".to_owned(), "identity".to_owned()));
        }
        reply
    });
    pull(&program, &hub, NAME, &["--retries", "0"]).failed(1, &[WEIGHTS]);
    assert_no_model(&program);
}

#[test]
fn a_model_that_does_not_fit_on_the_disk_is_not_begun() {
    let (program, hub) = (Program::new(), hub(b"w"));
    for (size, word) in [(900_000_000_000_000_000, "900 PB are to come"), (u64::MAX, "are to come")]
    {
        hub.change_listing(|listing| {
            listing["siblings"][2]["size"] = (size >> 60).into();
            listing["siblings"][3]["lfs"]["size"] = size.into();
        });
        pull(&program, &hub, NAME, &[]).failed(1, &[word, "hint: make room"]);
    }
    assert!(hub.ranges().is_empty());
}

#[test]
fn a_listing_without_sizes_and_checksums_is_completed_by_asking_for_each_file() {
    let weights = noise(17, 50_000);
    let (program, hub) = (Program::new(), hub(&weights));
    hub.change_listing(|listing| {
        for entry in listing["siblings"].as_array_mut().unwrap() {
            let name = entry["rfilename"].clone();
            *entry = serde_json::json!({"rfilename": name});
        }
    });
    let ran = pull(&program, &hub, NAME, &[]).ok();
    assert!(ran.stderr.contains("3 match"), "{ran}");
    assert_complete(&program, &weights);
    let heads = hub.requests().iter().filter(|r| r.method == "HEAD").count();
    assert_eq!(heads, 3);
    // Without any checksum the length still counts, and that is said.
    hub.script(|r, _, mut reply| {
        reply.headers.retain(|(n, _)| !n.ends_with("Etag") && n != "ETag");
        if r.path.ends_with("tokenizer.json") { reply.header("ETag", "\"v7\"") } else { reply }
    });
    let fresh = Program::new();
    let ran = pull(&fresh, &hub, NAME, &[]).ok();
    assert!(ran.stderr.contains("tokenizer.json: the server gives no checksum"), "{ran}");
    assert!(ran.stderr.contains("0 match"), "{ran}");
}

#[test]
fn a_gguf_repository_gives_one_file() {
    let hub = Hub::start(&[
        ("README.md", b"# quants\n"),
        ("tiny-Q4_K_M.gguf", b"GGUF four"),
        ("tiny-Q8_0.gguf", b"GGUF eight"),
    ]);
    let program = Program::new();
    let ran = pull(&program, &hub, NAME, &[]).ok();
    let path = folder(&program).join("tiny-Q4_K_M.gguf");
    assert_eq!(ran.stdout, format!("{}\n", path.display()));
    assert!(ran.stderr.contains("tiny-Q8_0.gguf") && ran.stderr.contains("--include"), "{ran}");
    assert_eq!(fs::read(path).unwrap(), b"GGUF four");
    let ran = pull(&program, &hub, NAME, &["--include", "*q8_0*"]);
    ran.failed(2, &["no such file", "tiny-Q8_0.gguf"]);
    pull(&program, &hub, NAME, &["--include", "*Q8_0*"]).ok();
    let models = program.run(&["models"]).ok().stdout;
    assert!(models.contains("tiny-Q8_0.gguf") && models.contains("tiny-Q4_K_M.gguf"), "{models}");
}

#[test]
fn repositories_of_pickles_are_refused() {
    let hub = Hub::start(&[("config.json", b"{}"), ("pytorch_model.bin", b"x")]);
    let program = Program::new();
    pull(&program, &hub, NAME, &[]).failed(2, &["only pickled weights", "hint: "]);
    assert!(!program.path("models").exists());
}

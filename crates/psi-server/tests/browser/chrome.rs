//! A small client of Chromium's DevTools protocol: tabs, keys, the mouse, what a script sees, pictures.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    rc::Rc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// How long something may take before it counts as not happening.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running browser.
pub(crate) struct Chrome {
    process: Child,
    _profile: tempfile::TempDir,
    wire: Rc<RefCell<Wire>>,
}

/// The connection, shared by the tabs.
struct Wire {
    socket: WebSocket<TcpStream>,
    last_id: u64,
    events: VecDeque<Value>,
}

impl Chrome {
    /// Starts the browser; `None` where none is installed.
    pub(crate) fn start() -> Option<Self> {
        let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
        let profile = tempfile::tempdir().expect("a folder");
        let started = names.iter().find_map(|name| launch(name, profile.path()));
        let mut process = started?;
        let output = process.stderr.take().expect("piped");
        let mut lines = BufReader::new(output).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned))
            .expect("chromium says where it listens");
        // What it goes on to say is read, so that it never waits for a reader.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let host =
            address.strip_prefix("ws://").and_then(|a| a.split('/').next()).expect("an address");
        let stream = TcpStream::connect(host).expect("chromium listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let (socket, _) = tungstenite::client(&address, stream).expect("a web socket");
        let wire = Wire { socket, last_id: 0, events: VecDeque::new() };
        Some(Self { process, _profile: profile, wire: Rc::new(RefCell::new(wire)) })
    }

    /// A tab with nothing in it, in a browser context of its own: no cookies, no storage of others.
    pub(crate) fn tab(&self) -> Tab {
        let context = self.wire.borrow_mut().call(None, "Target.createBrowserContext", &json!({}));
        self.tab_in(context["browserContextId"].as_str().expect("an id"))
    }

    /// A tab in a window of its own: a page that is not seen does not listen.
    fn tab_in(&self, context: &str) -> Tab {
        let mut wire = self.wire.borrow_mut();
        let new = json!({ "url": "about:blank", "browserContextId": context, "newWindow": true });
        let target = wire.call(None, "Target.createTarget", &new)["targetId"].clone();
        let attach = json!({ "targetId": target, "flatten": true });
        let session = wire.call(None, "Target.attachToTarget", &attach)["sessionId"].clone();
        drop(wire);
        let tab = Tab {
            wire: Rc::clone(&self.wire),
            session: session.as_str().expect("an id").to_owned(),
            context: context.to_owned(),
        };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            tab.call(&format!("{domain}.enable"), &json!({}));
        }
        tab.screen(1280, 860, false);
        tab
    }

    /// A second tab beside another: same cookies, same storage.
    pub(crate) fn beside(&self, tab: &Tab) -> Tab {
        self.tab_in(&tab.context)
    }
}

impl Drop for Chrome {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn launch(program: &str, profile: &Path) -> Option<Child> {
    Command::new(program)
        .args(["--headless=new", "--remote-debugging-port=0", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-extensions", "--mute-audio"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()
}

impl Wire {
    fn call(&mut self, session: Option<&str>, method: &str, params: &Value) -> Value {
        let answer = self.ask(session, method, params);
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    /// The whole answer, with `result` or with `error`.
    fn ask(&mut self, session: Option<&str>, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut request = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            request["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(request.to_string())).expect("sent");
        loop {
            let answer = self.read();
            if answer["id"] == json!(id) {
                return answer;
            }
            self.events.push_back(answer);
        }
    }

    fn read(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().expect("chromium answers") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }
}

/// A tab.
pub(crate) struct Tab {
    wire: Rc<RefCell<Wire>>,
    session: String,
    context: String,
}

impl Tab {
    fn call(&self, method: &str, params: &Value) -> Value {
        self.wire.borrow_mut().call(Some(&self.session), method, params)
    }

    /// Lets the page evaluate something. A page that is being left cannot, and the next one is asked.
    #[track_caller]
    fn evaluate(&self, params: &Value) -> Value {
        let begun = Instant::now();
        loop {
            let mut wire = self.wire.borrow_mut();
            let answer = wire.ask(Some(&self.session), "Runtime.evaluate", params);
            drop(wire);
            if answer["error"].is_null() {
                return answer["result"].clone();
            }
            let why = answer["error"]["message"].as_str().unwrap_or_default();
            let is_leaving = why.contains("navigated") || why.contains("context");
            if !is_leaving || begun.elapsed() > PATIENCE {
                panic!("{params}: {why}");
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// Opens an address and waits until it is loaded.
    pub(crate) fn open(&self, address: &str) {
        self.call("Page.navigate", &json!({ "url": address }));
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// Loads the page again.
    pub(crate) fn reload(&self) {
        self.eval("window.before = true");
        self.call("Page.reload", &json!({}));
        self.wait("!window.before && document.readyState === 'complete'");
    }

    /// The value of an expression.
    pub(crate) fn eval(&self, script: &str) -> Value {
        let params = json!({ "expression": script, "returnByValue": true, "awaitPromise": true, "userGesture": true });
        let answer = self.evaluate(&params);
        assert!(answer["exceptionDetails"].is_null(), "{script}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// The text that an expression gives.
    pub(crate) fn text(&self, script: &str) -> String {
        self.eval(script).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression holds. While a page is being left it has no value, which is no answer.
    #[track_caller]
    pub(crate) fn wait(&self, condition: &str) {
        let begun = Instant::now();
        loop {
            let params = json!({ "expression": format!("!!({condition})"), "returnByValue": true });
            let answer = self.evaluate(&params);
            if answer["result"]["value"] == json!(true) {
                return;
            }
            if begun.elapsed() > PATIENCE {
                let page = self.text("document.body.innerText.slice(0, 3000)");
                panic!(
                    "never came true: {condition}\n{}\n--- the page:\n{page}",
                    answer["exceptionDetails"]
                );
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// Waits until the page shows a text.
    #[track_caller]
    pub(crate) fn sees(&self, text: &str) {
        self.wait(&format!("document.body.innerText.includes({})", json!(text)));
    }

    /// Clicks the middle of an element, as a mouse does.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        self.wait("document.readyState === 'complete'");
        let found = format!("document.querySelector({})", json!(selector));
        self.wait(&format!("{found} && {found}.getClientRects().length > 0"));
        let place = format!(
            "(() => {{ const e = {found}; e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect(); \
             return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        let place = self.eval(&place);
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Types a text where the focus is.
    pub(crate) fn write(&self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// Presses a key: `Enter`, `Escape`, `Tab`, `ArrowUp` or a character, with `Alt+`, `Control+` or `Shift+` before it.
    #[track_caller]
    pub(crate) fn press(&self, key: &str) {
        // Before its script has run, a page does not hear keys.
        self.wait("document.readyState === 'complete'");
        let modifiers = [("Alt+", 1), ("Control+", 2), ("Shift+", 8)];
        let held: i32 = modifiers.iter().filter(|(n, _)| key.contains(n)).map(|(_, bit)| bit).sum();
        let name = key.rsplit('+').next().unwrap_or(key);
        let code = match name {
            "Enter" => 13,
            "Escape" => 27,
            "Tab" => 9,
            "ArrowUp" => 38,
            "ArrowDown" => 40,
            _ => name.to_uppercase().bytes().next().unwrap_or(0).into(),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": name, "modifiers": held, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && held & 3 == 0 && (name.chars().count() == 1 || name == "Enter")
            {
                event["text"] = json!(if name == "Enter" { "\r" } else { name });
            }
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// Chooses files in a field for them.
    pub(crate) fn give(&self, selector: &str, files: &[std::path::PathBuf]) {
        self.wait(&format!("document.querySelector({})", json!(selector)));
        let document = self.call("DOM.getDocument", &json!({}));
        let find = json!({ "nodeId": document["root"]["nodeId"], "selector": selector });
        let node = self.call("DOM.querySelector", &find);
        self.call("DOM.setFileInputFiles", &json!({ "files": files, "nodeId": node["nodeId"] }));
    }

    /// The page's manifest, and what the browser finds wrong with it.
    pub(crate) fn manifest(&self) -> (String, Vec<Value>) {
        let answer = self.call("Page.getAppManifest", &json!({}));
        let errors = answer["errors"].as_array().cloned().unwrap_or_default();
        (answer["data"].as_str().unwrap_or_default().to_owned(), errors)
    }

    /// Why the browser would not install the page.
    pub(crate) fn installability(&self) -> Vec<String> {
        let answer = self.call("Page.getInstallabilityErrors", &json!({}));
        let errors = answer["installabilityErrors"].as_array().into_iter().flatten();
        errors.filter_map(|e| e["errorId"].as_str().map(str::to_owned)).collect()
    }

    /// The size of the window; a phone has fingers.
    pub(crate) fn screen(&self, width: u32, height: u32, phone: bool) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Whether the system is dark.
    pub(crate) fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// A picture of what is shown, as PNG.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        decode_base64(answer["data"].as_str().expect("a picture"))
    }

    /// What went wrong in this tab so far: exceptions, refusals of the security policy, and requests to anywhere
    /// but `origin`.
    pub(crate) fn troubles(&self, origin: &str) -> Vec<String> {
        // What has happened is here once this is answered.
        self.eval("1");
        let mut wire = self.wire.borrow_mut();
        let (own, others) = std::mem::take(&mut wire.events)
            .into_iter()
            .partition::<VecDeque<Value>, _>(|e| e["sessionId"] == json!(self.session));
        wire.events = others;
        own.iter().filter_map(|event| trouble(event, origin)).collect()
    }
}

fn trouble(event: &Value, origin: &str) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
        "Log.entryAdded" if params["entry"]["level"] == "error" => {
            let entry = &params["entry"];
            // A server that was stopped on purpose does not answer.
            let network = entry["source"] == "network";
            (!network).then(|| entry.to_string())
        }
        "Network.requestWillBeSent" => {
            let url = params["request"]["url"].as_str()?;
            let own =
                url.starts_with(origin) || url.starts_with("about:") || url.starts_with("data:");
            (!own).then(|| format!("a request to {url}"))
        }
        _ => None,
    }
}

fn decode_base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => u32::from(c - b'A'),
        b'a'..=b'z' => u32::from(c - b'a') + 26,
        b'0'..=b'9' => u32::from(c - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group.iter().fold(0, |bits, c| bits << 6 | value(*c)) << (6 * (4 - group.len()));
        out.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    out
}

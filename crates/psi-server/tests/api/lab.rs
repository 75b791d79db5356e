//! A server with a model of 300 tokens, and a client that sees statuses, documents and events.

use std::{
    borrow::Cow,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use psi_infer::{
    chat::ChatModel,
    grammar::GrammarLimits,
    service::{Service, ServiceOptions},
};
use psi_kernels::{Cpu, Format, Isa, kv::KvDtype};
use psi_model::{Config, Decoder};
use psi_server::{
    AccessLog, Api, ApiOptions, Limits, ModelSpec, ServedModels, Server, ServerOptions,
};
use psi_testkit::Rng;
use psi_tokenizer::{ChatTemplate, Tokenizer, TokenizerConfig, TrainOptions, train_bpe};
use serde_json::{Value, json};

/// Most tokens of prompt and answer.
pub(crate) const CONTEXT: usize = 512;

const TEMPLATE: &str = "\
{%- if tools %}<|im_start|>system\ntools: {{ tools | tojson }}<|im_end|>\n{% endif -%}
{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}\
{%- for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}<|im_end|>\n{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif -%}";

/// A tokenizer of bytes, special tokens and a few merges.
fn tokenizer() -> Tokenizer {
    let special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"];
    let options = TrainOptions {
        vocab_size: 300,
        special_tokens: special.map(str::to_owned).to_vec(),
        ..TrainOptions::default()
    };
    let text =
        Cow::Borrowed("the user and the assistant talk; the tool tells the time, the user thanks");
    let mut tokenizer = train_bpe(&mut [text].into_iter(), &options).expect("a tokenizer");
    let config = br#"{"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}"#;
    let config = TokenizerConfig::from_json(config, "config".as_ref()).expect("a configuration");
    tokenizer.apply_config(&config).expect("its tokens");
    tokenizer
}

/// The model of every test: the same weights each time.
pub(crate) fn model(max_queue: usize) -> ChatModel {
    let cpu = Arc::new(Cpu::new(Isa::from_env().expect("PSI_ISA"), 1));
    let tokenizer = tokenizer();
    let vocab_size = tokenizer.vocab_size();
    let config = Config { max_seq_len: CONTEXT, ..Config::llama(32, 2, 2, vocab_size) };
    let mut rng = Rng::new(11);
    let decoder =
        Decoder::from_values(&cpu, &config, Format::F32, |info| match info.id.role.is_norm() {
            true => vec![1.0; info.n * info.k],
            false => rng.normals(info.n * info.k, (info.k as f32).powf(-0.5)),
        });
    let options = ServiceOptions {
        max_batch: 8,
        max_queue,
        kv_dtype: KvDtype::F32,
        cache_bytes: 16 << 20,
        ..ServiceOptions::default()
    };
    let service = Service::start(&cpu, Arc::new(decoder), options).expect("a service");
    let template = ChatTemplate::new(TEMPLATE, "", "<|im_end|>").expect("a template");
    let limits = GrammarLimits::default();
    ChatModel::new("tiny".to_owned(), service, Arc::new(tokenizer), Some(template), limits)
        .expect("a model")
}

/// A running server.
pub(crate) struct Lab {
    pub(crate) server: Option<Server>,
    pub(crate) address: SocketAddr,
    /// What the server told its owner.
    pub(crate) reports: Arc<Mutex<Vec<String>>>,
}

/// How a server differs from the plain one.
pub(crate) struct Setup {
    pub(crate) keys: Option<PathBuf>,
    pub(crate) ledger: Option<PathBuf>,
    pub(crate) access_log: AccessLog,
    pub(crate) store: Option<PathBuf>,
    pub(crate) adapters: Option<PathBuf>,
    pub(crate) limits: Limits,
    pub(crate) max_queue: usize,
    pub(crate) server: ServerOptions,
    pub(crate) origins: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            keys: None,
            ledger: None,
            access_log: AccessLog::Off,
            store: None,
            adapters: None,
            limits: Limits::default(),
            max_queue: 512,
            server: ServerOptions { port: 0, ..ServerOptions::default() },
            origins: Vec::new(),
        }
    }
}

/// Noon of a day in 2026, so that no test meets midnight.
fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(20_600 * 86_400 + 43_200)
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(Setup::default())
    }

    pub(crate) fn with(setup: Setup) -> Self {
        let reports: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = Arc::clone(&reports);
        let max_queue = setup.max_queue;
        let spec = |name: &str| ModelSpec { name: name.to_owned(), path: "tiny".into() };
        let broken = ModelSpec { name: "broken".to_owned(), path: "secret/place".into() };
        let options = ApiOptions {
            models: ServedModels::Named {
                models: vec![spec("tiny"), spec("alias"), broken],
                load: Arc::new(move |spec| match spec.path.to_str() {
                    Some("tiny") => Ok(model(max_queue)),
                    _ => Err("secret/place: no weights".into()),
                }),
                idle_unload: None,
            },
            keys: setup.keys,
            adapters: setup.adapters,
            store: setup.store,
            ledger: setup.ledger,
            access_log: setup.access_log,
            report: Arc::new(move |line| told.lock().expect("reports").push(line.to_owned())),
            hosts: Vec::new(),
            origins: setup.origins,
            limits: setup.limits,
            clock: noon,
        };
        let api = Api::new(options).expect("an API");
        let server = Server::start(api, &setup.server).expect("a server");
        Self { address: server.address(), server: Some(server), reports }
    }

    /// Sends bytes and returns everything that comes back until the server closes.
    pub(crate) fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may close before it has read all.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        stream
    }

    /// One request with these headers.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}{length}\r\n"
        );
        Answer::parse(&self.raw(&[head.as_bytes(), body].concat()))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, &body.to_string())
    }

    pub(crate) fn post_text(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, "Content-Type: application/json\r\n", body.as_bytes())
    }

    /// A good answer's document.
    #[track_caller]
    pub(crate) fn good(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body);
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.body);
        answer.json()
    }

    /// The server still does its work.
    #[track_caller]
    pub(crate) fn is_well(&self) {
        let body = json!({ "prompt": "the user", "max_tokens": 2, "temperature": 0 });
        let usage = &self.good("/v1/completions", &body)["usage"];
        assert!(usage["completion_tokens"].as_u64() > Some(0), "{usage}");
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, rest) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        let head = head.to_lowercase();
        let body = match head.contains("transfer-encoding: chunked") {
            true => unchunked(rest),
            false => rest.to_owned(),
        };
        Self { status, head, body }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// The data of every event.
    pub(crate) fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter(|d| *d != "[DONE]").map(|d| serde_json::from_str(d).expect("JSON")).collect()
    }
}

fn unchunked(mut rest: &str) -> String {
    let mut out = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Ok(n) = usize::from_str_radix(size.trim(), 16) else { break };
        let Some(piece) = after.get(..n) else { break };
        if n == 0 {
            break;
        }
        out.push_str(piece);
        rest = after.get(n + 2..).unwrap_or("");
    }
    out
}

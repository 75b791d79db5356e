//! Who may ask: the server's own name, its own page, and, where others can reach it, whoever knows the password.

use std::{
    fmt::Write as _,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use maud::{DOCTYPE, Markup, html};
use psi_agent::Access;

use super::{
    Accounts, Ui, chat,
    i18n::{Lang, t},
    reply::{self, Failure},
    shell,
};
use crate::{
    guard::{check_names, is_loopback, name_of, protect},
    serve::patience,
};

/// Seconds between two attempts at the password, whoever makes them.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// Longest time in which nothing of a request's body arrives.
pub(super) const BODY_TIME: Duration = Duration::from_secs(30);
/// Seconds for which a browser stays signed in.
pub(super) const SESSION: u64 = 30 * 24 * 3600;
/// The cookie of a browser that is signed in.
pub(super) const COOKIE: &str = "psi_session";

/// The page's lock.
pub(crate) struct Gate {
    names: Vec<String>,
    /// Others can reach the address: they name it by its number.
    is_open: bool,
    /// Only the page's own script knows it.
    csrf: String,
    access: Access,
    /// Others beside the owner: where there are any, the owner signs in as well.
    accounts: Option<Arc<dyn Accounts>>,
    is_guest: bool,
    last_attempt: Mutex<Option<Instant>>,
}

impl Gate {
    /// A gate for a server at this address.
    pub(crate) fn new(address: SocketAddr, names: Vec<String>, access: Access) -> io::Result<Self> {
        Ok(Self {
            names,
            is_open: !address.ip().is_loopback(),
            csrf: token()?,
            access,
            accounts: None,
            is_guest: false,
            last_attempt: Mutex::default(),
        })
    }

    /// The owner's, with others beside the owner.
    pub(super) fn with(self, accounts: Option<Arc<dyn Accounts>>) -> Self {
        Self { accounts, ..self }
    }

    /// That of a user who is not the owner.
    pub(super) fn of_guest(self) -> Self {
        Self { is_guest: true, ..self }
    }

    /// Names by which the page may be asked for.
    pub(super) fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    /// Whether there is anybody to keep apart.
    fn asks(&self) -> bool {
        self.is_open || self.is_guest || self.accounts.as_ref().is_some_and(|a| a.exist())
    }

    /// What the page's script sends with everything that changes something.
    pub(crate) fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Whether there is a password.
    pub(crate) fn has_password(&self) -> Result<bool, Failure> {
        Ok(self.access.has_password()?)
    }

    /// Sets the password, or takes it away.
    pub(crate) fn set_password(&self, password: Option<&str>) -> Result<(), Failure> {
        if password.is_none() && self.asks() {
            return Err(Failure::bad(t("others can reach this psi: it needs a password")));
        }
        Ok(self.access.set_password(password)?)
    }

    pub(super) fn is_own(&self, host: &str) -> bool {
        is_own(host, &self.names, self.is_open)
    }

    /// Whether the browser has a token, or none is needed.
    fn is_signed_in(&self, headers: &HeaderMap) -> bool {
        !self.asks() || cookie(headers, COOKIE).is_some_and(|token| self.knows(token))
    }

    /// Whether this is a token of somebody who knew the password. What the database cannot tell is a no.
    fn knows(&self, token: &str) -> bool {
        matches!(self.access.check_token(token), Ok(Some(_)))
    }

    /// A token for whoever knows the password; not more than one attempt a second.
    pub(super) fn sign_in(&self, password: &str) -> Result<String, Failure> {
        self.attempt()?;
        if !self.access.check_password(password)? {
            let message = t("that is not the password").to_owned();
            return Err(Failure { status: StatusCode::UNAUTHORIZED, message });
        }
        self.issue()
    }

    /// Takes the one attempt that there is in a second.
    pub(super) fn attempt(&self) -> Result<(), Failure> {
        let mut last = self.last_attempt.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|at| at.elapsed() < PATIENCE) {
            let message = t("too many attempts: wait a second").to_owned();
            return Err(Failure { status: StatusCode::TOO_MANY_REQUESTS, message });
        }
        *last = Some(Instant::now());
        Ok(())
    }

    /// A session for whoever has shown who they are.
    pub(super) fn issue(&self) -> Result<String, Failure> {
        Ok(self.access.issue_token("browser")?)
    }

    /// Ends every session.
    pub(super) fn end_sessions(&self) -> Result<(), Failure> {
        Ok(self.access.set_password(None)?)
    }

    fn sign_out(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let token = cookie(headers, COOKIE).map(|t| self.access.check_token(t)).transpose()?;
        if let Some(token) = token.flatten() {
            self.access.revoke_token(token.id)?;
        }
        Ok(())
    }

    /// The answer to a request for the API that may not pass. Programs show a session's token as their key; a form
    /// of another site is refused by the API itself, which takes JSON only.
    fn api_refusal(&self, headers: &HeaderMap) -> Option<Response> {
        if let Err(refusal) = check_names(headers, &|host| self.is_own(host)) {
            return Some(refusal.into_response());
        }
        let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let bearer = bearer.and_then(|v| v.strip_prefix("Bearer "));
        if self.is_signed_in(headers) || bearer.is_some_and(|token| self.knows(token)) {
            return None;
        }
        let message = "this psi asks for its password: sign in first".to_owned();
        Some(Failure { status: StatusCode::UNAUTHORIZED, message }.into_response())
    }

    /// The answer to a request that may not pass.
    fn refusal(&self, request: &Request) -> Option<Response> {
        let (method, headers) = (request.method(), request.headers());
        if let Err(refusal) = check_names(headers, &|host| self.is_own(host)) {
            return Some(refusal.into_response());
        }
        let path = request.uri().path();
        let reads = method == Method::GET || method == Method::HEAD;
        let is_door = path == "/login" || path.starts_with("/assets/");
        if !is_door && !self.is_signed_in(headers) {
            let api = path.starts_with("/api/") || !reads;
            return Some(match api {
                true => Failure::sign_in_first().into_response(),
                false => Redirect::temporary("/login").into_response(),
            });
        }
        if self.is_guest && is_owners(path) {
            let message = t("only the owner of this psi can do that").to_owned();
            return Some(Failure { status: StatusCode::FORBIDDEN, message }.into_response());
        }
        // A form of another site sends no header of ours, and a browser says where a form comes from.
        let own_form = path == "/login" && headers.contains_key(header::ORIGIN);
        let token = headers.get("x-psi-csrf").and_then(|t| t.to_str().ok());
        if reads || own_form || token == Some(self.csrf()) {
            return None;
        }
        let message = t("psi was restarted: load the page again").to_owned();
        Some(Failure { status: StatusCode::FORBIDDEN, message }.into_response())
    }
}

/// Whether a Host header is this server's. A page whose name was rebound to this machine has a name of its
/// own, never a number.
pub(super) fn is_own(host: &str, names: &[String], is_open: bool) -> bool {
    let Some(name) = name_of(host) else { return false };
    is_loopback(host)
        || names.iter().any(|n| n.eq_ignore_ascii_case(name))
        || (is_open && name.parse::<IpAddr>().is_ok())
}

/// What decides about the machine: models, learning, and the files that psi, which runs as the owner, may read.
fn is_owners(path: &str) -> bool {
    const OWNERS: [&str; 8] = [
        "/learning",
        "/runs",
        "/models",
        "/api/learning",
        "/api/model",
        "/api/pull",
        "/api/folders",
        "/api/files",
    ];
    let below = |base: &&str| {
        path.strip_prefix(*base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    OWNERS.iter().any(below)
}

/// Stands before every route.
pub(crate) async fn gate(State(ui): State<Arc<Ui>>, request: Request, next: Next) -> Response {
    let lang = ui.language(request.headers());
    lang.scope(answer(ui, request, next)).await
}

async fn answer(ui: Arc<Ui>, request: Request, next: Next) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok());
    let reader =
        accepts.is_some_and(|kinds| kinds.contains("text/html")).then(|| request.headers().clone());
    let mut response = match ui.gate.refusal(&request) {
        None => next.run(request.map(|body| patience::body(body, BODY_TIME))).await,
        Some(refusal) => refusal,
    };
    let failure = response.extensions().get::<Failure>().cloned();
    if let (Some(headers), Some(failure)) = (reader, failure)
        && ui.gate.is_signed_in(&headers)
    {
        response = chat::failed(&ui, headers, failure).await;
    }
    protect(&mut response);
    response
}

/// Stands before the API's routes, which have a gate of their own behind this one.
pub(crate) async fn api_gate(State(ui): State<Arc<Ui>>, request: Request, next: Next) -> Response {
    match ui.gate.api_refusal(request.headers()) {
        None => next.run(request).await,
        Some(refusal) => refusal,
    }
}

/// `GET /login`.
pub(crate) async fn login_page(State(ui): State<Arc<Ui>>, headers: HeaderMap) -> Response {
    if ui.gate.is_signed_in(&headers) {
        return Redirect::to("/").into_response();
    }
    reply::html(login(None))
}

/// `POST /login`, from the form, with or without a script.
pub(crate) async fn sign_in(State(ui): State<Arc<Ui>>, body: String) -> Response {
    let password = field(&body, "password");
    match ui.gate.sign_in(&password) {
        Ok(session) => {
            let cookie =
                format!("{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION}");
            ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
        }
        Err(failure) => {
            (failure.status, reply::html(login(Some(&failure.message)))).into_response()
        }
    }
}

/// `POST /api/sign-out`.
pub(crate) async fn sign_out(State(ui): State<Arc<Ui>>, headers: HeaderMap) -> Response {
    match ui.gate.sign_out(&headers) {
        Ok(()) => reply::Reply::done().go("/login").into_response(),
        Err(failure) => failure.into_response(),
    }
}

fn login(wrong: Option<&str>) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(Lang::now().code()) dir=(Lang::now().dir()) {
            head { (shell::head(t("Sign in"))) }
            body {
                main.login {
                    h1 { "psi" }
                    p.soft { (t("This psi asks for its password.")) }
                    form method="post" action="/login" {
                        label.field { span { (t("Password")) } input type="password" name="password" autocomplete="current-password" required autofocus; }
                        @if let Some(wrong) = wrong { p.bad role="alert" { (wrong) } }
                        button class="btn primary" { (t("Sign in")) }
                    }
                }
            }
        }
    }
}

/// A cookie's value.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut pairs = all.flat_map(|v| v.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// 256 bits from the system, in hexadecimal.
fn token() -> io::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let mut text = String::with_capacity(64);
    for byte in bytes {
        // A String takes any text.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// The text of a form's field.
pub(super) fn field(body: &str, name: &str) -> String {
    let is_it = |pair: &str| pair.split_once('=').is_some_and(|(key, _)| key == name);
    let pair = body.split('&').find(|pair| is_it(pair));
    decode(pair.and_then(|pair| pair.split_once('=')).map_or("", |(_, value)| value))
}

fn decode(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.bytes();
    while let Some(byte) = rest.next() {
        let hex = |b: u8| char::from(b).to_digit(16);
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (rest.next().and_then(hex), rest.next().and_then(hex)) {
                (Some(high), Some(low)) => (high * 16 + low) as u8,
                _ => b'?',
            },
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use psi_agent::{Clock, Db, Timestamp};

    use super::*;

    fn gate(dir: &tempfile::TempDir, address: &str) -> Gate {
        let clock = Clock::fixed(Timestamp(0));
        let db = Db::open(&dir.path().join("psi.db"), clock).unwrap();
        Gate::new(address.parse().unwrap(), vec!["lab".to_owned()], Access::new(&db)).unwrap()
    }

    #[test]
    fn a_rebound_name_is_not_the_servers() {
        let dir = tempfile::tempdir().unwrap();
        let closed = gate(&dir, "127.0.0.1:1");
        let open = gate(&dir, "0.0.0.0:1");
        for host in ["localhost:1", "127.0.0.1:1", "[::1]:1", "LAB:1"] {
            assert!(closed.is_own(host) && open.is_own(host), "{host}");
        }
        assert!(!closed.is_own("192.168.1.7:1") && open.is_own("192.168.1.7:1"));
        for host in ["evil.example", "192.168.1.7.nip.example", "lab.evil.example"] {
            assert!(!closed.is_own(host) && !open.is_own(host), "{host}");
        }
    }

    #[test]
    fn a_session_needs_the_password_and_ends_when_its_owner_says() {
        let dir = tempfile::tempdir().unwrap();
        let gate = gate(&dir, "0.0.0.0:1");
        gate.set_password(Some("the right one")).unwrap();
        assert!(!gate.is_signed_in(&HeaderMap::new()));
        assert_eq!(gate.sign_in("wrong").unwrap_err().status, StatusCode::UNAUTHORIZED);
        assert_eq!(
            gate.sign_in("the right one").unwrap_err().status,
            StatusCode::TOO_MANY_REQUESTS
        );
        *gate.last_attempt.lock().unwrap() = None;
        let session = gate.sign_in("the right one").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("a=b; {COOKIE}={session}").parse().unwrap());
        assert!(gate.is_signed_in(&headers));
        gate.sign_out(&headers).unwrap();
        assert!(!gate.is_signed_in(&headers));
    }

    #[test]
    fn fields_are_decoded() {
        assert_eq!(decode("a+b%C3%BC%2B%"), "a b\u{fc}+?");
    }
}

//! The page of an encrypted database that nobody has unlocked yet: a field for the passphrase and nothing else.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use maud::{DOCTYPE, Markup, html};

use super::{
    gate::{PATIENCE, field, is_own},
    i18n::{Lang, t},
    reply::{self, Failure},
    shell,
};
use crate::{
    assets,
    guard::{check_names, protect},
    serve::{ServeError, Server, ServerOptions},
};

/// Bytes of the form.
const MAX_FORM: usize = 8 << 10;
/// Time for the last answer to be read before the server makes room for the page.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Tries a passphrase: `Ok(false)` if it is wrong, a sentence if the database has another trouble.
pub type Unlock = Box<dyn Fn(&str) -> Result<bool, String> + Send + Sync>;

/// Serves the locked page until it is stopped.
#[derive(Debug)]
pub struct LockedPage(Server);

impl LockedPage {
    /// Starts serving in a thread of its own. `names` are those beside loopback ones by which it may be asked for.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn start(
        address: SocketAddr,
        names: Vec<String>,
        unlock: Unlock,
    ) -> Result<Self, ServeError> {
        let options =
            ServerOptions { host: address.ip(), port: address.port(), ..ServerOptions::default() };
        let is_open = !address.ip().is_loopback();
        let locked = Arc::new(Locked { names, is_open, unlock, last_attempt: Mutex::default() });
        let router = Router::new()
            .route("/", get(page).post(open))
            .route("/assets/{name}", get(assets::asset))
            .fallback(refused)
            .layer(DefaultBodyLimit::max(MAX_FORM))
            .layer(middleware::from_fn_with_state(Arc::clone(&locked), guard))
            .with_state(locked);
        Ok(Self(Server::of_router(router, None, &options)?))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Ends, so that the page can take its place.
    pub fn stop(self) {
        self.0.stop(LAST_WORDS);
    }
}

struct Locked {
    names: Vec<String>,
    is_open: bool,
    unlock: Unlock,
    last_attempt: Mutex<Option<Instant>>,
}

impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locked").field("names", &self.names).finish_non_exhaustive()
    }
}

/// Asked by a name of ours only; the form comes from this page only.
async fn guard(State(locked): State<Arc<Locked>>, request: Request, next: Next) -> Response {
    let lang = Lang::of(request.headers());
    lang.scope(answer(locked, request, next)).await
}

async fn answer(locked: Arc<Locked>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let names = check_names(headers, &|host| is_own(host, &locked.names, locked.is_open));
    let is_form = request.method() == Method::POST;
    let mut response = match names {
        Err(refusal) => refusal.into_response(),
        Ok(()) if is_form && !headers.contains_key(header::ORIGIN) => {
            let message = "another site's page may not ask here".to_owned();
            Failure { status: StatusCode::FORBIDDEN, message }.into_response()
        }
        Ok(()) => next.run(request).await,
    };
    protect(&mut response);
    response
}

async fn page() -> Response {
    reply::html(form(None))
}

/// `POST /`: one attempt a second, whoever makes it.
async fn open(State(locked): State<Arc<Locked>>, body: String) -> Response {
    {
        let mut last = locked.last_attempt.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|at| at.elapsed() < PATIENCE) {
            let page = form(Some(t("too many attempts: wait a second")));
            return (StatusCode::TOO_MANY_REQUESTS, reply::html(page)).into_response();
        }
        *last = Some(Instant::now());
    }
    let passphrase = field(&body, "passphrase");
    let tried = tokio::task::spawn_blocking(move || (locked.unlock)(&passphrase)).await;
    match tried.unwrap_or_else(|_| Err(t("psi made a mistake; its terminal says more").to_owned()))
    {
        Ok(true) => reply::html(opening()),
        Ok(false) => {
            let page = form(Some(t("that is not the passphrase")));
            (StatusCode::UNAUTHORIZED, reply::html(page)).into_response()
        }
        Err(why) => {
            (StatusCode::INTERNAL_SERVER_ERROR, reply::html(form(Some(&why)))).into_response()
        }
    }
}

/// Programs, and pages that are behind the lock.
async fn refused(request: Request) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok());
    if accepts.is_some_and(|kinds| kinds.contains("text/html")) {
        return (StatusCode::SERVICE_UNAVAILABLE, reply::html(form(None))).into_response();
    }
    let message = "this psi is locked: its page asks for the passphrase".to_owned();
    Failure { status: StatusCode::SERVICE_UNAVAILABLE, message }.into_response()
}

fn form(wrong: Option<&str>) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(Lang::now().code()) dir=(Lang::now().dir()) {
            head { (shell::head(t("Locked"))) }
            body {
                main.login {
                    h1 { "psi" }
                    p.soft { (t("What you told psi is encrypted. Its passphrase opens it.")) }
                    form method="post" action="/" {
                        label.field { span { (t("Passphrase")) } input type="password" name="passphrase" autocomplete="current-password" required autofocus; }
                        @if let Some(wrong) = wrong { p.bad role="alert" { (wrong) } }
                        button class="btn primary" { (t("Unlock")) }
                    }
                }
            }
        }
    }
}

/// What is seen while the page starts.
fn opening() -> Markup {
    html! {
        (DOCTYPE)
        html lang=(Lang::now().code()) dir=(Lang::now().dir()) {
            head { (shell::head(t("Opening"))) meta http-equiv="refresh" content="2;url=/"; }
            body { main.login { h1 { "psi" } p.soft role="status" { (t("Unlocked: the page opens in a moment.")) } p { a href="/" { (t("Open it")) } } } }
        }
    }
}

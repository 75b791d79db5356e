//! Several people at one psi: who signs in as whom, and whose page a request goes to.
//!
//! Each user has a database, an assistant and a router of their own. A request is handed to the router of the user
//! whose session it shows, so that nothing of another user's is within its reach, whatever it names.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use maud::{DOCTYPE, Markup, html};
use psi_agent::{Assistant, Db, toolbox::Toolbox};

use super::{
    Ui, blocking,
    gate::{BODY_TIME, COOKIE, SESSION, cookie, field},
    host::Guest,
    i18n::{Lang, t},
    reply::{self, Failure},
    routes, shell,
};
use crate::{
    guard::{check_names, protect},
    serve::{ServeError, patience},
};

/// Bytes of the form.
const MAX_FORM: usize = 8 << 10;
/// The cookie that says whose session the other one is.
const USER: &str = "psi_user";
/// What the owner may call himself.
pub(super) const OWNER: &str = "owner";

/// The users beside psi's owner.
pub trait Accounts: Send + Sync {
    /// Whether there are any: then everybody signs in.
    fn exist(&self) -> bool;

    /// Which account of that name there is; another one after a reset.
    fn current(&self, name: &str) -> Option<String>;

    /// Opens a user's database with the user's password; takes as long for a name that nobody has.
    ///
    /// # Errors
    /// A sentence for the reader, where neither name nor password are the trouble.
    fn unlock(&self, name: &str, password: &str) -> Result<Option<Db>, String>;

    /// The assistant over such a database.
    ///
    /// # Errors
    /// A sentence for the reader.
    fn furnish(&self, name: &str, db: &Db) -> Result<Furnished, String>;
}

/// What a user's page is made of.
#[derive(Debug)]
pub struct Furnished {
    /// Conversations, memory, settings, and who answers.
    pub assistant: Assistant,
    /// Its tools.
    pub toolbox: Toolbox,
}

/// Where everybody enters.
pub(super) struct Door {
    owner: Arc<Ui>,
    owners: Router,
    accounts: Arc<dyn Accounts>,
    address: SocketAddr,
    open: Mutex<HashMap<String, Room>>,
}

/// A user who has signed in since psi began.
#[derive(Clone)]
struct Room {
    account: String,
    ui: Arc<Ui>,
    router: Router,
}

/// A router that hands each request to its user's own.
pub(super) fn router(
    owner: &Arc<Ui>,
    owners: Router,
    accounts: Arc<dyn Accounts>,
    address: SocketAddr,
) -> Router {
    let owner = Arc::clone(owner);
    let door = Door { owner, owners, accounts, address, open: Mutex::default() };
    Router::new().fallback(enter).with_state(Arc::new(door))
}

async fn enter(State(door): State<Arc<Door>>, request: Request) -> Response {
    let accounts = Arc::clone(&door.accounts);
    let exist = tokio::task::spawn_blocking(move || accounts.exist()).await.unwrap_or(true);
    if !exist {
        return pass(door.owners.clone(), request).await;
    }
    if request.uri().path() == "/login" {
        let lang = Lang::of(request.headers());
        let mut response = lang.scope(sign_in_or_show(&door, request)).await;
        protect(&mut response);
        return response;
    }
    let name = user(request.headers()).unwrap_or_default().to_owned();
    let is_asset = request.uri().path().starts_with("/assets/");
    if name.is_empty() || is_asset {
        return pass(door.owners.clone(), request).await;
    }
    if let Some(room) = door.room(&name).await {
        return pass(room.router, request).await;
    }
    let mut response = match request.method() {
        &Method::GET if !request.uri().path().starts_with("/api/") => {
            Redirect::temporary("/login").into_response()
        }
        _ => Failure::sign_in_first().into_response(),
    };
    protect(&mut response);
    response
}

async fn pass(router: Router, request: Request) -> Response {
    let answer: Result<Response, Infallible> = TowerToHyperService::new(router).call(request).await;
    match answer {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Whose page is asked for: a name that may be one.
fn user(headers: &HeaderMap) -> Option<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    cookie(headers, USER).filter(|name| (1..=32).contains(&name.len()) && name.chars().all(is_name))
}

impl Door {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Room>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The room of a user who signed in, if the account is still the same.
    async fn room(self: &Arc<Self>, name: &str) -> Option<Room> {
        let (door, name) = (Arc::clone(self), name.to_owned());
        let look = move || {
            let account = door.accounts.current(&name);
            let mut open = door.lock();
            let is_same =
                open.get(&name).is_some_and(|room| Some(&room.account) == account.as_ref());
            if is_same { open.get(&name).cloned() } else { door.close(open.remove(&name)) }
        };
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }

    /// Ends what was open of an account that is gone.
    fn close(&self, room: Option<Room>) -> Option<Room> {
        if let Some(room) = room {
            room.ui.assistant.shut_down();
        }
        None
    }

    /// A session for whoever knows the password of that name; not more than one attempt a second.
    fn sign_in(&self, name: &str, password: &str) -> Result<String, Failure> {
        if name.is_empty() || name == OWNER {
            return self.owner.gate.sign_in(password);
        }
        self.owner.gate.attempt()?;
        let wrong = || Failure {
            status: StatusCode::UNAUTHORIZED,
            message: t("name or password are wrong").to_owned(),
        };
        let db = self.accounts.unlock(name, password).map_err(Failure::bad)?.ok_or_else(wrong)?;
        let account = self.accounts.current(name).ok_or_else(wrong)?;
        let mut open = self.lock();
        if let Some(room) = open.get(name).filter(|room| room.account == account) {
            return room.ui.gate.issue();
        }
        self.close(open.remove(name));
        let furnished = self.accounts.furnish(name, &db).map_err(Failure::bad)?;
        let host = Arc::new(Guest(Arc::clone(&self.owner.host)));
        let ui = Ui::of_guest(furnished, host, self.address, self.owner.gate.names());
        let refused = |e: ServeError| Failure::bad(e.to_string());
        let ui = Arc::new(ui.map_err(refused)?);
        ui.begin_tasks().map_err(refused)?;
        let router = routes::router(&ui, None);
        let session = ui.gate.issue()?;
        open.insert(name.to_owned(), Room { account, ui, router });
        Ok(session)
    }
}

async fn sign_in_or_show(door: &Arc<Door>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(refusal) = check_names(&parts.headers, &|host| door.owner.gate.is_own(host)) {
        return refusal.into_response();
    }
    if parts.method != Method::POST {
        return reply::html(form(None));
    }
    // A form of another site does not say that it is ours.
    if !parts.headers.contains_key(header::ORIGIN) {
        return Failure::sign_in_first().into_response();
    }
    let body = patience::body(body, BODY_TIME);
    let body = to_bytes(body, MAX_FORM).await.unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let name = field(&body, "name").trim().to_lowercase();
    let (at, who) = (Arc::clone(door), name.clone());
    let signed_in =
        blocking(&door.owner, move |_| at.sign_in(&who, &field(&body, "password"))).await;
    match signed_in {
        Ok(session) => {
            let of = if name == OWNER { "" } else { name.as_str() };
            let cookie = |name: &str, value: &str| {
                format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION}")
            };
            let mut response = Redirect::to("/").into_response();
            for cookie in [cookie(COOKIE, &session), cookie(USER, of)] {
                if let Ok(value) = cookie.parse() {
                    response.headers_mut().append(header::SET_COOKIE, value);
                }
            }
            response
        }
        Err(failure) => (failure.status, reply::html(form(Some(&failure.message)))).into_response(),
    }
}

fn form(wrong: Option<&str>) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(Lang::now().code()) dir=(Lang::now().dir()) {
            head { (shell::head(t("Sign in"))) }
            body {
                main.login {
                    h1 { "psi" }
                    p.soft { (t("Several people use this psi. Sign in with your name; its owner's is \u{201c}owner\u{201d}.")) }
                    form method="post" action="/login" {
                        label.field { span { (t("Name")) } input type="text" name="name" autocomplete="username" autocapitalize="none" required autofocus; }
                        label.field { span { (t("Password")) } input type="password" name="password" autocomplete="current-password" required; }
                        @if let Some(wrong) = wrong { p.bad role="alert" { (wrong) } }
                        button class="btn primary" { (t("Sign in")) }
                    }
                }
            }
        }
    }
}

//! The Hub over HTTP: which address may be asked, with what, and what its answers mean.
//!
//! `hf-hub` knows the addresses and the request for a repository's description. Downloads are made here,
//! because its own neither check what arrives nor notice a server that ignores the range of a resumed one,
//! and send the token along to whatever host a redirect names.

use std::time::Duration;

use hf_hub::{
    Cache, Repo, RepoType,
    api::sync::{Api, ApiBuilder, ApiRepo},
};
use psi_store::ModelName;
use ureq::{
    Agent, Body, Proxy,
    http::{HeaderMap, Response, Uri, header, uri::Authority},
};

use super::{
    listing::{Checksum, Listing},
    trouble::Trouble,
};
use crate::error::{Failure, Outcome};

/// A repository's description longer than this is not one.
const MOST_LISTING_BYTES: u64 = 32 << 20;
/// Redirects followed for one file.
const MOST_REDIRECTS: usize = 5;
/// Text of the server that is worth repeating.
const MOST_SERVER_TEXT: usize = 200;

/// The settings that all requests share, given to psi's agent and to hf-hub's requests (a macro, because the
/// trait that their two builders share has no public name).
macro_rules! configured {
    ($builder:expr, $endpoint:expr, $timeout:expr) => {
        $builder
            // A proxy cannot reach this machine's own addresses.
            .proxy(if $endpoint.is_loopback() { None } else { Proxy::try_from_env() })
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_connect(Some($timeout))
            .timeout_send_request(Some($timeout))
            .timeout_recv_response(Some($timeout))
            .timeout_per_read(Some($timeout))
            .build()
    };
}

/// How the Hub is reached.
#[derive(Debug)]
pub(super) struct Settings {
    /// `https://HOST[/PATH]`, or `http` on this machine.
    pub(super) endpoint: String,
    pub(super) token: Option<String>,
    /// Longest silence of the server.
    pub(super) timeout: Duration,
}

/// One repository on a Hub.
pub(super) struct Hub {
    endpoint: Endpoint,
    api: Api,
    agent: Agent,
    settings: Settings,
    name: ModelName,
}

/// A validated address without a slash at its end.
#[derive(Debug)]
struct Endpoint {
    uri: Uri,
    text: String,
}

impl Endpoint {
    fn parse(text: &str) -> Outcome<Self> {
        let bad = |why: &str| Failure::input(format!("--endpoint '{}': {why}", printable(text)));
        let uri: Uri = text.parse().map_err(|_| bad("not an address"))?;
        let text = text.trim_end_matches('/');
        let host = uri.host().ok_or_else(|| bad("not an address").hint("give https://HOST"))?;
        if uri.query().is_some() || uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(bad("only a host and a path").hint("a token is given by HF_TOKEN"));
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback(host) => {}
            _ => return Err(bad("not encrypted").hint("give https://HOST")),
        }
        Ok(Self { text: text.to_owned(), uri })
    }

    fn is_loopback(&self) -> bool {
        self.uri.host().is_some_and(is_loopback)
    }
}

impl Hub {
    /// # Errors
    /// When the endpoint is no address, or neither encrypted nor on this machine; when the token has
    /// characters that no token has.
    pub(super) fn new(settings: Settings, name: ModelName) -> Outcome<Self> {
        let endpoint = Endpoint::parse(&settings.endpoint)?;
        if let Some(token) = &settings.token
            && !token.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err(Failure::input("HF_TOKEN: not a token")
                .hint("copy it anew from the settings page of your account"));
        }
        let agent = Agent::config_builder().user_agent(concat!("psi/", env!("CARGO_PKG_VERSION")));
        let agent = configured!(agent, endpoint, settings.timeout).into();
        // The cache is never used; naming one keeps hf-hub from looking for a home folder.
        let api = ApiBuilder::from_cache(Cache::new("hub".into()))
            .with_endpoint(endpoint.text.clone())
            .with_token(settings.token.clone())
            .with_progress(false)
            .with_user_agent("psi", env!("CARGO_PKG_VERSION"))
            .build()
            .map_err(|e| Failure::failed("no HTTP client").because(e))?;
        Ok(Self { endpoint, api, agent, settings, name })
    }

    fn repo(&self, revision: &str) -> ApiRepo {
        let id = self.name.repository();
        self.api.repo(Repo::with_revision(id, RepoType::Model, revision.to_owned()))
    }

    fn revision(&self) -> &str {
        self.name.revision.as_deref().unwrap_or("main")
    }

    /// The address of a file of the repository.
    pub(super) fn url(&self, commit: &str, path: &str) -> String {
        self.repo(commit).url(path)
    }

    /// The repository's files with sizes and checksums.
    pub(super) fn listing(&self) -> Result<Listing, Trouble> {
        let what = self.name.to_string();
        let request = self.repo(self.revision()).info_request().query("blobs", "true");
        let request = configured!(request.config(), self.endpoint, self.settings.timeout);
        let first = request.call().map_err(|e| self.unreachable(&what, e))?;
        let (mut response, _) = match redirect(&first, &self.endpoint.uri) {
            Some(next) if self.is_own(&next) => self.get(&what, next, None)?,
            Some(next) => return Err(self.strange_redirect(&what, &next)),
            None => (first, true),
        };
        self.check_status(&what, &response, true)?;
        let text = response.body_mut().with_config().limit(MOST_LISTING_BYTES).read_to_string();
        let text = text.map_err(|e| self.unreachable(&what, e))?;
        Listing::parse(&text).map_err(Trouble::Final)
    }

    /// Size and checksum of a file, for servers whose listing has none.
    pub(super) fn metadata(
        &self,
        commit: &str,
        path: &str,
    ) -> Result<(Option<u64>, Option<Checksum>), Trouble> {
        let mut url = self.parse_url(&self.url(commit, path))?;
        for _ in 0..MOST_REDIRECTS {
            let request = self.authorized(self.agent.head(&url), &url);
            let response = request.call().map_err(|e| self.unreachable(path, e))?;
            let next = redirect(&response, &url);
            let text = |name: &str| text_of(response.headers(), name);
            let linked: Option<Checksum> = text("x-linked-etag").and_then(|t| t.parse().ok());
            match next {
                // What the Hub itself says of the file; the other host's tags follow other rules.
                Some(next) if linked.is_some() || !self.is_own(&next) => {
                    return Ok((text("x-linked-size").and_then(|t| t.parse().ok()), linked));
                }
                Some(next) => url = next,
                None => {
                    self.check_status(path, &response, true)?;
                    let size = text("x-linked-size").or_else(|| text("content-length"));
                    let etag = || text("etag").and_then(|t| t.parse().ok());
                    return Ok((size.and_then(|t| t.parse().ok()), linked.or_else(etag)));
                }
            }
        }
        Err(Trouble::Final(Failure::failed(format!("{path}: redirected in a circle"))))
    }

    /// Asks for a file from byte `from` on; the answer has a status that means bytes follow.
    pub(super) fn download(
        &self,
        commit: &str,
        path: &str,
        from: u64,
    ) -> Result<Response<Body>, Trouble> {
        let url = self.parse_url(&self.url(commit, path))?;
        let (response, own) = self.get(path, url, Some(from))?;
        if response.status() == 416 && from > 0 {
            return Ok(response);
        }
        self.check_status(path, &response, own)?;
        Ok(response)
    }

    /// GET with redirects; also whether the answer came from the host the user named.
    fn get(
        &self,
        what: &str,
        mut url: Uri,
        from: Option<u64>,
    ) -> Result<(Response<Body>, bool), Trouble> {
        for _ in 0..=MOST_REDIRECTS {
            // Ranges and checksums are of the file, not of a compressed form of it.
            let mut request = self.agent.get(&url).header(header::ACCEPT_ENCODING, "identity");
            if let Some(from) = from.filter(|&n| n > 0) {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            let response = self.authorized(request, &url).call();
            let response = response.map_err(|e| self.unreachable(what, e))?;
            match redirect(&response, &url) {
                None => return Ok((response, self.is_own(&url))),
                Some(next) if self.may_follow(&next) => url = next,
                Some(next) => return Err(self.strange_redirect(what, &next)),
            }
        }
        Err(Trouble::Final(Failure::failed(format!("{what}: redirected in a circle"))))
    }

    /// With the token, if `url` is on the host that the token is for.
    fn authorized<B>(
        &self,
        request: ureq::RequestBuilder<B>,
        url: &Uri,
    ) -> ureq::RequestBuilder<B> {
        match &self.settings.token {
            Some(token) if self.is_own(url) => {
                request.header(header::AUTHORIZATION, format!("Bearer {token}"))
            }
            _ => request,
        }
    }

    /// Whether `url` has the scheme, host and port the user named.
    fn is_own(&self, url: &Uri) -> bool {
        let own = &self.endpoint.uri;
        let port =
            |u: &Uri| u.port_u16().or(Some(if u.scheme_str() == Some("http") { 80 } else { 443 }));
        url.scheme() == own.scheme()
            && url.host().map(str::to_ascii_lowercase) == own.host().map(str::to_ascii_lowercase)
            && port(url) == port(own)
    }

    /// Files may lie on other hosts, encrypted; a Hub on this machine may name others on this machine.
    fn may_follow(&self, url: &Uri) -> bool {
        let local = || self.endpoint.is_loopback() && url.host().is_some_and(is_loopback);
        match url.scheme_str() {
            Some("https") => url.host().is_some(),
            Some("http") => self.is_own(url) || local(),
            _ => false,
        }
    }

    fn parse_url(&self, url: &str) -> Result<Uri, Trouble> {
        url.parse().map_err(|e| {
            Trouble::Final(
                Failure::failed(format!("{}: not an address", printable(url))).because(e),
            )
        })
    }

    fn host(&self) -> &str {
        self.endpoint.uri.authority().map_or("", Authority::as_str)
    }

    fn strange_redirect(&self, what: &str, to: &Uri) -> Trouble {
        let (host, to) = (self.host(), printable(&to.to_string()));
        Trouble::Final(
            Failure::failed(format!("{what}: {host} redirects to {to}, where psi does not go"))
                .hint("only encrypted addresses are followed, and only for files"),
        )
    }

    fn unreachable(&self, what: &str, error: ureq::Error) -> Trouble {
        let host = self.host();
        let (message, hint) = match &error {
            ureq::Error::HostNotFound => (
                format!("{what}: {host} is not found"),
                "check the network connection and the name of the host",
            ),
            ureq::Error::Timeout(_) => (
                format!("{what}: {host} does not answer"),
                "run the same command again; --timeout allows for longer silence",
            ),
            ureq::Error::BodyExceedsLimit(_) => {
                let text = format!("{what}: {host} describes the repository without end");
                return Trouble::Final(Failure::failed(text));
            }
            _ => (
                format!("{what}: the connection to {host} failed"),
                "check the network connection and run the same command again",
            ),
        };
        Trouble::passing(Failure::failed(message).because(error).hint(hint))
    }

    /// What a status other than 2xx means.
    fn check_status(
        &self,
        what: &str,
        response: &Response<Body>,
        own: bool,
    ) -> Result<(), Trouble> {
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let said = text_of(response.headers(), "x-error-message").map(printable);
        let because = |f: Failure| match &said {
            Some(said) => f.because(said.as_str()),
            None => f,
        };
        let code = text_of(response.headers(), "x-error-code").unwrap_or_default();
        let number = status.as_u16();
        let failure = match number {
            408 | 429 | 500.. => {
                let failure = self.busy(what, number);
                let wait = text_of(response.headers(), "retry-after").and_then(|t| t.parse().ok());
                return Err(Trouble::Passing { failure, wait: wait.map(Duration::from_secs) });
            }
            401 | 403 if own => self.forbidden(what, number, code),
            404 if own => self.absent(what, code),
            _ => Failure::failed(format!("{what}: the server answers {status}")),
        };
        Err(Trouble::Final(because(failure)))
    }

    fn busy(&self, what: &str, status: u16) -> Failure {
        let host = self.host();
        match (status, &self.settings.token) {
            (429, None) => Failure::failed(format!("{what}: {host} limits requests (429)"))
                .hint("wait some minutes, or set HF_TOKEN: accounts have higher limits"),
            (429, Some(_)) => Failure::failed(format!("{what}: {host} limits requests (429)"))
                .hint("wait some minutes and run the same command again: it continues"),
            _ => Failure::failed(format!("{what}: {host} has a problem ({status})"))
                .hint("run the same command again later: it continues where it stopped"),
        }
    }

    fn forbidden(&self, what: &str, status: u16, code: &str) -> Failure {
        let (host, page) =
            (self.host(), format!("{}/{}", self.endpoint.text, self.name.repository()));
        if code == "GatedRepo" {
            return Failure::failed(format!("{what}: its owner asks for an agreement ({status})"))
                .hint(format!("agree at {page}, then set HF_TOKEN to a token of your account"));
        }
        match &self.settings.token {
            None => Failure::failed(format!("{what}: no such model, or a private one ({status})"))
                .hint(format!("check the name at {page}; private models need HF_TOKEN")),
            Some(_) => Failure::failed(format!("{what}: {host} refuses the token ({status})"))
                .hint("check HF_TOKEN: it may have expired, or may not read this model"),
        }
    }

    fn absent(&self, what: &str, code: &str) -> Failure {
        match code {
            "RevisionNotFound" => {
                let (name, revision) = (self.name.repository(), self.revision());
                Failure::input(format!("{name} has no revision '{revision}'"))
                    .hint("a branch, a tag or a commit goes after the @")
            }
            "EntryNotFound" => Failure::failed(format!("{what}: listed but not there (404)")),
            _ => Failure::input(format!("{what}: not found on {}", self.host()))
                .hint("check the name: ORG/NAME, as on the model's page"),
        }
    }
}

/// Where a redirecting answer points, as a whole address.
fn redirect(response: &Response<Body>, from: &Uri) -> Option<Uri> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let to = text_of(response.headers(), "location")?;
    let to: Uri = to.parse().ok()?;
    if to.host().is_some() {
        return Some(to);
    }
    let mut parts = from.clone().into_parts();
    parts.path_and_query = to.into_parts().path_and_query;
    Uri::from_parts(parts).ok()
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// Text of the server or user that a terminal shows as it is.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_SERVER_TEXT).collect()
}

/// This machine's own names. RFC 6761, section 6.3 (`localhost`); RFC 1122, section 3.2.1.3 (127/8).
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

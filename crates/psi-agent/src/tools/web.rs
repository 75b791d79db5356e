//! Reading a page of the web: public addresses only, each redirect checked anew, with limits on time, size and kind.

use std::{
    fmt,
    io::Read,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use ureq::{
    Agent, Body,
    config::Config,
    http::{Response, Uri, header},
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};
use url::Url;

use super::{
    address::{is_own_network, is_public},
    pager,
};
use crate::{CallContext, ToolError, ToolOutput, html};

const MAX_REDIRECTS: usize = 5;
const MAX_BODY_BYTES: u64 = 4 << 20;
const MAX_URL_BYTES: usize = 2048;
const MAX_TIME: Duration = Duration::from_secs(20);
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Looks a host and port up.
type Lookup = dyn Fn(&str, u16) -> std::io::Result<Vec<SocketAddr>> + Send + Sync;

/// The way to the web.
#[derive(Clone)]
pub struct Web {
    pub(super) lookup: Arc<Lookup>,
    /// Addresses outside the public internet that a test's own server has; none in the program.
    pub(super) also: Vec<SocketAddr>,
}

impl Default for Web {
    /// Names from the system, public addresses only.
    fn default() -> Self {
        let lookup = |host: &str, port: u16| Ok((host, port).to_socket_addrs()?.collect());
        Self { lookup: Arc::new(lookup), also: Vec::new() }
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").field("also", &self.also).finish_non_exhaustive()
    }
}

/// A page as it came.
pub(super) struct Loaded {
    /// Where it was in the end.
    pub(super) url: Url,
    /// Its text, decoded.
    pub(super) body: String,
    /// Its media type, in small letters.
    pub(super) kind: String,
}

/// A host and port that may lie inside: a service that the owner named by such an address.
pub(super) type Inside = (String, u16);

impl Web {
    /// Reads a page as text, from a line on.
    ///
    /// # Errors
    /// [`ToolError::NotAllowed`] when the address is not of the public internet, [`ToolError::Failed`] otherwise.
    pub fn fetch(
        &self,
        address: &str,
        from_line: Option<i64>,
        context: &CallContext,
    ) -> Result<ToolOutput, ToolError> {
        let Loaded { url, body, kind } = self.load(&parse(address)?, None, context)?;
        let fail = |why: String| ToolError::Failed(format!("{url}: {why}"));
        let text = if is_html(&kind) { html::to_text(&body).map_err(fail)? } else { body };
        let page = pager::page(url.as_str(), &text, from_line)?;
        let data = json!({ "pages": [{ "title": url.as_str(), "url": url.as_str() }] });
        Ok(ToolOutput { data, ..ToolOutput::untrusted(format!("{url}\n\n{page}")) })
    }

    /// Follows an address to its page. `inside` is the one host that may have an address of the owner's own network.
    pub(super) fn load(
        &self,
        first: &Url,
        inside: Option<&Inside>,
        context: &CallContext,
    ) -> Result<Loaded, ToolError> {
        let agent = self.agent(inside, context)?;
        let mut url = first.clone();
        for _ in 0..=MAX_REDIRECTS {
            context.check()?;
            let response = agent.get(url.as_str()).call().map_err(|e| explain(&url, e))?;
            match redirect(&url, &response)? {
                Some(next) => url = next,
                None => return read(url, response),
            }
        }
        Err(ToolError::Failed(format!("{first}: more than {MAX_REDIRECTS} redirects")))
    }

    fn agent(&self, inside: Option<&Inside>, context: &CallContext) -> Result<Agent, ToolError> {
        context.check()?;
        let left = context.deadline.map(|d| d.saturating_duration_since(std::time::Instant::now()));
        let time = left.map_or(MAX_TIME, |left| left.min(MAX_TIME));
        let config = Config::builder()
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // A proxy would look names up itself, behind the check.
            .proxy(None)
            .accept_encoding("identity")
            .user_agent("psi")
            .timeout_global(Some(time))
            .timeout_connect(Some(CONNECT_TIME))
            .max_response_header_size(64 << 10)
            .max_idle_connections(0)
            .build();
        let guard = Guard { web: self.clone(), inside: inside.cloned() };
        Ok(Agent::with_parts(config, DefaultConnector::default(), guard))
    }
}

/// Resolves names and refuses what is not public. The connection is made to the very addresses that were checked.
#[derive(Debug)]
struct Guard {
    web: Web,
    inside: Option<Inside>,
}

/// What [`Guard`] says when it refuses; told from other errors by its type.
#[derive(Debug)]
struct Refused(SocketAddr);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not an address of the public internet", self.0.ip())
    }
}

impl std::error::Error for Refused {}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(default);
        let found = (self.web.lookup)(bare, port)?;
        let is_named = self.inside.as_ref().is_some_and(|(h, p)| h == host && *p == port);
        // One address inside is enough to refuse: which one is connected to is not ours to bet on.
        let refused = |a: &&SocketAddr| {
            let is_owners = is_named && is_own_network(a.ip());
            !is_public(a.ip()) && !is_owners && !self.web.also.contains(a)
        };
        if let Some(address) = found.iter().find(refused) {
            let refused =
                std::io::Error::new(std::io::ErrorKind::PermissionDenied, Refused(*address));
            return Err(ureq::Error::Io(refused));
        }
        let mut addresses = self.empty();
        for address in found.into_iter().take(8) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}

/// An address of the web as a person would write it.
pub(super) fn parse(address: &str) -> Result<Url, ToolError> {
    let refuse = |why: &str| Err(ToolError::NotAllowed(format!("{address:?}: {why}")));
    if address.len() > MAX_URL_BYTES {
        return Err(ToolError::BadArguments("the address is too long".to_owned()));
    }
    let Ok(url) = Url::parse(address.trim()) else {
        return Err(ToolError::BadArguments(format!(
            "{address:?} is no address; write https://..."
        )));
    };
    if !matches!(url.scheme(), "http" | "https") {
        return refuse("only http and https are read");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("a name and password in the address are not sent");
    }
    let port = url.port_or_known_default().unwrap_or(0);
    if port != 80 && port != 443 && port < 1024 {
        return refuse("the port is not one of the web");
    }
    Ok(url)
}

/// Where a response sends the reader, checked like a first address.
fn redirect(url: &Url, response: &Response<Body>) -> Result<Option<Url>, ToolError> {
    if !response.status().is_redirection() {
        return Ok(None);
    }
    let target = response.headers().get(header::LOCATION).and_then(|l| l.to_str().ok());
    let target = target.and_then(|t| url.join(t).ok());
    let target =
        target.ok_or_else(|| ToolError::Failed(format!("{url}: a redirect to nowhere")))?;
    parse(target.as_str()).map(Some)
}

pub(super) fn is_html(kind: &str) -> bool {
    kind.starts_with("text/html") || kind.starts_with("application/xhtml")
}

fn read(url: Url, mut response: Response<Body>) -> Result<Loaded, ToolError> {
    let fail = |why: String| ToolError::Failed(format!("{url}: {why}"));
    let status = response.status();
    if !status.is_success() {
        return Err(fail(format!("the server answered {status}")));
    }
    let text_of = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
    let encoding = text_of(header::CONTENT_ENCODING);
    if !matches!(encoding, "" | "identity") {
        return Err(fail(format!("compressed ({encoding}) though that was not asked for")));
    }
    let kind = text_of(header::CONTENT_TYPE).to_ascii_lowercase();
    let is_text = kind.starts_with("text/") || kind.contains("json") || kind.contains("xml");
    if !is_html(&kind) && !is_text {
        let kind = if kind.is_empty() { "of no stated kind" } else { &kind };
        return Err(fail(format!("{kind}, not a page of text")));
    }
    let mut bytes = Vec::new();
    let mut body = response.body_mut().as_reader().take(MAX_BODY_BYTES + 1);
    body.read_to_end(&mut bytes).map_err(|e| fail(e.to_string()))?;
    if bytes.len() as u64 > MAX_BODY_BYTES {
        return Err(fail(format!("more than {MAX_BODY_BYTES} bytes")));
    }
    let charset = kind.split("charset=").nth(1).map(|c| c.trim_matches(['"', ' ', ';']));
    let charset = charset.and_then(|c| encoding_rs::Encoding::for_label(c.as_bytes()));
    let (text, ..) = charset.unwrap_or(encoding_rs::UTF_8).decode(&bytes);
    let body = text.into_owned();
    Ok(Loaded { url, body, kind })
}

fn explain(url: &Url, error: ureq::Error) -> ToolError {
    if let ureq::Error::Io(io) = &error
        && let Some(refused) = io.get_ref().and_then(|inner| inner.downcast_ref::<Refused>())
    {
        return ToolError::NotAllowed(format!("{url}: {refused}"));
    }
    match error {
        ureq::Error::Timeout(_) => ToolError::TimedOut,
        ureq::Error::HostNotFound => ToolError::Failed(format!("{url}: there is no such host")),
        other => ToolError::Failed(format!("{url}: {other}")),
    }
}

#[cfg(test)]
pub(super) mod tests;

//! Searching the web through a service that the user names: a SearXNG instance, or any page of results.

use serde_json::{Value, json};
use url::{Host, Url, form_urlencoded};

use super::{
    NOTHING_FOUND,
    address::is_own_network,
    web::{Inside, Loaded, Web, is_html, parse},
};
use crate::{CallContext, ToolError, ToolOutput, html};

/// Results that one call returns.
const MAX_RESULTS: usize = 8;
/// Most characters of a question.
const MAX_QUERY: usize = 400;
/// Most characters of a title, and of an excerpt.
const MAX_TITLE: usize = 120;
const MAX_EXCERPT: usize = 320;
/// Least characters of a link's words that make it a result: less are signs and page numbers.
const MIN_TITLE: usize = 4;
/// What stands for the question in the address of a page of results.
const QUERY: &str = "{query}";
/// Endings of names that are never of the public internet.
const INSIDE: &[&str] = &[".localhost", ".local", ".lan", ".internal", ".home.arpa"];

/// A service that searches the web.
#[derive(Clone, Debug)]
pub struct SearchService {
    form: Form,
    /// Its host and port, where the user named it by an address that is not of the public internet.
    inside: Option<Inside>,
}

#[derive(Clone, Debug)]
enum Form {
    /// The address of a SearXNG instance's search.
    Searxng(Url),
    /// The address of a page of results, with [`QUERY`] in it.
    Page(String),
}

/// A page that was found.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    title: String,
    url: Url,
    excerpt: String,
}

impl SearchService {
    /// The service at an address, as the settings name it.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(address: &str) -> Result<Self, String> {
        let address = address.trim();
        let url = |text: &str| parse(text).map_err(|e| e.to_string());
        let (form, first) = if address.contains(QUERY) {
            let first = url(&address.replace(QUERY, "a"))?;
            let other = url(&address.replace(QUERY, "b"))?;
            if (first.host(), first.port()) != (other.host(), other.port()) {
                return Err(format!("{QUERY} cannot stand in the name of the host"));
            }
            (Form::Page(address.to_owned()), first)
        } else {
            let mut base = url(address)?;
            base.set_query(None);
            base.set_fragment(None);
            let path = base.path().trim_end_matches('/').trim_end_matches("/search").to_owned();
            base.set_path(&format!("{path}/search"));
            (Form::Searxng(base.clone()), base)
        };
        let host = first.host_str().unwrap_or_default().to_owned();
        let port = first.port_or_known_default().unwrap_or(80);
        let inside = is_named_inside(&first).then_some((host, port));
        Ok(Self { form, inside })
    }

    /// Asks it, and returns titles, addresses and excerpts: text of others.
    ///
    /// # Errors
    /// As [`Web::fetch`], and when what comes back is not what such a service answers.
    pub(super) fn search(
        &self,
        web: &Web,
        query: &str,
        context: &CallContext,
    ) -> Result<ToolOutput, ToolError> {
        let query = query.trim();
        if query.is_empty() || query.chars().count() > MAX_QUERY {
            let why = format!("a search has 1 to {MAX_QUERY} characters");
            return Err(ToolError::BadArguments(why));
        }
        let page = web.load(&self.address(query)?, self.inside.as_ref(), context);
        let page = page.map_err(|error| self.explain(error))?;
        let found = match &self.form {
            Form::Searxng(_) => of_json(&page)?,
            Form::Page(_) => of_page(&page)?,
        };
        if found.is_empty() {
            return Ok(ToolOutput::untrusted(NOTHING_FOUND));
        }
        let numbered = found.iter().enumerate();
        let text =
            |(i, f): (usize, &Found)| format!("[{}] {}\n{}\n{}", i + 1, f.title, f.url, f.excerpt);
        let texts: Vec<String> = numbered.map(|one| text(one).trim_end().to_owned()).collect();
        let pages: Vec<Value> = found
            .iter()
            .map(|f| json!({ "title": f.title, "url": f.url.as_str(), "excerpt": f.excerpt }))
            .collect();
        Ok(ToolOutput {
            data: json!({ "pages": pages }),
            ..ToolOutput::untrusted(texts.join("\n\n"))
        })
    }

    fn address(&self, query: &str) -> Result<Url, ToolError> {
        match &self.form {
            Form::Searxng(base) => {
                let mut url = base.clone();
                url.query_pairs_mut().append_pair("q", query).append_pair("format", "json");
                Ok(url)
            }
            Form::Page(template) => {
                let words: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
                parse(&template.replace(QUERY, &words.replace('+', "%20")))
            }
        }
    }

    /// What the owner can do about an error that services like this one give.
    fn explain(&self, error: ToolError) -> ToolError {
        match (&self.form, error) {
            (Form::Searxng(_), ToolError::Failed(why)) if why.contains("403") => {
                let hint = "SearXNG answers programs only where `json` stands in search.formats of its settings.yml";
                ToolError::Failed(format!("{why} ({hint})"))
            }
            (_, ToolError::NotAllowed(why)) => {
                let hint = "a service of your own network is named by its number in the settings";
                ToolError::NotAllowed(format!("{why} ({hint})"))
            }
            (_, other) => other,
        }
    }
}

/// Whether an address says of itself that it is of this machine or its network: by a number, or by a name that the
/// public internet does not have. A name of the internet that leads inside is a trick, and is refused.
fn is_named_inside(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => is_own_network(ip.into()),
        Some(Host::Ipv6(ip)) => is_own_network(ip.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            !name.contains('.') || INSIDE.iter().any(|end| name.ends_with(end))
        }
        None => false,
    }
}

/// The results in SearXNG's JSON.
fn of_json(page: &Loaded) -> Result<Vec<Found>, ToolError> {
    let read = serde_json::from_str::<Value>(&page.body).ok();
    let Some(results) = read.as_ref().and_then(|v| v["results"].as_array()) else {
        let why = format!("{}: the answer is not SearXNG's JSON", page.url);
        return Err(ToolError::Failed(why));
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = results.iter().filter_map(|one| {
        let url = web_address(one["url"].as_str()?, None)?;
        found(&text(&one["title"]), url, &text(&one["content"]))
    });
    Ok(distinct(found))
}

/// The results of a page: links to other hosts, each with the text up to the next.
fn of_page(page: &Loaded) -> Result<Vec<Found>, ToolError> {
    let fail = |why: String| ToolError::Failed(format!("{}: {why}", page.url));
    if !is_html(&page.kind) {
        return Err(fail(format!("{}, not a page of results", page.kind)));
    }
    let runs = html::to_runs(&page.body).map_err(fail)?;
    let mut results: Vec<(String, Url, String)> = Vec::new();
    for run in runs {
        let target = run.link.as_deref().and_then(|link| web_address(link, Some(&page.url)));
        match target.filter(|_| run.text.trim().chars().count() >= MIN_TITLE) {
            // Many pages link a result twice, by its title and by its address.
            Some(url) if results.last().is_some_and(|(_, last, _)| *last == url) => {}
            Some(url) => results.push((run.text, url, String::new())),
            None => {
                if let Some((.., excerpt)) = results.last_mut() {
                    excerpt.push_str(&run.text);
                }
            }
        }
    }
    Ok(distinct(results.into_iter().filter_map(|(title, url, text)| found(&title, url, &text))))
}

/// An address of the web that a result has. `page`: where its link stands; links to that host itself are none, unless
/// they carry the true address (`/l/?to=https%3A...`).
fn web_address(link: &str, page: Option<&Url>) -> Option<Url> {
    let url = match page {
        Some(page) => page.join(link).ok()?,
        None => Url::parse(link).ok()?,
    };
    let url = match page {
        Some(page) if url.host() == page.host() => {
            let carried = url.query_pairs().find_map(|(_, value)| Url::parse(&value).ok());
            carried.filter(|carried| carried.host() != page.host())?
        }
        _ => url,
    };
    let is_plain = url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain).then_some(url)
}

fn found(title: &str, mut url: Url, excerpt: &str) -> Option<Found> {
    url.set_fragment(None);
    let title = words(title, MAX_TITLE);
    let title = if title.is_empty() { url.host_str()?.to_owned() } else { title };
    Some(Found { title, url, excerpt: words(excerpt, MAX_EXCERPT) })
}

/// Each address once, in order.
fn distinct(found: impl Iterator<Item = Found>) -> Vec<Found> {
    let mut kept: Vec<Found> = Vec::new();
    for one in found {
        if kept.len() < MAX_RESULTS && !kept.iter().any(|k| k.url == one.url) {
            kept.push(one);
        }
    }
    kept
}

/// A text on one line, without what steers a terminal, cut where it says so.
fn words(text: &str, limit: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    match text.char_indices().nth(limit) {
        Some((at, _)) => format!("{}\u{2026}", text[..at].trim_end()),
        None => text,
    }
}

#[cfg(test)]
mod tests;

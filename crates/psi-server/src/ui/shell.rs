//! The frame of every page: head, side bar with the conversations by day, and what all pages share.

use std::collections::BTreeMap;

use jiff::{Zoned, civil::Date};
use maud::{DOCTYPE, Markup, html};
use psi_agent::{Conversation, ConversationId, Hit};

use super::{
    i18n::{self, Lang, t, tf},
    icon::icon,
    keys::{self, Keys},
};
use crate::assets;

/// A place in the side bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Chat,
    Memory,
    Files,
    Projects,
    Prompts,
    Review,
    Learning,
    Models,
    Runs,
    Settings,
    Tasks,
}

/// Places with their address, sign and name.
const PLACES: &[(Place, &str, &str, &str)] = &[
    (Place::Memory, "/memory", "memory", "Memory"),
    (Place::Files, "/files", "folder", "Files"),
    (Place::Projects, "/projects", "stack", "Projects"),
    (Place::Prompts, "/prompts", "slash", "Prompts"),
    (Place::Tasks, "/tasks", "clock", "Tasks"),
    (Place::Review, "/review", "star", "Review"),
    (Place::Learning, "/learning", "sprout", "Learning"),
    (Place::Models, "/models", "chip", "Models"),
    (Place::Runs, "/runs", "chart", "Training"),
    (Place::Settings, "/settings", "gear", "Settings"),
];

/// Those that decide about the machine.
const OWNERS: [Place; 3] = [Place::Learning, Place::Models, Place::Runs];

/// What the page's script says by itself.
pub(crate) const SCRIPT_TEXTS: &[&str] = &[
    "Copied",
    "Copied.",
    "Copy",
    "Copy this code",
    "That did not work ({status}).",
    "The answer is finished.",
    "This browser does not allow notices: they are shown on the page only.",
    "psi does not answer. Is it still running?",
    "psi is answering.",
    "{n} commands. Up and down choose, Enter takes one, Escape closes.",
    "{n} found",
    "{name} cannot be read.",
];

/// The script's texts in the language of the request; none in English, which it speaks by itself.
fn script_texts() -> Option<String> {
    let said = SCRIPT_TEXTS.iter().map(|&text| (text, t(text)));
    let said: BTreeMap<&str, &str> = said.filter(|(text, said)| text != said).collect();
    (!said.is_empty()).then(|| serde_json::json!(said).to_string())
}

/// The names of the places.
#[cfg(test)]
pub(crate) fn names() -> Vec<&'static str> {
    PLACES.iter().map(|(_, _, _, name)| *name).collect()
}

/// What every page needs to know.
pub(crate) struct Frame<'a> {
    pub(crate) title: &'a str,
    pub(crate) place: Place,
    /// The list of conversations, rendered.
    pub(crate) chats: Markup,
    pub(crate) csrf: &'a str,
    /// `light` or `dark`, where the user has chosen.
    pub(crate) theme: Option<&'a str>,
    pub(crate) keys: &'a Keys,
    /// Whether what decides about the machine is left out.
    pub(crate) is_guest: bool,
    /// What tasks have to say, rendered.
    pub(crate) notices: Markup,
}

impl Frame<'_> {
    /// The whole page.
    pub(crate) fn page(&self, main: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang=(Lang::now().code()) dir=(Lang::now().dir()) data-theme=[self.theme] {
                head {
                    (head(self.title))
                    meta name="csrf" content=(self.csrf);
                    script type="module" src=(assets::at("app.js")) {}
                }
                body data-texts=[script_texts()] {
                    a.skip href="#main" { (t("Skip to the content")) }
                    div.frame {
                        (self.side())
                        main.main id="main" tabindex="-1" { (self.notices) (main) }
                    }
                    (self.shared())
                }
            }
        }
    }

    fn side(&self) -> Markup {
        html! {
            nav.side id="side" aria-label="psi" {
                div.top {
                    img src="/assets/psi.svg" alt="";
                    a.grow href="/" { "psi" }
                    button.bare type="button" data-dialog="keys" data-key=(self.keys.of("help")) aria-label=(t("Keyboard shortcuts")) { (icon("keyboard")) }
                }
                a.btn.new href="/" data-key=(self.keys.of("new")) { (icon("plus")) (t("New conversation")) }
                div.find {
                    (icon("search"))
                    input id="find" type="search" placeholder=(t("Search")) aria-label=(t("Search the conversations")) autocomplete="off" data-key=(self.keys.of("search"));
                    span.at aria-hidden="true" { (keys::shown(self.keys.of("search"))) }
                }
                (self.chats)
                div.places {
                    @for &(place, address, sign, name) in PLACES.iter().filter(|p| !self.is_guest || !OWNERS.contains(&p.0)) {
                        a href=(address) aria-current=[(place == self.place).then_some("page")] {
                            (icon(sign)) (t(name))
                            @if place == Place::Tasks { span.badge id="task-badge" hidden { span.num { "0" } span.sr { " " (t("new")) } } }
                        }
                    }
                }
            }
            button.shade id="shade" type="button" data-toggle="side" hidden aria-label=(t("Close the side bar")) {}
        }
    }

    fn shared(&self) -> Markup {
        html! {
            div.toast id="toast" role="status" hidden {}
            div.sr id="announce" aria-live="polite" {}
            dialog id="confirm" aria-label=(t("Are you sure?")) {
                form method="dialog" {
                    p {}
                    div class="row end" {
                        button.btn value="no" { (t("Cancel")) }
                        button class="btn primary" value="yes" autofocus { (t("Yes")) }
                    }
                }
            }
            dialog id="keys" aria-labelledby="keys-title" {
                h2 id="keys-title" tabindex="-1" autofocus { (t("Keyboard")) }
                (keys::table(self.keys))
                p class="soft small" { (t("Keys can be changed in the settings:")) " " a href="/settings#keyboard" { (t("Settings")) } }
                div class="row end" { button.btn type="button" data-close { (t("Close")) } }
            }
        }
    }
}

/// What stands in the head of every page.
pub(crate) fn head(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        title { (title) " \u{b7} psi" }
        link rel="icon" href="/assets/psi.svg";
        link rel="apple-touch-icon" href="/assets/icon-192.png";
        link rel="manifest" href="/assets/app.webmanifest";
        meta name="theme-color" media="(prefers-color-scheme: light)" content="#f3f1eb";
        meta name="theme-color" media="(prefers-color-scheme: dark)" content="#121416";
        link rel="stylesheet" href=(assets::at("psi.css"));
    }
}

/// The bar over a page: what opens the side bar on a phone, the title, and what belongs to the page.
pub(crate) fn bar(title: &Markup, more: &Markup) -> Markup {
    html! {
        header.bar {
            button class="bare open-side" type="button" data-toggle="side" aria-expanded="false" aria-controls="side" aria-label=(t("Conversations and places")) { (icon("menu")) }
            div.grow { (title) }
            (more)
        }
    }
}

/// A page that is not a conversation: its title, one sentence, its content.
pub(crate) fn place(title: &str, lead: &str, more: &Markup, content: &Markup) -> Markup {
    html! {
        (bar(&html! { h1 { (title) } }, more))
        div.page tabindex="0" {
            @if !lead.is_empty() { p.lead { (lead) } }
            (content)
        }
    }
}

/// The conversations by day, `here` the one that is open, `busy` those that are being answered; `is_cut`: there are
/// more than these.
pub(crate) fn chats(
    list: &[Conversation],
    here: Option<ConversationId>,
    busy: &[ConversationId],
    is_cut: bool,
    now: &Zoned,
) -> Markup {
    let mut groups: Vec<(String, Vec<&Conversation>)> = Vec::new();
    for chat in list {
        let group = if chat.pinned {
            t("Pinned").to_owned()
        } else {
            let moment = chat.updated_at.to_jiff().to_zoned(now.time_zone().clone());
            day(moment.date(), now.date())
        };
        match groups.last_mut() {
            Some((name, chats)) if *name == group => chats.push(chat),
            _ => groups.push((group, vec![chat])),
        }
    }
    html! {
        div.chats id="chats" {
            @if list.is_empty() { p class="soft small empty" { (t("No conversations yet.")) } }
            @for (name, chats) in &groups {
                h2 { (name) }
                ul { @for chat in chats { (line(chat, here, busy)) } }
            }
            @if is_cut { p class="soft small empty" { (t("The search finds older ones.")) } }
        }
    }
}

fn line(chat: &Conversation, here: Option<ConversationId>, busy: &[ConversationId]) -> Markup {
    let is_here = here == Some(chat.id);
    let title = if chat.title.is_empty() { t("New conversation") } else { &chat.title };
    let address = format!("/api/conversations/{}", chat.id);
    let rename = serde_json::json!({ "title": chat.title }).to_string();
    html! {
        li id={ "chat-" (chat.id) } class=[is_here.then_some("here")] {
            a href={ "/c/" (chat.id) } aria-current=[is_here.then_some("page")] title=(title) { (title) }
            @if busy.contains(&chat.id) { span.busy role="img" aria-label=(t("is being answered")) {} }
            details.menu {
                summary.bare role="button" aria-label=(tf!("More about \u{201c}{title}\u{201d}", title = title)) { (icon("more")) }
                div.items {
                    button type="button" data-dialog="rename" data-target={ (address) "/rename" } data-set=(rename) { (icon("pen")) (t("Rename")) }
                    button type="button" data-post={ (address) "/pin" } data-body=(serde_json::json!({ "pinned": !chat.pinned })) {
                        (icon("pin")) @if chat.pinned { (t("Unpin")) } @else { (t("Pin")) }
                    }
                    a href={ (address) "/export.md" } download { (icon("down")) (t("Export as Markdown")) }
                    a href={ (address) "/export.json" } download { (icon("down")) (t("Export as JSON")) }
                    button.danger type="button" data-post={ (address) "/delete" } data-confirm=(tf!("Delete \u{201c}{title}\u{201d} and everything in it? Nothing of it is kept.", title = title)) { (icon("trash")) (t("Delete")) }
                }
            }
        }
    }
}

/// The buttons that end a dialog: leave it, or send its form.
pub(super) fn dialog_end(done: &Markup) -> Markup {
    html! {
        div class="row end" {
            button.btn type="button" data-close { (t("Cancel")) }
            button class="btn primary" { (done) }
        }
    }
}

/// The dialog in which a conversation is renamed.
pub(crate) fn rename_dialog() -> Markup {
    html! {
        dialog id="rename" aria-labelledby="rename-title" {
            form data-send="" {
                h2 id="rename-title" { (t("Rename")) }
                label.field { span { (t("Title")) } input type="text" name="title" maxlength="200" required; }
                (dialog_end(&html! { (t("Rename")) }))
            }
        }
    }
}

/// What a search found, in place of the list.
pub(crate) fn hits(query: &str, hits: &[Hit]) -> Markup {
    html! {
        div.chats id="chats" {
            h2 { @if hits.is_empty() { (tf!("Nothing found for \u{201c}{query}\u{201d}", query = query)) } @else { (t("Found")) } }
            ul {
                @for hit in hits {
                    li {
                        a href={ "/c/" (hit.conversation) "?m=" (hit.message) "#m" (hit.message) } {
                            @if hit.title.is_empty() { (t("New conversation")) } @else { (hit.title) }
                            small { (marked(&hit.snippet)) }
                        }
                    }
                }
            }
        }
    }
}

/// A passage with the words found marked.
pub(crate) fn marked(snippet: &str) -> Markup {
    let mut parts = snippet.split(Hit::OPEN);
    let first = parts.next().unwrap_or("");
    html! {
        (first)
        @for part in parts {
            @let (found, rest) = part.split_once(Hit::CLOSE).unwrap_or((part, ""));
            mark { (found) } (rest)
        }
    }
}

/// A day as people call it.
fn day(day: Date, today: Date) -> String {
    let ago = today.since(day).map_or(0, |span| span.get_days());
    match ago {
        ..=0 => t("Today").to_owned(),
        1 => t("Yesterday").to_owned(),
        2..=6 => i18n::weekday(day),
        7..=29 => t("This month").to_owned(),
        _ if day.year() == today.year() => i18n::month(day),
        _ => format!("{} {}", i18n::month(day), day.year()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_the_names_that_people_give_them() {
        let today = jiff::civil::date(2026, 11, 22);
        let name = |y, m, d| day(jiff::civil::date(y, m, d), today);
        assert_eq!(name(2026, 11, 22), "Today");
        assert_eq!(name(2026, 11, 21), "Yesterday");
        assert_eq!(name(2026, 11, 18), "Wednesday");
        assert_eq!(name(2026, 11, 1), "This month");
        assert_eq!(name(2026, 6, 1), "June");
        assert_eq!(name(2025, 6, 1), "June 2025");
        assert_eq!(name(2026, 11, 23), "Today");
    }

    #[test]
    fn what_was_found_is_marked_and_stays_text() {
        let snippet = format!("a {}<b>{} c", Hit::OPEN, Hit::CLOSE);
        assert_eq!(marked(&snippet).into_string(), "a <mark>&lt;b&gt;</mark> c");
    }
}

//! Settings: how psi answers and remembers, what it may do, how the page looks, whose it is.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use psi_agent::{
    Cost, Grant, GrantedFolder, Passphrase,
    settings::{Kind, SETTINGS, Setting},
    toolbox::ServerState,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Ui,
    actions::{Outcome, body},
    blocking,
    chat::theme,
    i18n::{Lang, t, tf, tn},
    icon::{icon, turning},
    keys::{KEYS, Keys},
    reply::{Failure, Reply},
    shell::{self, Place},
};

/// The setting that holds the keys that were changed, as JSON.
const KEYS_SETTING: &str = "page.keys";

/// The setting that holds the language.
const LANGUAGE_SETTING: &str = "page.language";

/// Groups of settings: the part of their names before the dot, and what the page calls them.
const GROUPS: [(&str, &str); 6] = [
    ("answer", "Answers"),
    ("memory", "Memory"),
    ("context", "Long conversations"),
    ("learning", "Learning"),
    ("tasks", "Tasks"),
    ("web", "The network"),
];

/// `GET /settings`.
pub(crate) async fn page(
    State(ui): State<Arc<Ui>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let values = ui.assistant.settings().all()?;
        let content = html! {
            (appearance(theme(&headers), &ui.assistant.settings().text(LANGUAGE_SETTING)?))
            form id="settings" data-live="/api/settings" {
                @for (group, title) in GROUPS {
                    section aria-labelledby={ "group-" (group) } {
                        h2 id={ "group-" (group) } { (t(title)) }
                        div.panel {
                            @for (setting, value) in values.iter().filter(|(s, _)| s.name.split('.').next() == Some(group)) {
                                (field(setting, value))
                            }
                        }
                    }
                }
            }
            @if !ui.is_guest { (folders(&ui.assistant.settings().folders()?)) }
            (grants(&ui.assistant.grants().list()?))
            @if !ui.is_guest { (servers(&ui.toolbox.servers()?)) }
            (keyboard(&ui.keys()))
            (data())
            (access(ui.is_guest || ui.gate.has_password()?))
        };
        let lead = t("Changes take effect at once.");
        let main = shell::place(t("Settings"), lead, &html! {}, &content);
        ui.page(&headers, (Place::Settings, t("Settings")), None, &main)
    })
    .await
}

/// The texts of the settings, all of which are translated.
#[cfg(test)]
pub(crate) fn texts() -> Vec<&'static str> {
    let group = |setting: &Setting| setting.name.split('.').next().unwrap_or_default();
    let is_shown = |setting: &&Setting| GROUPS.iter().any(|(name, _)| *name == group(setting));
    let shown = SETTINGS.iter().filter(is_shown);
    let of = |setting: &'static Setting| {
        let choices: &[&'static str] = match setting.kind {
            Kind::Choice { of } => of,
            _ => &[],
        };
        let choices = choices.iter().map(|c| &*c.replace('_', " ").leak());
        [setting.title, setting.help].into_iter().chain(choices).collect::<Vec<_>>()
    };
    GROUPS.iter().map(|(_, title)| *title).chain(shown.flat_map(of)).collect()
}

/// Which language the page speaks.
fn language(chosen: &str) -> Markup {
    html! {
        form.field data-live="/api/settings" {
            label for="set-page-language" { (t("Language")) }
            select id="set-page-language" name=(LANGUAGE_SETTING) {
                option value="auto" { (t("As the browser says")) }
                @for lang in Lang::ALL {
                    option value=(lang.code()) lang=(lang.code()) selected[chosen == lang.code()] { (lang.name()) }
                }
            }
        }
    }
}

fn appearance(theme: Option<&str>, chosen: &str) -> Markup {
    let choices = [("", t("As the system")), ("light", t("Light")), ("dark", t("Dark"))];
    html! {
        section aria-labelledby="look" {
            h2 id="look" { (t("Appearance")) }
            form.panel data-live="/api/theme" {
                div.row role="radiogroup" aria-labelledby="look" {
                    @for (value, name) in choices {
                        label.row {
                            input type="radio" name="theme" value=(value) data-theme checked[theme.unwrap_or("") == value];
                            (name)
                        }
                    }
                }
            }
            div.panel { (language(chosen)) }
        }
    }
}

/// A setting's field.
fn field(setting: &Setting, value: &Value) -> Markup {
    let id = format!("set-{}", setting.name.replace('.', "-"));
    let title = t(setting.title);
    html! {
        @match setting.kind {
            Kind::Flag { .. } => label.check {
                input type="checkbox" name=(setting.name) checked[value == &json!(true)];
                span { (title) span class="soft small" { (t(setting.help)) } }
            },
            Kind::Number { min, max, .. } => div.field {
                label for=(id) { (title) }
                p class="soft small" id={ (id) "-help" } { (t(setting.help)) }
                input id=(id) type="number" name=(setting.name) min=(min) max=(max) value=(value) aria-describedby={ (id) "-help" };
            },
            Kind::Text { .. } => div.field {
                label for=(id) { (title) }
                p class="soft small" id={ (id) "-help" } { (t(setting.help)) }
                textarea id=(id) name=(setting.name) rows="3" aria-describedby={ (id) "-help" } { (value.as_str().unwrap_or_default()) }
            },
            Kind::Choice { of } => div.field {
                label for=(id) { (title) }
                p class="soft small" id={ (id) "-help" } { (t(setting.help)) }
                select id=(id) name=(setting.name) aria-describedby={ (id) "-help" } {
                    @for choice in of { option value=(choice) selected[value == &json!(choice)] { (t(&choice.replace('_', " "))) } }
                }
            },
        }
    }
}

fn folders(folders: &[GrantedFolder]) -> Markup {
    html! {
        section aria-labelledby="folders-title" {
            h2 id="folders-title" { (t("Folders psi may read")) }
            div.panel {
                p.soft { (t("Nothing outside these folders can be read. Writing waits for your approval each time, and only where you allow it.")) }
                @if !folders.is_empty() {
                    ul.things {
                        @for (at, folder) in folders.iter().enumerate() {
                            li.row {
                                (icon("folder"))
                                code.grow { (folder.path.display()) }
                                span.chip { @if folder.write { (t("read and write")) } @else { (t("read")) } }
                                button.bare type="button" data-post="/api/folders/remove" data-body=(json!({ "index": at })) aria-label=(tf!("Take back {what}", what = folder.path.display())) { (icon("cross")) }
                            }
                        }
                    }
                }
                form.row data-send="/api/folders" {
                    label.grow { span.sr { (t("Folder")) } input type="text" name="path" placeholder=(t("The folder's whole path")) required; }
                    label.row { input type="checkbox" name="write"; (t("and write")) }
                    button.btn { (icon("plus")) (t("Grant")) }
                }
            }
        }
    }
}

fn grants(grants: &[Grant]) -> Markup {
    html! {
        section aria-labelledby="grants-title" {
            h2 id="grants-title" { (t("What you allowed")) }
            div.panel {
                @if grants.is_empty() { p.soft { (t("Nothing is allowed for longer than one call.")) } }
                ul.things {
                    @for grant in grants {
                        li.row id={ "grant-" (grant.id) } {
                            (icon("shield"))
                            span.grow { code { (grant.tool) } }
                            span.chip {
                                @if !grant.given { (t("never without asking")) }
                                @else if let Some(id) = grant.conversation { a href={ "/c/" (id) } { (t("in one chat")) } }
                                @else { (t("always")) }
                            }
                            button.bare type="button" data-post={ "/api/grants/" (grant.id) "/remove" } aria-label=(tf!("Take back {what}", what = grant.tool)) { (icon("cross")) }
                        }
                    }
                }
            }
        }
    }
}

fn keyboard(keys: &Keys) -> Markup {
    html! {
        section aria-labelledby="keyboard" {
            h2 id="keyboard" { (t("Keyboard")) }
            form.panel data-send="/api/keys" {
                p.soft { (t("Write keys like these:")) " " code { "k" } ", " code { "ctrl+k" } ", " code { "alt+shift+k" } ". " (t("An empty field goes back to the usual key.")) }
                details.fold id="all-keys" {
                    summary { (turning()) (t("All keys")) }
                table.keys {
                    thead { tr { th scope="col" { (t("What it does")) } th scope="col" { (t("Where")) } th scope="col" { (t("Key")) } } }
                    tbody {
                        @for k in KEYS {
                            tr {
                                td { (t(k.does)) }
                                td { (t(k.place)) }
                                td { input type="text" name=(k.name) value=(keys.of(k.name)) placeholder=(k.key) maxlength="24" aria-label=(tf!("Key for: {what}", what = t(k.does))); }
                            }
                        }
                    }
                }
                div class="row end" { button class="btn primary" { (t("Keep")) } }
                }
            }
        }
    }
}

/// Servers of other programs, each with its whole command, as `psi mcp` keeps them.
fn servers(servers: &[ServerState]) -> Markup {
    html! {
        section aria-labelledby="servers-title" {
            h2 id="servers-title" { (t("Tools of other programs (MCP)")) }
            div.panel {
                @if servers.is_empty() { p.soft { code { "psi mcp add NAME -- PROGRAM" } " " (t("adds a server;")) " " code { "psi mcp" } " " (t("offers psi's own tools and memory to other programs.")) } }
                ul.things {
                    @for server in servers {
                        li {
                            div.row {
                                (icon("wrench"))
                                b.grow { (server.name) }
                                @match (&server.error, server.enabled) {
                                    (Some(_), _) => span class="chip bad" { (t("not connected")) },
                                    (None, false) => span.chip { (t("off")) },
                                    (None, true) => span.chip { (tn!("{n} tool|{n} tools", server.tools.len())) },
                                }
                            }
                            p { code { (server.runs) } }
                            @if let Some(error) = &server.error { p class="bad small" { (error) } }
                        }
                    }
                }
            }
        }
    }
}

fn data() -> Markup {
    html! {
        section aria-labelledby="data-title" {
            h2 id="data-title" { (t("Your data")) }
            div.panel {
                p { (t("Everything is in one file on this machine, readable by you only. No connection leaves it unless you download a model or allow a tool to use the network.")) }
                p.soft { (t("Imported are psi's own exports, and those of ChatGPT (conversations.json), Claude and Open WebUI.")) }
                div.row {
                    a.btn href="/api/export" download { (icon("down")) (t("Export everything")) }
                    button.btn type="button" data-pick="import" { (icon("plus")) (t("Import conversations")) }
                    input id="import" type="file" accept="application/json,.json" data-upload="/api/import" hidden;
                }
            }
        }
    }
}

fn access(has_password: bool) -> Markup {
    html! {
        section aria-labelledby="access-title" {
            h2 id="access-title" { (t("Password")) }
            form.panel data-send="/api/password" {
                p.soft { (t("psi answers on this machine only, unless it is started with --host; then it asks for this password.")) }
                div.row {
                    label.grow { span.sr { (t("New password")) } input type="password" name="password" autocomplete="new-password" minlength="8" placeholder=(if has_password { t("A new password") } else { t("No password is set") }); }
                    button.btn { (t("Set")) }
                    @if has_password { button class="btn danger" type="button" data-post="/api/password" data-body=(json!({ "password": null })) data-confirm=(t("Remove the password? Then psi only answers on this machine.")) { (t("Remove")) } }
                    @if has_password { button.btn type="button" data-post="/api/sign-out" { (t("Sign out")) } }
                }
            }
        }
    }
}

/// `POST /api/settings`: those that are given.
pub(crate) async fn set(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let given: Map<String, Value> = body(&bytes)?;
        let settings = ui.assistant.settings();
        for (name, value) in &given {
            if settings.get(name)? != *value {
                settings.set(name, value)?;
            }
        }
        if !given.contains_key(LANGUAGE_SETTING) {
            return Ok(Reply::done());
        }
        ui.set_language(stored_language(settings));
        Ok(Reply::done().refresh())
    })
    .await
}

/// `GET /api/settings`.
pub(crate) async fn list(State(ui): State<Arc<Ui>>) -> Outcome {
    blocking(&ui, move |ui| {
        let mut reply = Reply::done();
        for setting in SETTINGS {
            reply = reply.with(setting.name, ui.assistant.settings().get(setting.name)?);
        }
        Ok(reply)
    })
    .await
}

/// The theme of this browser.
#[derive(Deserialize)]
struct Theme {
    theme: String,
}

/// `POST /api/theme`: kept by the browser, which knows it before the first page is drawn.
pub(crate) async fn set_theme(bytes: Bytes) -> Result<Response, Failure> {
    let Theme { theme } = body(&bytes)?;
    let (value, age) = match theme.as_str() {
        "light" | "dark" => (theme.as_str(), 315_360_000),
        _ => ("", 0),
    };
    let cookie = format!("psi_theme={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}");
    Ok(([(header::SET_COOKIE, cookie)], Reply::done()).into_response())
}

/// A folder to grant.
#[derive(Deserialize)]
struct Folder {
    path: String,
    #[serde(default)]
    write: bool,
}

/// `POST /api/folders`.
pub(crate) async fn add_folder(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let folder: Folder = body(&bytes)?;
        let path = PathBuf::from(folder.path.trim());
        let settings = ui.assistant.settings();
        let mut folders = settings.folders()?;
        folders.retain(|f| f.path != path);
        folders.push(GrantedFolder { path, write: folder.write });
        settings.set_folders(&folders)?;
        Ok(Reply::done().refresh())
    })
    .await
}

/// Which of the folders.
#[derive(Deserialize)]
struct Which {
    index: usize,
}

/// `POST /api/folders/remove`.
pub(crate) async fn remove_folder(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Which { index } = body(&bytes)?;
        let settings = ui.assistant.settings();
        let mut folders = settings.folders()?;
        if index >= folders.len() {
            return Err(Failure::gone(t("this folder is not granted any more")));
        }
        folders.remove(index);
        settings.set_folders(&folders)?;
        Ok(Reply::done().refresh())
    })
    .await
}

/// `POST /api/grants/{id}/remove`.
pub(crate) async fn remove_grant(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        ui.assistant.grants().remove(id)?;
        Ok(Reply::done().remove(format!("grant-{id}")))
    })
    .await
}

/// A password, or none.
#[derive(Deserialize)]
struct Password {
    password: Option<String>,
}

/// `POST /api/password`.
pub(crate) async fn set_password(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Password { password } = body(&bytes)?;
        if ui.is_guest {
            return change_passphrase(ui, &password.unwrap_or_default());
        }
        ui.gate.set_password(password.as_deref().filter(|p| !p.is_empty()))?;
        Ok(Reply::done().refresh())
    })
    .await
}

/// Another password of a user, which is the passphrase of the user's database. Every session ends.
fn change_passphrase(ui: &Ui, password: &str) -> Outcome {
    let vault = ui.assistant.db().vault().ok_or_else(Failure::broken)?;
    let changed = vault.change_passphrase(&Passphrase::new(password), Cost::USUAL);
    changed.map_err(|e| Failure::bad(e.to_string()))?;
    ui.gate.end_sessions()?;
    Ok(Reply::done().go("/login"))
}

/// `POST /api/keys`.
pub(crate) async fn set_keys(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let given: BTreeMap<String, String> = body(&bytes)?;
        let mut changed = BTreeMap::new();
        for key in KEYS {
            let Some(text) = given.get(key.name) else { continue };
            let text = text.trim().to_lowercase();
            if text.is_empty() || text == key.key {
                continue;
            }
            if text.len() > 24 || text.contains(char::is_whitespace) {
                return Err(Failure::bad(tf!("\u{201c}{text}\u{201d} is no key", text = text)));
            }
            changed.insert(key.name.to_owned(), text);
        }
        let text = serde_json::to_string(&changed).unwrap_or_default();
        ui.assistant.settings().set(KEYS_SETTING, &json!(text))?;
        ui.set_keys(Keys(changed));
        Ok(Reply::done().refresh())
    })
    .await
}

/// The language as the database knows it.
pub(crate) fn stored_language(settings: &psi_agent::Settings) -> Option<Lang> {
    Lang::of_code(&settings.text(LANGUAGE_SETTING).unwrap_or_default())
}

/// The keys as the database knows them.
pub(crate) fn stored_keys(settings: &psi_agent::Settings) -> Keys {
    let text = settings.text(KEYS_SETTING).unwrap_or_default();
    // What cannot be read is as good as nothing: the usual keys work.
    Keys(serde_json::from_str(&text).unwrap_or_default())
}

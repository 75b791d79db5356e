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
    Grant, GrantedFolder,
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
    icon::{icon, turning},
    keys::{KEYS, Keys},
    reply::{Failure, Reply},
    shell::{self, Place},
};

/// The setting that holds the keys that were changed, as JSON.
const KEYS_SETTING: &str = "page.keys";

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
            (appearance(theme(&headers)))
            form id="settings" data-live="/api/settings" {
                @for (group, title) in GROUPS {
                    section aria-labelledby={ "group-" (group) } {
                        h2 id={ "group-" (group) } { (title) }
                        div.panel {
                            @for (setting, value) in values.iter().filter(|(s, _)| s.name.split('.').next() == Some(group)) {
                                (field(setting, value))
                            }
                        }
                    }
                }
            }
            (folders(&ui.assistant.settings().folders()?))
            (grants(&ui.assistant.grants().list()?))
            (servers(&ui.toolbox.servers()?))
            (keyboard(&ui.keys()))
            (data())
            (access(ui.gate.has_password()?))
        };
        let lead = "Changes take effect at once.";
        let main = shell::place("Settings", lead, &html! {}, &content);
        ui.page(&headers, (Place::Settings, "Settings"), None, &main)
    })
    .await
}

fn appearance(theme: Option<&str>) -> Markup {
    let choices = [("", "As the system"), ("light", "Light"), ("dark", "Dark")];
    html! {
        section aria-labelledby="look" {
            h2 id="look" { "Appearance" }
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
        }
    }
}

/// A setting's field.
fn field(setting: &Setting, value: &Value) -> Markup {
    let id = format!("set-{}", setting.name.replace('.', "-"));
    let title = setting.title;
    html! {
        @match setting.kind {
            Kind::Flag { .. } => label.check {
                input type="checkbox" name=(setting.name) checked[value == &json!(true)];
                span { (title) span class="soft small" { (setting.help) } }
            },
            Kind::Number { min, max, .. } => div.field {
                label for=(id) { (title) }
                p class="soft small" id={ (id) "-help" } { (setting.help) }
                input id=(id) type="number" name=(setting.name) min=(min) max=(max) value=(value) aria-describedby={ (id) "-help" };
            },
            Kind::Text { .. } => div.field {
                label for=(id) { (title) }
                p class="soft small" id={ (id) "-help" } { (setting.help) }
                textarea id=(id) name=(setting.name) rows="3" aria-describedby={ (id) "-help" } { (value.as_str().unwrap_or_default()) }
            },
            Kind::Choice { of } => div.field {
                label for=(id) { (title) }
                p class="soft small" id={ (id) "-help" } { (setting.help) }
                select id=(id) name=(setting.name) aria-describedby={ (id) "-help" } {
                    @for choice in of { option value=(choice) selected[value == &json!(choice)] { (choice.replace('_', " ")) } }
                }
            },
        }
    }
}

fn folders(folders: &[GrantedFolder]) -> Markup {
    html! {
        section aria-labelledby="folders-title" {
            h2 id="folders-title" { "Folders psi may read" }
            div.panel {
                p.soft { "Nothing outside these folders can be read. Writing waits for your approval each time, and only where you allow it." }
                @if !folders.is_empty() {
                    ul.things {
                        @for (at, folder) in folders.iter().enumerate() {
                            li.row {
                                (icon("folder"))
                                code.grow { (folder.path.display()) }
                                span.chip { @if folder.write { "read and write" } @else { "read" } }
                                button.bare type="button" data-post="/api/folders/remove" data-body=(json!({ "index": at })) aria-label={ "Take back " (folder.path.display()) } { (icon("cross")) }
                            }
                        }
                    }
                }
                form.row data-send="/api/folders" {
                    label.grow { span.sr { "Folder" } input type="text" name="path" placeholder="The folder's whole path" required; }
                    label.row { input type="checkbox" name="write"; "and write" }
                    button.btn { (icon("plus")) "Grant" }
                }
            }
        }
    }
}

fn grants(grants: &[Grant]) -> Markup {
    html! {
        section aria-labelledby="grants-title" {
            h2 id="grants-title" { "What you allowed" }
            div.panel {
                @if grants.is_empty() { p.soft { "Nothing is allowed for longer than one call." } }
                ul.things {
                    @for grant in grants {
                        li.row id={ "grant-" (grant.id) } {
                            (icon("shield"))
                            span.grow { code { (grant.tool) } }
                            span.chip {
                                @if !grant.given { "never without asking" }
                                @else if let Some(id) = grant.conversation { a href={ "/c/" (id) } { "in one chat" } }
                                @else { "always" }
                            }
                            button.bare type="button" data-post={ "/api/grants/" (grant.id) "/remove" } aria-label={ "Take back " (grant.tool) } { (icon("cross")) }
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
            h2 id="keyboard" { "Keyboard" }
            form.panel data-send="/api/keys" {
                p.soft { "Write a key as " code { "k" } ", " code { "ctrl+k" } " or " code { "alt+shift+k" } ". An empty field goes back to the usual key." }
                details.fold id="all-keys" {
                    summary { (turning()) "All keys" }
                table.keys {
                    thead { tr { th scope="col" { "What it does" } th scope="col" { "Where" } th scope="col" { "Key" } } }
                    tbody {
                        @for k in KEYS {
                            tr {
                                td { (k.does) }
                                td { (k.place) }
                                td { input type="text" name=(k.name) value=(keys.of(k.name)) placeholder=(k.key) maxlength="24" aria-label={ "Key for: " (k.does) }; }
                            }
                        }
                    }
                }
                div class="row end" { button class="btn primary" { "Keep" } }
                }
            }
        }
    }
}

/// Servers of other programs, each with its whole command, as `psi mcp` keeps them.
fn servers(servers: &[ServerState]) -> Markup {
    html! {
        section aria-labelledby="servers-title" {
            h2 id="servers-title" { "Tools of other programs (MCP)" }
            div.panel {
                @if servers.is_empty() { p.soft { "None. " code { "psi mcp add NAME -- PROGRAM" } " adds a server; " code { "psi mcp" } " offers psi's own tools and memory to other programs." } }
                ul.things {
                    @for server in servers {
                        li {
                            div.row {
                                (icon("wrench"))
                                b.grow { (server.name) }
                                @match (&server.error, server.enabled) {
                                    (Some(_), _) => span class="chip bad" { "not connected" },
                                    (None, false) => span.chip { "off" },
                                    (None, true) => span.chip { (server.tools.len()) " tools" },
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
            h2 id="data-title" { "Your data" }
            div.panel {
                p { "Everything is in one file on this machine, readable by you only. No connection leaves it unless you download a model or allow a tool to use the network." }
                p.soft { "Imported are psi's own exports, and those of ChatGPT (conversations.json), Claude and Open WebUI." }
                div.row {
                    a.btn href="/api/export" download { (icon("down")) "Export everything" }
                    button.btn type="button" data-pick="import" { (icon("plus")) "Import conversations" }
                    input id="import" type="file" accept="application/json,.json" data-upload="/api/import" hidden;
                }
            }
        }
    }
}

fn access(has_password: bool) -> Markup {
    html! {
        section aria-labelledby="access-title" {
            h2 id="access-title" { "Password" }
            form.panel data-send="/api/password" {
                p.soft { "psi answers on this machine only, unless it is started with " code { "--host" } "; then it asks for this password." }
                div.row {
                    label.grow { span.sr { "New password" } input type="password" name="password" autocomplete="new-password" minlength="8" placeholder=(if has_password { "A new password" } else { "No password is set" }); }
                    button.btn { "Set" }
                    @if has_password { button class="btn danger" type="button" data-post="/api/password" data-body=(json!({ "password": null })) data-confirm="Remove the password? Then psi only answers on this machine." { "Remove" } }
                    @if has_password { button.btn type="button" data-post="/api/sign-out" { "Sign out" } }
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
        Ok(Reply::done())
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
            return Err(Failure::gone("this folder is not granted any more"));
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
        ui.gate.set_password(password.as_deref().filter(|p| !p.is_empty()))?;
        Ok(Reply::done().refresh())
    })
    .await
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
                return Err(Failure::bad(format!("\u{201c}{text}\u{201d} is no key")));
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

/// The keys as the database knows them.
pub(crate) fn stored_keys(settings: &psi_agent::Settings) -> Keys {
    let text = settings.text(KEYS_SETTING).unwrap_or_default();
    // What cannot be read is as good as nothing: the usual keys work.
    Keys(serde_json::from_str(&text).unwrap_or_default())
}

//! What may be typed after `/` in the message field: the list that opens, and what a command or a prompt does.

use std::{collections::BTreeMap, sync::Arc};

use axum::{body::Bytes, extract::State};
use maud::{Markup, html};
use psi_agent::{
    ConversationId, SavedPrompt, TitleOrigin,
    commands::{self, COMMANDS, Command},
    memory::{NewFact, Origin},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Ui,
    actions::{Outcome, body},
    blocking,
    i18n::{t, tf},
    live::Part,
    reply::{Failure, Reply},
    shell,
};

/// The list that opens over the field, all of it hidden until the script knows what was typed, and the dialogs that
/// belong to it.
pub(crate) fn list(prompts: &[SavedPrompt]) -> Markup {
    html! {
        div.slash id="slash" role="listbox" aria-label=(t("Commands and prompts")) hidden {
            @for command in on_page() { (option(command.name, t(command.argument), t(command.help))) }
            @for prompt in prompts { (option(&prompt.name, "", &gist(&prompt.text))) }
        }
    }
}

/// What the commands of the page say of themselves.
#[cfg(test)]
pub(crate) fn texts() -> impl Iterator<Item = &'static str> {
    on_page().flat_map(|c| [c.argument, c.help]).filter(|text| !text.is_empty())
}

fn on_page() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().filter(|c| c.on_page)
}

/// `data-wants`: the command waits for what comes after it.
fn option(name: &str, argument: &str, help: &str) -> Markup {
    let wants = !argument.is_empty();
    html! {
        div role="option" id={ "slash-" (name) } data-name=(name) data-wants[wants] aria-selected="false" {
            span.name { "/" (name) @if wants { " " span.soft { (argument) } } }
            span class="gist soft" { (help) }
        }
    }
}

/// The first line of a text.
fn gist(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    match line.char_indices().nth(90) {
        Some((at, _)) => format!("{}\u{2026}", &line[..at]),
        None => line.to_owned(),
    }
}

/// The dialogs that commands open.
pub(crate) fn dialogs(prompts: &[SavedPrompt]) -> Markup {
    html! {
        dialog id="commands" aria-labelledby="commands-title" {
            h2 id="commands-title" tabindex="-1" autofocus { (t("Commands")) }
            table.keys {
                thead { tr { th scope="col" { (t("Type")) } th scope="col" { (t("What it does")) } } }
                tbody {
                    @for command in on_page() { tr { td { code { "/" (command.name) " " (t(command.argument)) } } td { (t(command.help)) } } }
                    @for prompt in prompts { tr { td { code { "/" (prompt.name) } } td { (gist(&prompt.text)) } } }
                }
            }
            p class="soft small" { (t("Your own are made here:")) " " a href="/prompts" { (t("Prompts")) } }
            div class="row end" { button.btn type="button" data-close { (t("Close")) } }
        }
        dialog id="fill" aria-labelledby="fill-title" {}
    }
}

/// The dialog that asks for a prompt's placeholders.
fn asking(prompt: &SavedPrompt, rest: &str, missing: &[String]) -> Markup {
    html! {
        dialog id="fill" aria-labelledby="fill-title" {
            form data-send="/api/command" {
                h2 id="fill-title" { "/" (prompt.name) }
                input type="hidden" name="line" value={ "/" (prompt.name) " " (rest) };
                @for name in missing {
                    label.field { span { (name) } textarea name={ "value-" (name) } rows="2" required {} }
                }
                (shell::dialog_end(&html! { (t("Insert")) }))
            }
        }
    }
}

/// A line that begins with a slash, where it was typed, and values for a prompt's placeholders.
#[derive(Deserialize)]
struct Typed {
    line: String,
    conversation: Option<i64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// `POST /api/command`.
pub(crate) async fn command(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let Typed { line, conversation, rest } = body(&bytes)?;
        let (name, argument) = commands::parse(&line).ok_or_else(|| {
            Failure::bad(tf!("\u{201c}{line}\u{201d} is no command", line = line))
        })?;
        let command = commands::find(name);
        if command.is_some_and(|c| c.on_page) {
            return obey(ui, name, argument, conversation.map(ConversationId));
        }
        if command.is_some() {
            return Err(Failure::bad(tf!(
                "/{name} is a command of psi chat, in the terminal",
                name = name
            )));
        }
        let prompt = ui.prompts.named(name)?;
        let unknown =
            || Failure::bad(tf!("there is no /{name}; /help lists what there is", name = name));
        insert(&prompt.ok_or_else(unknown)?, argument, &rest)
    })
    .await
}

/// The prompt's text for the field, or the dialog that asks for what it lacks.
fn insert(prompt: &SavedPrompt, rest: &str, form: &Map<String, Value>) -> Outcome {
    let value = |(key, value): (&String, &Value)| {
        Some((key.strip_prefix("value-")?.to_owned(), value.as_str()?.to_owned()))
    };
    let given: BTreeMap<String, String> = form.iter().filter_map(value).collect();
    Ok(match prompt.filled(rest, |name| given.get(name).cloned()) {
        Ok(text) => Reply::done().insert(text),
        Err(missing) => {
            let dialog = asking(prompt, rest, &missing);
            Reply::done().with("missing", &missing).part(Part::new("fill", dialog)).open("fill")
        }
    })
}

fn obey(ui: &Ui, name: &str, argument: &str, here: Option<ConversationId>) -> Outcome {
    let needs_more = || match argument {
        "" => Err(Failure::bad(tf!("/{name} needs something behind it", name = name))),
        _ => Ok(()),
    };
    let here = || here.ok_or_else(|| Failure::bad(t("there is no conversation yet")));
    match name {
        "help" => Ok(Reply::done().open("commands")),
        "memory" => Ok(Reply::done().go(format!("/memory?q={}", encode(argument)))),
        "new" => Ok(Reply::done().go("/")),
        "prompts" => Ok(Reply::done().go("/prompts")),
        "remember" => {
            needs_more()?;
            remember(ui, argument)
        }
        "retry" => {
            let leaf = ui.assistant.conversations().get(here()?)?.leaf;
            let leaf = leaf.ok_or_else(|| Failure::bad(t("nothing was said yet")))?;
            let run = ui.assistant.retry(leaf, None)?;
            ui.rooms.of(run.conversation()).follow(&run);
            Ok(Reply::done())
        }
        "search" => {
            needs_more()?;
            Ok(Reply::done().find(argument))
        }
        "title" => {
            needs_more()?;
            let title: String = argument.chars().take(200).collect();
            ui.assistant.conversations().rename(here()?, &title, TitleOrigin::User)?;
            ui.rooms.of(here()?).touch();
            Ok(Reply::done().chats())
        }
        _ => Err(Failure::broken()),
    }
}

fn remember(ui: &Ui, text: &str) -> Outcome {
    let now = ui.assistant.db().now();
    let kept = ui.assistant.memory().keep(&NewFact::new(text, Origin::User, now))?;
    Ok(match kept {
        Some(fact) => {
            let said = tf!("Remembered: {fact}", fact = fact.text);
            Reply::done().with("fact", fact).toast(said)
        }
        None => Reply::done().toast(t("psi knew that already.")),
    })
}

/// A text as part of an address.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(byte.into()),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_of_prompts_stay_text() {
        let prompt = SavedPrompt {
            id: 1,
            name: "x".to_owned(),
            text: "<img src=x onerror=alert(1)> {{<b>}} {{a}}".to_owned(),
            placeholders: vec!["a".to_owned()],
            created_at: psi_agent::Timestamp(0),
            updated_at: psi_agent::Timestamp(0),
        };
        let all = std::slice::from_ref(&prompt);
        let html = format!(
            "{}{}{}",
            list(all).into_string(),
            dialogs(all).into_string(),
            asking(&prompt, "\"><script>", &["a".to_owned()]).into_string()
        );
        assert!(!html.contains("<img") && !html.contains("<script"), "{html}");
    }

    #[test]
    fn every_command_of_the_page_is_offered_and_an_address_is_one() {
        let html = list(&[]).into_string();
        assert!(on_page().all(|c| html.contains(&format!("slash-{}\"", c.name))), "{html}");
        assert!(!html.contains("slash-quit"));
        assert_eq!(encode("ä b&c"), "%C3%A4%20b%26c");
    }
}

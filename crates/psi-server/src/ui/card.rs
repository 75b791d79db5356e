//! A tool call as a card: what is called with what, whether it may, what came of it and how long it took.

use maud::{Markup, html};
use psi_agent::{
    Effect, Message, ToolCall,
    agent::{Approval, Reason},
};
use serde_json::Value;

use super::{
    i18n::{decimal, t, tf},
    icon::{icon, turning},
    keys::Keys,
};

/// How a call stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stand {
    /// It runs, or will.
    Running,
    /// It waits for the user.
    Asking(Box<Approval>),
    /// It has run, or was refused: the tool's message.
    Done(Box<Message>),
    /// The answer ended before it could run.
    Never,
}

/// The card of a call.
pub(crate) fn card(conversation: i64, call: &ToolCall, stand: &Stand, keys: &Keys) -> Markup {
    let id = format!("call-{}", call.id);
    match stand {
        Stand::Asking(approval) => asking(conversation, &id, approval, keys),
        Stand::Running => html! {
            div.card id=(id) { div.head { (sign(&call.name)) (name(call)) span.gist { (gist(&call.arguments)) } span.state { span.spin {} (t("running")) } } }
        },
        Stand::Never => html! {
            div.card id=(id) { div.head { (sign(&call.name)) (name(call)) span.gist { (gist(&call.arguments)) } span.state { (t("not run")) } } }
        },
        Stand::Done(message) => done(&id, call, message),
    }
}

fn done(id: &str, call: &ToolCall, message: &Message) -> Markup {
    let run = message.details.run.as_ref();
    let ok = run.is_none_or(|r| r.ok);
    let denied = run.is_some_and(|r| r.approval == "denied");
    html! {
        details.card id=(id) {
            summary {
                (turning()) (sign(&call.name)) (name(call))
                span.gist { (gist(&call.arguments)) @if ok { " \u{2192} " (first_line(&message.content)) } }
                span class={ "state" @if !ok { " failed" } } {
                    @if denied { (icon("cross")) (t("denied")) }
                    @else if ok { (icon("check")) @if let Some(run) = run { (duration(run.duration_ms)) } }
                    @else { (icon("alert")) (t("failed")) }
                }
            }
            div.body {
                h3 { (t("Arguments")) }
                pre tabindex="0" { (pretty(&call.arguments)) }
                h3 { (t("Result")) }
                pre tabindex="0" { (message.content) }
                @if let Some(run) = run {
                    p class="soft small" {
                        (allowed(&run.approval)) ". " (effect(run.effect)) "."
                        @if run.untrusted { " " (t("This is text of others: with it in the conversation, psi asks before every call that has an effect.")) }
                    }
                }
            }
        }
    }
}

fn asking(conversation: i64, id: &str, approval: &Approval, keys: &Keys) -> Markup {
    let call = &approval.call;
    let arguments = pretty(&call.arguments);
    let rows = arguments.lines().count().clamp(2, 16);
    let label = format!("{id}-arguments");
    html! {
        section class="card asking" id=(id) aria-label=(tf!("psi asks to use {tool}", tool = call.name)) {
            div.head { (icon("shield")) (name(call)) span.gist { (effect(approval.effect)) } span.state { (t("waits for you")) } }
            form.body data-send={ "/api/conversations/" (conversation) "/decide" } {
                input type="hidden" name="call" value=(call.id);
                @if approval.reason == Reason::UntrustedText {
                    p { (t("Text of others stands in this conversation and may have asked for this, so earlier permissions do not count here.")) }
                }
                @if approval.reason == Reason::Unattended {
                    p { "A task asked for this while nobody was here, so earlier permissions do not count." }
                }
                @if let Some(what) = hidden(&arguments) {
                    p.bad { (tf!("The arguments hold {what}.", what = what)) }
                }
                label.small for=(label) { (t("Arguments")) span.soft { " " (t("(you may change them before you allow it)")) } }
                textarea id=(label) name="arguments" rows=(rows) spellcheck="false" { (arguments) }
                div.row {
                    button class="btn primary small" name="decision" value="once" data-key=(keys.of("approve")) { (t("Allow once")) }
                    button class="btn small" name="decision" value="chat" { (t("Allow in this chat")) }
                    button class="btn small" name="decision" value="always" { (t("Always allow")) }
                    span.grow {}
                    button class="btn danger small" name="decision" value="deny" data-key=(keys.of("deny")) { (t("Deny")) }
                }
            }
        }
    }
}

fn name(call: &ToolCall) -> Markup {
    html! { span.name { (call.name) } }
}

fn sign(tool: &str) -> Markup {
    let known = [
        ("calc", "calc"),
        ("convert", "calc"),
        ("date", "clock"),
        ("time", "clock"),
        ("day", "clock"),
        ("remember", "memory"),
        ("recall", "memory"),
        ("forget", "memory"),
        ("web", "globe"),
        ("fetch", "globe"),
        ("read", "file"),
        ("write", "file"),
        ("file", "file"),
        ("search", "search"),
        ("note", "book"),
        ("remind", "clock"),
        ("schedule", "clock"),
        ("task", "clock"),
    ];
    icon(known.iter().find(|(part, _)| tool.contains(part)).map_or("wrench", |(_, sign)| sign))
}

/// What a call does to the world, in words.
pub(crate) fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::None => t("Has no effect"),
        Effect::Reads => t("Reads what you granted"),
        Effect::Writes => t("Changes something that lasts"),
        Effect::Runs => t("Runs code"),
        Effect::Network => t("Uses the network"),
    }
}

fn allowed(approval: &str) -> &'static str {
    match approval {
        "once" => t("You allowed it once"),
        "chat" => t("You allowed it in this chat"),
        "always" => t("You always allow it"),
        "default" => t("Allowed by default"),
        "denied" => t("You denied it"),
        "refused" => t("It could not be run"),
        _ => t("It needed no permission"),
    }
}

/// The arguments on one line.
fn gist(arguments: &Value) -> String {
    let Some(object) = arguments.as_object() else { return arguments.to_string() };
    let value = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let text = match object.len() {
        1 => object.values().map(value).collect::<String>(),
        _ => {
            object.iter().map(|(k, v)| format!("{k}: {}", value(v))).collect::<Vec<_>>().join(", ")
        }
    };
    first_line(&text)
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    match line.char_indices().nth(160) {
        Some((at, _)) => format!("{}\u{2026}", &line[..at]),
        None => line.to_owned(),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A duration as people say it.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{} s", decimal(ms as f64 / 1000.0, 1)),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// What in a text a reader cannot see: characters without a shape, and those that turn the order of others around.
fn hidden(text: &str) -> Option<&'static str> {
    let is = |ranges: &[(u32, u32)]| {
        text.chars().any(|c| ranges.iter().any(|(from, to)| (*from..=*to).contains(&u32::from(c))))
    };
    if is(&[(0x202a, 0x202e), (0x2066, 0x2069), (0x200e, 0x200f)]) {
        Some(t("characters that change the order in which text is shown"))
    } else if is(&[(0x200b, 0x200d), (0x2060, 0x2064), (0xfeff, 0xfeff), (0xe0000, 0xe007f)]) {
        Some(t("invisible characters"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(arguments: Value) -> ToolCall {
        ToolCall { id: "c1".to_owned(), name: "write_file".to_owned(), arguments }
    }

    #[test]
    fn a_waiting_call_shows_its_real_arguments_whole() {
        let long = format!("{}<end>", "x".repeat(5000));
        let call = call(json!({ "path": "a\u{202e}txt", "text": long }));
        let approval =
            Approval { call: call.clone(), effect: Effect::Writes, reason: Reason::NoGrant };
        let html =
            card(1, &call, &Stand::Asking(Box::new(approval)), &Keys::default()).into_string();
        assert!(html.contains(&"x".repeat(5000)) && html.contains("&lt;end&gt;"));
        assert!(html.contains("change the order in which text is shown"));
        assert!(html.contains("Allow once") && html.contains("Deny"));
    }

    #[test]
    fn names_and_arguments_stay_text() {
        let mut call = call(json!({ "a": "<img src=x onerror=alert(1)>" }));
        call.name = "<script>".to_owned();
        let html = card(1, &call, &Stand::Running, &Keys::default()).into_string();
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    }

    #[test]
    fn durations_read_like_speech() {
        assert_eq!([7, 1500, 61_000].map(duration), ["7 ms", "1.5 s", "1 min 1 s"]);
    }
}

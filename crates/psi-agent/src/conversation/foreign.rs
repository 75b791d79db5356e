//! Conversations that other assistants have exported: ChatGPT's `conversations.json`, Claude's, Open WebUI's.
//!
//! Each is a list. ChatGPT and Open WebUI keep a tree of messages by name, Claude a plain list; what is not a user's or an
//! assistant's text (instructions, empty nodes) falls out of the tree, and its children hang on what stood before it.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::{
    Details, MessageState, Role,
    exchange::{Exported, ExportedMessage, fenced},
};
use crate::{
    error::{AgentError, Result},
    time::Timestamp,
};

/// A message of another assistant, before it has a number.
struct Node<'a> {
    parent: Option<&'a str>,
    role: Option<Role>,
    content: String,
    reasoning: String,
    model: Option<String>,
    at: Option<Timestamp>,
}

/// The conversations of a list that another assistant has exported.
pub(super) fn read(list: &[Value]) -> Result<Vec<Exported>> {
    let mut conversations = Vec::with_capacity(list.len());
    for (i, one) in list.iter().enumerate() {
        let read = if one["mapping"].is_object() {
            chatgpt(one)
        } else if one["chat_messages"].is_array() {
            claude(one)
        } else if one["chat"]["history"]["messages"].is_object() {
            open_webui(one)
        } else {
            let why = format!(
                "item {} is no conversation that psi knows: it reads its own exports and those of ChatGPT, Claude and Open WebUI",
                i + 1
            );
            return Err(AgentError::invalid("import", why));
        };
        // One in which nothing was said is no loss.
        conversations.extend(Some(read).filter(|c| !c.messages.is_empty()));
    }
    Ok(conversations)
}

fn chatgpt(one: &Value) -> Exported {
    let created_at = seconds(&one["create_time"]).unwrap_or(Timestamp(0));
    let nodes = one["mapping"].as_object().into_iter().flatten().map(|(name, node)| {
        let message = &node["message"];
        let role = match message["author"]["role"].as_str() {
            Some("user") => Some(Role::User),
            Some("assistant" | "tool") => Some(Role::Assistant),
            _ => None,
        };
        let (mut content, reasoning) = parts(&message["content"]);
        if message["author"]["role"] == "tool" && !content.is_empty() {
            let tool = text(&message["author"]["name"]);
            content = format!("{tool}\n{}", fenced(&content));
        }
        let is_hidden = message["metadata"]["is_visually_hidden_from_conversation"] == true;
        let node = Node {
            parent: node["parent"].as_str(),
            role: role.filter(|_| !is_hidden),
            content,
            reasoning,
            model: message["metadata"]["model_slug"].as_str().map(str::to_owned),
            at: seconds(&message["create_time"]),
        };
        (name.as_str(), node)
    });
    tree(text(&one["title"]), created_at, &nodes.collect(), one["current_node"].as_str())
}

/// What a message of ChatGPT says, and what it thought.
fn parts(content: &Value) -> (String, String) {
    let part = |part: &Value| match part {
        Value::String(text) => text.clone(),
        other => format!("({}: not in the export)", text(&other["content_type"])),
    };
    let list = |value: &Value| -> Vec<Value> { value.as_array().cloned().unwrap_or_default() };
    match content["content_type"].as_str() {
        Some("thoughts") => {
            let thoughts = list(&content["thoughts"]);
            let thoughts: Vec<String> = thoughts.iter().map(|t| text(&t["content"])).collect();
            (String::new(), thoughts.join("\n\n"))
        }
        Some("code") => (fenced(&text(&content["text"])), String::new()),
        _ if content["parts"].is_array() => {
            let parts: Vec<String> = list(&content["parts"]).iter().map(part).collect();
            (parts.join("\n").trim().to_owned(), String::new())
        }
        _ => (text(&content["text"]), String::new()),
    }
}

fn claude(one: &Value) -> Exported {
    let created_at = date(&one["created_at"]).unwrap_or(Timestamp(0));
    let list = one["chat_messages"].as_array().into_iter().flatten();
    let names: Vec<String> = (0..list.clone().count()).map(|i| i.to_string()).collect();
    let nodes = list.enumerate().map(|(i, message)| {
        let role = match message["sender"].as_str() {
            Some("human") => Some(Role::User),
            Some("assistant") => Some(Role::Assistant),
            _ => None,
        };
        let node = Node {
            parent: i.checked_sub(1).map(|before| names[before].as_str()),
            role,
            content: text(&message["text"]),
            reasoning: String::new(),
            model: None,
            at: date(&message["created_at"]),
        };
        (names[i].as_str(), node)
    });
    let last = names.last().map(String::as_str);
    tree(text(&one["name"]), created_at, &nodes.collect(), last)
}

fn open_webui(one: &Value) -> Exported {
    let created_at = seconds(&one["created_at"]).unwrap_or(Timestamp(0));
    let history = &one["chat"]["history"];
    let nodes = history["messages"].as_object().into_iter().flatten().map(|(name, message)| {
        let role = match message["role"].as_str() {
            Some("user") => Some(Role::User),
            Some("assistant") => Some(Role::Assistant),
            _ => None,
        };
        let node = Node {
            parent: message["parentId"].as_str(),
            role,
            content: text(&message["content"]),
            reasoning: String::new(),
            model: message["model"].as_str().map(str::to_owned),
            at: seconds(&message["timestamp"]),
        };
        (name.as_str(), node)
    });
    let title = [&one["title"], &one["chat"]["title"]].map(text);
    let title = title.into_iter().find(|title| !title.is_empty()).unwrap_or_default();
    tree(title, created_at, &nodes.collect(), history["currentId"].as_str())
}

/// Puts nodes into an order in which parents come first, and numbers those that say something. A node whose parent is not
/// there begins a branch of its own; nodes in a circle belong to nobody and are left.
fn tree<'a>(
    title: String,
    created_at: Timestamp,
    nodes: &BTreeMap<&'a str, Node<'a>>,
    current: Option<&str>,
) -> Exported {
    let mut children: BTreeMap<Option<&'a str>, Vec<&'a str>> = BTreeMap::new();
    for (name, node) in nodes {
        let parent = node.parent.filter(|parent| nodes.contains_key(parent));
        children.entry(parent).or_default().push(name);
    }
    let at = |name: &&str| nodes[*name].at;
    children.values_mut().for_each(|list| list.sort_by_key(at));
    let mut messages: Vec<ExportedMessage> = Vec::new();
    // The number under which a node, or what stood before it, was kept.
    let mut kept: BTreeMap<&str, Option<i64>> = BTreeMap::new();
    let mut open: VecDeque<(&'a str, Option<i64>, String)> = VecDeque::new();
    let mut queue = |open: &mut VecDeque<_>, of: Option<&'a str>, parent, thought: &str| {
        let all = children.remove(&of).unwrap_or_default();
        open.extend(all.into_iter().map(|name| (name, parent, thought.to_owned())));
    };
    queue(&mut open, None, None, "");
    while let Some((name, parent, mut thought)) = open.pop_front() {
        let node = &nodes[name];
        thought.push_str(&node.reasoning);
        let role = node.role.filter(|_| !node.content.trim().is_empty());
        let Some(role) = role else {
            // What was only thought belongs to the answer after it.
            kept.insert(name, parent);
            queue(&mut open, Some(name), parent, &thought);
            continue;
        };
        let id = messages.len() as i64 + 1;
        messages.push(ExportedMessage {
            id,
            parent,
            role,
            content: node.content.clone(),
            reasoning: thought,
            tool_calls: Vec::new(),
            tool_call_id: None,
            state: MessageState::Complete,
            details: Details { model: node.model.clone(), ..Details::default() },
            created_at: node.at.unwrap_or(created_at),
        });
        kept.insert(name, Some(id));
        queue(&mut open, Some(name), Some(id), "");
    }
    let leaf = current.and_then(|name| kept.get(name).copied().flatten());
    Exported { title, system_prompt: None, created_at, leaf, messages }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Seconds since 1970, with or without a fraction.
fn seconds(value: &Value) -> Option<Timestamp> {
    value.as_f64().map(|seconds| Timestamp((seconds * 1000.0) as i64))
}

/// A date as RFC 3339 writes it.
fn date(value: &Value) -> Option<Timestamp> {
    let time: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(Timestamp(time.as_millisecond()))
}

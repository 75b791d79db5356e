//! What can be done with conversations and messages.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use psi_agent::{
    ConversationId, Draft, Message, MessageId, NewConversation, Role, TitleOrigin,
    agent::{AgentEvent, Decision, Scope},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Ui, blocking,
    live::{Cursor, Room},
    reply::{Failure, Reply, json_response},
};

/// Time in which changes are gathered before a page hears of them: more often than a screen shows is waste.
const GATHER: Duration = Duration::from_millis(33);
/// Time between two signs of life on a connection where nothing happens.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a request returns.
pub(crate) type Outcome = Result<Reply, Failure>;

/// Reads a request's JSON.
pub(crate) fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Failure> {
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(text)
        .map_err(|e| Failure::bad(format!("the request is not understood: {e}")))
}

/// What begins a conversation.
#[derive(Deserialize)]
struct Begin {
    #[serde(default)]
    content: String,
    #[serde(default)]
    temporary: bool,
}

/// What is said.
#[derive(Deserialize)]
struct Say {
    content: String,
}

/// `POST /api/conversations`.
pub(crate) async fn begin(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let begin: Begin = body(&bytes)?;
        let new = NewConversation { temporary: begin.temporary, ..NewConversation::default() };
        let conversation = ui.conversations.create(&new)?;
        if !begin.content.trim().is_empty() {
            say_in(ui, conversation.id, None, &begin.content)?;
        }
        let address = format!("/c/{}", conversation.id);
        Ok(Reply::done().with("conversation", conversation).go(address))
    })
    .await
}

/// `POST /api/conversations/{id}/messages`.
pub(crate) async fn say(State(ui): State<Arc<Ui>>, Path(id): Path<i64>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let say: Say = body(&bytes)?;
        let conversation = ui.conversations.get(ConversationId(id))?;
        let message = say_in(ui, conversation.id, conversation.leaf, &say.content)?;
        Ok(Reply::done().with("message", message).thread())
    })
    .await
}

/// Writes what the user says under `parent`, and begins to answer it.
fn say_in(
    ui: &Arc<Ui>,
    id: ConversationId,
    parent: Option<MessageId>,
    content: &str,
) -> Result<Message, Failure> {
    let content = content.trim();
    if content.is_empty() {
        return Err(Failure::bad("the message is empty"));
    }
    let room = take_room(ui, id)?;
    let written = ui.conversations.append(id, parent, &Draft::user(content));
    let message = written.inspect_err(|_| room.end())?;
    room.take(&AgentEvent::Message { message: message.clone() });
    run(ui, &room, &message)?;
    Ok(message)
}

/// The room of a conversation in which nothing happens, taken for a run.
fn take_room(ui: &Ui, id: ConversationId) -> Result<Arc<Room>, Failure> {
    let room = ui.rooms.of(id);
    if room.begin() {
        return Ok(room);
    }
    Err(Failure::busy("an answer is being written here: stop it first"))
}

/// Begins to answer a message.
fn run(ui: &Arc<Ui>, room: &Arc<Room>, question: &Message) -> Result<(), Failure> {
    let told = Arc::clone(room);
    let mut has_begun = false;
    let events = Box::new(move |event: AgentEvent| {
        told.take(&event);
        match &event {
            AgentEvent::Finished { .. } | AgentEvent::Failed { .. } => told.end(),
            // From here on another branch is shown, if the question was answered before.
            AgentEvent::Message { .. } if !has_begun => {
                has_begun = true;
                told.touch();
            }
            _ => {}
        }
    });
    match ui.host.answer(question, events) {
        Ok(running) => {
            room.hold(running);
            Ok(())
        }
        Err(why) => {
            room.end();
            Err(Failure { status: StatusCode::SERVICE_UNAVAILABLE, message: why })
        }
    }
}

/// `POST /api/messages/{id}/edit`: says something else in a message's place, and keeps both.
pub(crate) async fn edit(State(ui): State<Arc<Ui>>, Path(id): Path<i64>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let say: Say = body(&bytes)?;
        let old = ui.conversations.message(MessageId(id))?;
        if old.role != Role::User {
            return Err(Failure::bad("only what you said can be said differently"));
        }
        let message = say_in(ui, old.conversation, old.parent, &say.content)?;
        ui.rooms.of(old.conversation).touch();
        Ok(Reply::done().with("message", message).thread())
    })
    .await
}

/// `POST /api/messages/{id}/regenerate`: another answer to the same question.
pub(crate) async fn regenerate(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        answer_again(ui, MessageId(id))?;
        Ok(Reply::done().thread())
    })
    .await
}

/// Begins another answer in the place of one.
pub(crate) fn answer_again(ui: &Arc<Ui>, id: MessageId) -> Result<Message, Failure> {
    let answer = ui.conversations.message(id)?;
    let parent =
        answer.parent.ok_or_else(|| Failure::bad("there is no question to this answer"))?;
    let question = ui.conversations.message(parent)?;
    let room = take_room(ui, answer.conversation)?;
    run(ui, &room, &question)?;
    Ok(answer)
}

/// `POST /api/messages/{id}/show`: the branch through a message.
pub(crate) async fn show(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        let message = ui.conversations.message(MessageId(id))?;
        let room = ui.rooms.of(message.conversation);
        if room.is_running() {
            return Err(Failure::busy("an answer is being written here: stop it first"));
        }
        ui.conversations.show(message.id)?;
        room.touch();
        Ok(Reply::done().thread())
    })
    .await
}

/// `POST /api/conversations/{id}/stop`.
pub(crate) async fn stop(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        ui.rooms.of(ConversationId(id)).cancel();
        Ok(Reply::done())
    })
    .await
}

/// What the user says to a call, as the card's form sends it.
#[derive(Deserialize)]
struct Verdict {
    call: String,
    decision: String,
    arguments: Option<String>,
    reason: Option<String>,
}

/// `POST /api/conversations/{id}/decide`.
pub(crate) async fn decide(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
    bytes: Bytes,
) -> Outcome {
    blocking(&ui, move |ui| {
        let verdict: Verdict = body(&bytes)?;
        let room = ui.rooms.of(ConversationId(id));
        let waiting = room.approvals().into_iter().find(|a| a.call.id == verdict.call);
        let approval = waiting.ok_or_else(|| Failure::gone("this call does not wait any more"))?;
        let scope = match verdict.decision.as_str() {
            "once" => Some(Scope::Once),
            "chat" => Some(Scope::Chat),
            "always" => Some(Scope::Always),
            "deny" => None,
            other => return Err(Failure::bad(format!("\u{201c}{other}\u{201d} is no decision"))),
        };
        let decision = match scope {
            None => Decision::Deny { reason: verdict.reason },
            Some(scope) => {
                let arguments = verdict.arguments.as_deref().map(arguments).transpose()?;
                let changed = arguments.filter(|a| *a != approval.call.arguments);
                Decision::Approve { scope, arguments: changed }
            }
        };
        room.decide(&verdict.call, decision);
        Ok(Reply::done())
    })
    .await
}

/// Arguments as the user left them.
fn arguments(text: &str) -> Result<Value, Failure> {
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Failure::bad("the arguments must be a JSON object, in braces")),
        Err(error) => Err(Failure::bad(format!("the arguments are not JSON: {error}"))),
    }
}

/// A new title.
#[derive(Deserialize)]
struct Rename {
    title: String,
}

/// `POST /api/conversations/{id}/rename`.
pub(crate) async fn rename(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
    bytes: Bytes,
) -> Outcome {
    blocking(&ui, move |ui| {
        let rename: Rename = body(&bytes)?;
        let title = rename.title.trim();
        if title.is_empty() || title.chars().count() > 200 {
            return Err(Failure::bad("a title has 1 to 200 characters"));
        }
        ui.conversations.rename(ConversationId(id), title, TitleOrigin::User)?;
        ui.rooms.of(ConversationId(id)).touch();
        Ok(Reply::done().chats())
    })
    .await
}

/// Whether it is kept at the top.
#[derive(Deserialize)]
struct Pin {
    pinned: bool,
}

/// `POST /api/conversations/{id}/pin`.
pub(crate) async fn pin(State(ui): State<Arc<Ui>>, Path(id): Path<i64>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let pin: Pin = body(&bytes)?;
        ui.conversations.pin(ConversationId(id), pin.pinned)?;
        Ok(Reply::done().chats())
    })
    .await
}

/// `POST /api/conversations/{id}/delete`.
pub(crate) async fn delete(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Outcome {
    blocking(&ui, move |ui| {
        let id = ConversationId(id);
        if ui.rooms.of(id).is_running() {
            return Err(Failure::busy("an answer is being written here: stop it first"));
        }
        ui.conversations.delete(id)?;
        ui.rooms.remove(id);
        let own = format!("/c/{id}");
        let on_page = headers.get("x-psi-page").and_then(|p| p.to_str().ok());
        Ok(if on_page == Some(&own) { Reply::done().go("/") } else { Reply::done().chats() })
    })
    .await
}

/// `GET /api/conversations`.
pub(crate) async fn list(State(ui): State<Arc<Ui>>) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let list = ui.conversations.list(1000, 0)?;
        Ok(json_response(StatusCode::OK, &json!({ "conversations": list })))
    })
    .await
}

/// `GET /api/conversations/{id}`: the conversation with its branch.
pub(crate) async fn one(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let conversation = ui.conversations.get(ConversationId(id))?;
        let messages = ui.conversations.branch(conversation.id)?;
        let running = ui.rooms.of(conversation.id).is_running();
        let body =
            json!({ "conversation": conversation, "messages": messages, "running": running });
        Ok(json_response(StatusCode::OK, &body))
    })
    .await
}

/// How far the page has followed.
#[derive(Deserialize)]
pub(crate) struct After {
    after: Option<String>,
}

/// `GET /api/conversations/{id}/events`: what happens in a conversation, from where the page stands on.
pub(crate) async fn events(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
    Query(after): Query<After>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let conversation = ConversationId(id);
    blocking(&ui, move |ui| Ok(ui.conversations.get(conversation)?)).await?;
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let from = last.or(after.after).and_then(|text| Cursor::parse(&text));
    let room = ui.rooms.of(conversation);
    let from = from.unwrap_or(Cursor { version: 0, ..room.cursor() });
    let events = Sse::new(follow(ui, room, from));
    Ok(events.keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn follow(
    ui: Arc<Ui>,
    room: Arc<Room>,
    from: Cursor,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let changes = room.subscribe();
    let begin = (ui, room, changes, from, None::<bool>, Vec::<Event>::new());
    stream::unfold(begin, |(ui, room, mut changes, cursor, told, mut ready)| async move {
        let (mut cursor, mut told) = (cursor, told);
        loop {
            if let Some(event) = ready.pop() {
                return Some((Ok(event), (ui, room, changes, cursor, told, ready)));
            }
            // Not the first time: the page has everything up to the cursor.
            if told.is_some() {
                changes.changed().await.ok()?;
                tokio::time::sleep(GATHER).await;
            }
            changes.mark_unchanged();
            let update = room.since(cursor, &ui.keys());
            cursor = update.cursor;
            // The last of these is sent first.
            if told != Some(update.running) {
                told = Some(update.running);
                ready.push(event("state", cursor, &json!({ "running": update.running })));
            }
            if !update.parts.is_empty() {
                ready.push(event("parts", cursor, &json!({ "parts": update.parts })));
            }
            if update.stale {
                ready.push(event("stale", cursor, &json!({})));
            }
        }
    })
}

fn event(name: &str, cursor: Cursor, data: &Value) -> Event {
    Event::default().event(name).id(cursor.to_string()).data(data.to_string())
}

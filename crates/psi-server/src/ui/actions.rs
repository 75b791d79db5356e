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
    ConversationId, MessageId, NewConversation, TitleOrigin,
    agent::{Decision, Scope},
    assistant::Ask,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{
    Ui, blocking,
    i18n::{Lang, t, tf},
    live::{Cursor, Room},
    projects,
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
        .map_err(|e| Failure::bad(tf!("the request is not understood: {why}", why = e)))
}

/// What begins a conversation.
#[derive(Deserialize)]
struct Begin {
    #[serde(default)]
    content: String,
    #[serde(default)]
    temporary: bool,
    /// The project that it begins in; a form says it as text.
    #[serde(default)]
    project: Value,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// What is said.
#[derive(Deserialize)]
struct Say {
    content: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// `POST /api/conversations`.
pub(crate) async fn begin(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let begin: Begin = body(&bytes)?;
        let project = projects::chosen(ui, &begin.project)?;
        let temporary = begin.temporary;
        let new = NewConversation { temporary, project, ..NewConversation::default() };
        let conversation = ui.assistant.conversations().create(&new)?;
        if !begin.content.trim().is_empty() {
            say_in(ui, conversation.id, &begin.content, &begin.rest)?;
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
        say_in(ui, ConversationId(id), &say.content, &say.rest)?;
        Ok(Reply::done())
    })
    .await
}

/// Says something at the end of the branch that is shown, with the files that the form names, and begins to
/// answer it.
fn say_in(
    ui: &Ui,
    id: ConversationId,
    text: &str,
    form: &Map<String, Value>,
) -> Result<(), Failure> {
    let room = ui.assistant.settings().number("context.attached")?;
    let files = form.keys().filter_map(|name| name.strip_prefix("given-")?.parse::<i64>().ok());
    let give = |file| ui.toolbox.knowledge().give(file, id, text, room);
    let attachments = files.map(give).collect::<Result<_, _>>()?;
    let ask = Ask { text: text.trim().to_owned(), attachments, ..Ask::default() };
    let run = ui.assistant.send(id, ask)?;
    ui.rooms.of(id).follow(&run);
    Ok(())
}

/// `POST /api/messages/{id}/edit`: says something else in a message's place, and keeps both.
pub(crate) async fn edit(State(ui): State<Arc<Ui>>, Path(id): Path<i64>, bytes: Bytes) -> Outcome {
    blocking(&ui, move |ui| {
        let say: Say = body(&bytes)?;
        let run = ui.assistant.edit(MessageId(id), say.content.trim())?;
        ui.rooms.of(run.conversation()).follow(&run);
        Ok(Reply::done().thread())
    })
    .await
}

/// `POST /api/messages/{id}/regenerate`: another answer to the same question.
pub(crate) async fn regenerate(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        let run = ui.assistant.retry(MessageId(id), None)?;
        ui.rooms.of(run.conversation()).follow(&run);
        Ok(Reply::done())
    })
    .await
}

/// `POST /api/messages/{id}/show`: the branch through a message.
pub(crate) async fn show(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        let message = ui.assistant.conversations().message(MessageId(id))?;
        let room = ui.rooms.of(message.conversation);
        if room.is_running() {
            return Err(Failure::busy(t("an answer is being written here: stop it first")));
        }
        ui.assistant.conversations().show(message.id)?;
        room.touch();
        Ok(Reply::done().thread())
    })
    .await
}

/// `POST /api/conversations/{id}/stop`.
pub(crate) async fn stop(State(ui): State<Arc<Ui>>, Path(id): Path<i64>) -> Outcome {
    blocking(&ui, move |ui| {
        if let Some(run) = ui.assistant.run(ConversationId(id)) {
            run.cancel();
        }
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
        let gone = || Failure::gone(t("this call does not wait any more"));
        let run = ui.assistant.run(ConversationId(id)).ok_or_else(gone)?;
        let waiting = run.pending().into_iter().find(|a| a.call.id == verdict.call);
        let approval = waiting.ok_or_else(gone)?;
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
        run.decide(&verdict.call, decision)?;
        Ok(Reply::done())
    })
    .await
}

/// Arguments as the user left them.
fn arguments(text: &str) -> Result<Value, Failure> {
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Failure::bad(t("the arguments must be a JSON object, in braces"))),
        Err(error) => Err(Failure::bad(tf!("the arguments are not JSON: {why}", why = error))),
    }
}

/// A new title.
#[derive(Deserialize)]
struct Rename {
    title: String,
}

/// Who answers a conversation, and what stands before it; empty: as everywhere.
#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    model: String,
    #[serde(default)]
    instructions: String,
    /// Left as it is where it is not said.
    project: Option<Value>,
}

/// `POST /api/conversations/{id}/configure`.
pub(crate) async fn configure(
    State(ui): State<Arc<Ui>>,
    Path(id): Path<i64>,
    bytes: Bytes,
) -> Outcome {
    blocking(&ui, move |ui| {
        let Configuration { model, instructions, project } = body(&bytes)?;
        let model = ui.known_model(&model)?;
        let instructions = Some(instructions.trim()).filter(|text| !text.is_empty());
        ui.assistant.conversations().configure(ConversationId(id), model, instructions)?;
        if let Some(project) = project {
            ui.projects.put(ConversationId(id), projects::chosen(ui, &project)?)?;
        }
        Ok(Reply::done().refresh())
    })
    .await
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
            return Err(Failure::bad(t("a title has 1 to 200 characters")));
        }
        ui.assistant.conversations().rename(ConversationId(id), title, TitleOrigin::User)?;
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
        ui.assistant.conversations().pin(ConversationId(id), pin.pinned)?;
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
            return Err(Failure::busy(t("an answer is being written here: stop it first")));
        }
        ui.assistant.conversations().delete(id)?;
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
        let list = ui.assistant.conversations().list(1000, 0)?;
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
        let conversation = ui.assistant.conversations().get(ConversationId(id))?;
        let messages = ui.assistant.conversations().branch(conversation.id)?;
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
    blocking(&ui, move |ui| Ok(ui.assistant.conversations().get(conversation)?)).await?;
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
    let (changes, lang) = (room.subscribe(), Lang::now());
    let begin = (ui, room, changes, from, None::<bool>, Vec::<Event>::new());
    stream::unfold(begin, move |(ui, room, mut changes, cursor, told, mut ready)| async move {
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
            let update = lang.within(|| room.since(cursor, &ui.keys()));
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

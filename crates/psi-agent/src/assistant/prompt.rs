//! What the model is shown: instructions, what is known of the user, a summary of old turns, the rest as
//! it was said.

use serde_json::{Value, json};

use crate::conversation::{MemoryUse, Message, MessageId, MessageState, Role, Summary};

/// Stands between the instructions and the facts.
const MEMORY_HEAD: &str = "What the user has told you before:";
/// Stands before a summary.
const SUMMARY_HEAD: &str = "Earlier in this conversation:";

/// What stands before the messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Preamble {
    pub(super) instructions: String,
    pub(super) memories: Vec<MemoryUse>,
    pub(super) summary: Option<Summary>,
}

impl Preamble {
    /// The system message; `None` when there is nothing to say.
    pub(super) fn text(&self) -> Option<String> {
        let mut parts = Vec::new();
        if !self.instructions.trim().is_empty() {
            parts.push(self.instructions.trim().to_owned());
        }
        if !self.memories.is_empty() {
            let facts = self.memories.iter().map(|m| format!("- {}", m.text));
            let lines: Vec<String> = std::iter::once(MEMORY_HEAD.to_owned()).chain(facts).collect();
            parts.push(lines.join("\n"));
        }
        if let Some(summary) = &self.summary {
            parts.push(format!("{SUMMARY_HEAD}\n{}", summary.content));
        }
        (!parts.is_empty()).then(|| parts.join("\n\n"))
    }
}

/// The messages of the prompt that led to `answer`, made again from what is kept: `path` is what came
/// before it, `summary` what stood for its older part.
pub(crate) fn prompt_of(
    answer: &Message,
    path: &[Message],
    summary: Option<Summary>,
) -> Vec<Value> {
    let details = &answer.details;
    let after = details.summarised_upto;
    let preamble = Preamble {
        instructions: details.instructions.clone().unwrap_or_default(),
        memories: details.memories.clone(),
        summary,
    };
    render(preamble.text().as_deref(), path, after)
}

/// What a fact says that stood in a prompt; `None` when it is forgotten.
pub(crate) fn text_of_fact(memory: &MemoryUse) -> Option<&str> {
    Some(memory.text.as_str()).filter(|text| !text.is_empty())
}

/// The newest summary that stands for messages of this path.
pub(super) fn summary_of<'a>(summaries: &'a [Summary], path: &[Message]) -> Option<&'a Summary> {
    let place = |s: &&Summary| path.iter().position(|m| m.id == s.upto);
    summaries.iter().filter(|s| place(s).is_some()).max_by_key(|s| (place(s), s.id))
}

/// The messages of a path that a prompt shows: those after the summary, each as a template takes it.
/// A call whose answer was never written (psi was killed) gets one that says so.
pub(super) fn render(
    system: Option<&str>,
    path: &[Message],
    after: Option<MessageId>,
) -> Vec<Value> {
    let first = after.and_then(|id| path.iter().position(|m| m.id == id)).map_or(0, |at| at + 1);
    let shown = &path[first..];
    let mut out: Vec<Value> =
        system.map(|s| json!({"role": "system", "content": s})).into_iter().collect();
    for (i, message) in shown.iter().enumerate() {
        if is_void(message) {
            continue;
        }
        let answers: Vec<&Message> =
            shown[i + 1..].iter().take_while(|m| m.role == Role::Tool).collect();
        out.push(as_run(message, &answers).to_openai());
        let answers: Vec<&str> = answers.iter().filter_map(|m| m.tool_call_id.as_deref()).collect();
        for call in message.tool_calls.iter().filter(|c| !answers.contains(&c.id.as_str())) {
            out.push(json!({
                "role": "tool", "tool_call_id": call.id, "name": call.name,
                "content": "error: interrupted before it returned",
            }));
        }
    }
    out
}

/// The message with its calls as they were run: with the arguments that the user made of the model's.
fn as_run(message: &Message, answers: &[&Message]) -> Message {
    let mut message = message.clone();
    for call in &mut message.tool_calls {
        let answer = answers.iter().find(|a| a.tool_call_id.as_ref() == Some(&call.id));
        if let Some(run) = answer.and_then(|a| a.details.run.as_ref()) {
            call.arguments = run.arguments.clone();
        }
        // What was no JSON object would make the whole prompt unusable; the tool's answer says what it was.
        if !call.arguments.is_object() {
            call.arguments = json!({});
        }
    }
    message
}

/// An answer that never came to a word.
fn is_void(message: &Message) -> bool {
    message.role == Role::Assistant
        && message.content.is_empty()
        && message.tool_calls.is_empty()
        && message.state != MessageState::Complete
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{ConversationId, Details, ToolCall};
    use crate::time::Timestamp;

    fn message(id: i64, role: Role, content: &str) -> Message {
        Message {
            id: MessageId(id),
            conversation: ConversationId(1),
            parent: None,
            role,
            content: content.into(),
            reasoning: String::new(),
            tool_calls: Vec::new(),
            tool_call_id: None,
            state: MessageState::Complete,
            details: Details::default(),
            created_at: Timestamp(0),
        }
    }

    #[test]
    fn a_prompt_has_what_is_said_after_the_summary_and_no_call_without_an_answer() {
        let mut calling = message(3, Role::Assistant, "");
        let call = |id: &str| ToolCall { id: id.into(), name: "now".into(), arguments: json!({}) };
        calling.tool_calls = vec![call("a"), call("b")];
        let mut answer = message(4, Role::Tool, "Monday");
        answer.tool_call_id = Some("a".into());
        let mut void = message(5, Role::Assistant, "");
        void.state = MessageState::Failed;
        let path =
            [message(1, Role::User, "old"), message(2, Role::User, "day?"), calling, answer, void];
        let shown = render(Some("Be brief."), &path, Some(MessageId(1)));
        let roles: Vec<&str> = shown.iter().map(|m| m["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["system", "user", "assistant", "tool", "tool"]);
        let ids: Vec<&Value> = shown[3..].iter().map(|m| &m["tool_call_id"]).collect();
        assert_eq!(ids, ["b", "a"].map(|id| json!(id)).iter().collect::<Vec<_>>());
        assert_eq!(render(None, &path, None).len(), 5);
    }

    #[test]
    fn the_preamble_names_its_parts_and_is_absent_when_empty() {
        assert_eq!(Preamble::default().text(), None);
        let memory = MemoryUse { fact: 1, text: "my dog is Rex".into(), score: 1.0, source: None };
        let preamble = Preamble { memories: vec![memory], ..Preamble::default() };
        assert_eq!(preamble.text().unwrap(), format!("{MEMORY_HEAD}\n- my dog is Rex"));
    }
}

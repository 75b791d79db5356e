//! The events of a streamed response, as they come or of a kept one.

use psi_infer::chat::ChatEvent;
use serde_json::{Value, json};

use super::{
    Keeper,
    answer::{Head, Response, item},
};
use crate::api::{
    conversation::Turn,
    error::{ApiError, Dialect},
    jobs::Jobs,
    padding::pad,
    sse::{Frame, Script},
};

/// Numbers events.
#[derive(Default)]
struct Numbered {
    next: u64,
    /// Whether deltas are padded.
    pads: bool,
    frames: Vec<Frame>,
}

impl Numbered {
    fn push(&mut self, name: &'static str, mut event: Value) {
        event["type"] = json!(name);
        event["sequence_number"] = json!(self.next);
        self.next += 1;
        self.frames.push(Frame::named(name, &event));
    }

    fn take(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.frames)
    }

    /// An item begins, empty.
    fn open_item(&mut self, at: usize, item: &Value) {
        let mut empty = item.clone();
        empty["status"] = json!("in_progress");
        match item["type"].as_str() {
            Some("function_call") => empty["arguments"] = json!(""),
            _ => empty["content"] = json!([]),
        }
        self.push("response.output_item.added", json!({ "output_index": at, "item": empty }));
        if let Some(part) = item["content"].get(0) {
            let mut part = part.clone();
            part["text"] = json!("");
            let event = json!({
                "item_id": item["id"], "output_index": at, "content_index": 0, "part": part,
            });
            self.push("response.content_part.added", event);
        }
    }

    /// An item grows.
    fn grow_item(&mut self, at: usize, item: &Value, delta: &str) {
        let mut event = json!({ "item_id": item["id"], "output_index": at, "delta": delta });
        if self.pads {
            pad(&mut event, &json!(delta));
        }
        match item["type"].as_str() {
            Some("function_call") => self.push("response.function_call_arguments.delta", event),
            Some("reasoning") => {
                event["content_index"] = json!(0);
                self.push("response.reasoning_text.delta", event);
            }
            _ => {
                event["content_index"] = json!(0);
                event["logprobs"] = json!([]);
                self.push("response.output_text.delta", event);
            }
        }
    }

    /// An item is whole.
    fn close_item(&mut self, at: usize, item: &Value) {
        let mut event = json!({ "item_id": item["id"], "output_index": at });
        if item["type"] == "function_call" {
            event["name"] = item["name"].clone();
            event["arguments"] = item["arguments"].clone();
            self.push("response.function_call_arguments.done", event);
        } else {
            let part = &item["content"][0];
            event["content_index"] = json!(0);
            let mut done = event.clone();
            done["text"] = part["text"].clone();
            if item["type"] == "reasoning" {
                self.push("response.reasoning_text.done", done);
            } else {
                done["logprobs"] = part["logprobs"].clone();
                self.push("response.output_text.done", done);
            }
            event["part"] = part.clone();
            self.push("response.content_part.done", event);
        }
        self.push("response.output_item.done", json!({ "output_index": at, "item": item }));
    }

    /// The response begins.
    fn open(&mut self, response: &Value) {
        self.push("response.created", json!({ "response": response }));
        self.push("response.in_progress", json!({ "response": response }));
    }

    /// The response is whole.
    fn close(&mut self, response: &Value) {
        let name = match response["status"].as_str() {
            Some("incomplete") => "response.incomplete",
            _ => "response.completed",
        };
        self.push(name, json!({ "response": response }));
    }
}

/// The events of a response that is being written.
pub(crate) struct Stream {
    head: Head,
    turn: Turn,
    out: Numbered,
    keeper: Option<Keeper>,
}

impl Stream {
    pub(crate) fn new(head: Head, keeper: Option<Keeper>, pads: bool) -> Self {
        let out = Numbered { pads, ..Numbered::default() };
        Self { head, turn: Turn::default(), out, keeper }
    }

    /// The i-th item as far as it is written.
    fn item(&self, i: usize) -> Value {
        item(self.head.response().id(), i, &self.turn.blocks[i], "completed")
    }

    fn close_block(&mut self, i: usize, status: &str) {
        let item = item(self.head.response().id(), i, &self.turn.blocks[i], status);
        self.out.close_item(i, &item);
    }
}

impl Script<ChatEvent> for Stream {
    fn start(&mut self) -> Vec<Frame> {
        self.out.open(&json!(self.head.response()));
        self.out.take()
    }

    fn event(
        &mut self,
        index: usize,
        event: ChatEvent,
        jobs: &mut Jobs<ChatEvent>,
    ) -> Result<Vec<Frame>, ApiError> {
        let n_before = self.turn.blocks.len();
        let delta = match &event {
            ChatEvent::Reasoning(text) | ChatEvent::Content(text) => Some(text.clone()),
            ChatEvent::ToolArguments { fragment, .. } => Some(fragment.clone()),
            _ => None,
        };
        if self.turn.event(event)? {
            jobs.end(index);
        }
        let n = self.turn.blocks.len();
        if n > n_before {
            if n_before > 0 {
                self.close_block(n_before - 1, "completed");
            }
            let item = self.item(n - 1);
            self.out.open_item(n - 1, &item);
        }
        if let Some(delta) = delta.filter(|_| n > 0) {
            let item = self.item(n - 1);
            self.out.grow_item(n - 1, &item, &delta);
        }
        Ok(self.out.take())
    }

    fn end(&mut self) -> Vec<Frame> {
        let response = Response::new(&self.head, &self.turn);
        if let Some(item) = response.output.last() {
            let status = item["status"].as_str().unwrap_or("completed").to_owned();
            self.close_block(self.turn.blocks.len() - 1, &status);
        }
        self.out.close(&json!(response));
        if let Some(keeper) = self.keeper.take() {
            keeper.keep(&response, &self.turn);
        }
        self.out.take()
    }

    fn fail(&mut self, error: &ApiError, request_id: &str) -> Vec<Frame> {
        let mut event = error.body(Dialect::OpenAi, request_id)["error"].take();
        event["code"] = json!(event["code"].as_str().unwrap_or("server_error"));
        self.out.push("error", event);
        self.out.take()
    }
}

/// The events of a kept response, from the one after `starting_after` on.
pub(super) fn replay(response: &Value, starting_after: Option<u64>, pads: bool) -> Vec<Frame> {
    let mut out = Numbered { pads, ..Numbered::default() };
    let mut begun = response.clone();
    begun["status"] = json!("in_progress");
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    out.open(&begun);
    for (i, item) in response["output"].as_array().into_iter().flatten().enumerate() {
        out.open_item(i, item);
        let text = item["arguments"].as_str().or(item["content"][0]["text"].as_str());
        out.grow_item(i, item, text.unwrap_or(""));
        out.close_item(i, item);
    }
    out.close(response);
    let skip = starting_after.map_or(0, |n| n as usize + 1);
    out.take().into_iter().skip(skip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::conversation::{Block, TurnCall};

    #[test]
    fn a_kept_response_is_told_again_in_order() {
        let call =
            TurnCall { id: "c".to_owned(), name: "f".to_owned(), arguments: "{}".to_owned() };
        let blocks =
            [Block::Reasoning("hm".to_owned()), Block::Content("hi".to_owned()), Block::Call(call)];
        let output: Vec<Value> =
            blocks.iter().enumerate().map(|(i, b)| item("resp_1", i, b, "completed")).collect();
        let response = json!({ "id": "resp_1", "status": "completed", "output": output });
        let names: Vec<_> = replay(&response, None, false).iter().filter_map(|f| f.name).collect();
        let expected = [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.reasoning_text.delta",
            "response.reasoning_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ];
        assert_eq!(names, expected);
        assert_eq!(replay(&response, Some(17), false).len(), 1);
        let padded = replay(&response, None, true);
        let n = padded.iter().filter(|f| f.data.contains("\"obfuscation\"")).count();
        assert_eq!(n, 3, "every delta, and nothing else");
    }
}

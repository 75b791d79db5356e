//! Server-sent events: pieces of an answer as they come, with signs of life between them.

use std::{convert::Infallible, sync::Arc};

use axum::response::{
    IntoResponse, Response, Sse,
    sse::{Event, KeepAlive},
};
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;

use super::{
    Shared,
    access_log::Record,
    error::{ApiError, Dialect},
    jobs::Jobs,
};

/// One event.
pub(crate) struct Frame {
    /// Its name, in dialects that name events.
    pub(crate) name: Option<&'static str>,
    pub(crate) data: String,
}

impl Frame {
    /// An event without a name.
    pub(crate) fn data(value: &Value) -> Self {
        Self { name: None, data: value.to_string() }
    }

    /// An event whose name is its `type`.
    pub(crate) fn named(name: &'static str, value: &Value) -> Self {
        Self { name: Some(name), data: value.to_string() }
    }

    fn into_event(self) -> Event {
        let event = Event::default().data(self.data);
        match self.name {
            Some(name) => event.event(name),
            None => event,
        }
    }
}

/// Turns what a model writes into one dialect's events.
pub(crate) trait Script<E>: Send {
    /// Before the first token.
    fn start(&mut self) -> Vec<Frame>;
    /// For one event of one answer; an answer that is over is ended in `jobs`.
    fn event(&mut self, index: usize, event: E, jobs: &mut Jobs<E>)
    -> Result<Vec<Frame>, ApiError>;
    /// After the last one.
    fn end(&mut self) -> Vec<Frame>;
    /// Instead of the rest, when the model fails.
    fn fail(&mut self, error: &ApiError, request_id: &str) -> Vec<Frame>;
}

/// The last frames of a failed stream in dialects that send the error as it is.
pub(crate) fn error_frame(error: &ApiError, dialect: Dialect, request_id: &str) -> Vec<Frame> {
    let body = error.body(dialect, request_id);
    vec![match dialect {
        Dialect::OpenAi => Frame::data(&body),
        Dialect::Anthropic => Frame::named("error", &body),
    }]
}

struct State<E, S> {
    jobs: Jobs<E>,
    script: S,
    record: Arc<Record>,
    frames: std::collections::VecDeque<Frame>,
    over: bool,
}

impl<E: Send + 'static, S: Script<E>> State<E, S> {
    async fn next(&mut self) -> Option<Frame> {
        while self.frames.is_empty() && !self.over {
            let result = match self.jobs.next().await {
                Ok(Some((index, _))) if self.jobs.has_ended(index) => continue,
                Ok(Some((index, event))) => self.script.event(index, event, &mut self.jobs),
                Ok(None) => {
                    self.over = true;
                    Ok(self.script.end())
                }
                Err(error) => Err(error),
            };
            self.frames.extend(result.unwrap_or_else(|error| {
                self.over = true;
                self.script.fail(&error, self.record.id())
            }));
        }
        self.frames.pop_front()
    }
}

/// The stream of an answer. When the client leaves, it is dropped, and with it the answer's tickets.
pub(crate) fn respond<E: Send + 'static, S: Script<E> + 'static>(
    api: &Arc<Shared>,
    record: &Arc<Record>,
    jobs: Jobs<E>,
    mut script: S,
) -> Response {
    record.note(|facts| facts.streamed = true);
    let frames = script.start().into();
    let record = Arc::clone(record);
    let state = State { jobs, script, record, frames, over: false };
    let events = stream::unfold(state, async |mut state| {
        let frame = state.next().await?;
        Some((Ok::<_, Infallible>(frame.into_event()), state))
    });
    let alive = KeepAlive::new().interval(api.limits.keep_alive).text("alive");
    Sse::new(events).keep_alive(alive).into_response()
}

/// A stream of events that are all known already.
pub(crate) fn of_frames(frames: impl Stream<Item = Frame> + Send + 'static) -> Response {
    Sse::new(frames.map(|frame| Ok::<_, Infallible>(frame.into_event()))).into_response()
}

//! Answers written by the service, many at a time.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    time::Instant,
};

use psi_infer::{
    StopMatcher,
    service::{Event, Request as Ask, Service, ServiceError, ServiceOptions, Ticket},
};
use psi_tokenizer::{Detokenizer, TokenId, Tokenizer};
use serde_json::{Value, json};

use super::{
    local::{Local, LocalParts, failed, max_tokens},
    player::{PlayError, Played, Settings, Sink},
};
use crate::{
    skills::{Message, turn::Turn},
    task::{Item, Output, Request},
};

/// Memory of the service's cache.
const CACHE_BYTES: usize = 512 << 20;
/// What the service calls the player's adapter.
pub(super) const ADAPTER: &str = "adapter";

/// The service of a local player.
#[derive(Debug)]
pub(super) struct Generator {
    service: Service,
    batch: usize,
}

impl Generator {
    pub(super) fn start(parts: &LocalParts) -> Result<Self, ServiceError> {
        let LocalParts { cpu, decoder, kv, batch, .. } = parts;
        let options = ServiceOptions {
            max_batch: *batch,
            // Answers that ended here may be open there for a moment longer.
            max_queue: 16 * batch,
            cache_bytes: CACHE_BYTES,
            kv_dtype: *kv,
            ..ServiceOptions::default()
        };
        let service = Service::start(cpu, decoder.clone(), options)?;
        if let Some(adapter) = &parts.adapter {
            service.add_adapter(ADAPTER, Arc::clone(adapter));
        }
        Ok(Self { service, batch: *batch })
    }

    pub(super) fn service(&self) -> &Service {
        &self.service
    }
}

/// An answer that is being written.
struct Open {
    prompt: String,
    n_prompt: usize,
    started: Instant,
    detokenizer: Detokenizer,
    stops: StopMatcher,
    text: String,
    n_answer: usize,
    /// Dropping it ends the answer.
    _ticket: Ticket,
}

/// Writes the answers to the items of these indices.
pub(super) fn generate(
    local: &mut Local,
    items: &[&Item],
    indices: &[usize],
    settings: &Settings,
    sink: &mut Sink<'_>,
) -> super::Result<()> {
    let cannot = |e: ServiceError| PlayError::Cannot { what: e.to_string() };
    let (service, batch) = {
        let generator = local.generator().map_err(|e| failed(items[indices[0]], cannot(e)))?;
        (generator.service.clone(), generator.batch)
    };
    let (sender, events) = mpsc::channel();
    let mut open: HashMap<usize, Open> = HashMap::new();
    let mut waiting = indices.iter();
    loop {
        // As many again wait in the service's queue, so that no place stays empty.
        while open.len() < 2 * batch
            && let Some(&i) = waiting.next()
        {
            open.insert(i, submit(local, &service, items[i], i, settings, &sender)?);
        }
        if open.is_empty() {
            return Ok(());
        }
        let (i, ended) = next(&events, &mut open, &local.parts().tokenizer)
            .map_err(|(i, e)| failed(items[i], e))?;
        if ended && let Some(done) = open.remove(&i) {
            let output = finish(&done, items[i], local.chats(settings));
            let Open { prompt, n_prompt, n_answer, started, .. } = done;
            let seconds = started.elapsed().as_secs_f64();
            sink(i, Played { prompt, output, n_prompt, n_answer, seconds })?;
        }
    }
}

fn submit(
    local: &Local,
    service: &Service,
    item: &Item,
    i: usize,
    settings: &Settings,
    sender: &Sender<(usize, Event)>,
) -> super::Result<Open> {
    let Request::Generation(limits) = &item.request else {
        let what = "only generations are written".to_owned();
        return Err(failed(item, PlayError::Cannot { what }));
    };
    let (prompt, tokens) = local.prompt(item, settings).map_err(|e| failed(item, e))?;
    let chats = local.chats(settings);
    let n_prompt = tokens.len();
    let stops = if chats { Vec::new() } else { limits.stop.clone() };
    let ask = Ask {
        tokens,
        max_tokens: max_tokens(limits, settings),
        adapter: local.parts().adapter.is_some().then(|| ADAPTER.to_owned()),
        sampling: settings.sampling_of(item),
        stop_tokens: if chats { ends_of_turn(&local.parts().tokenizer) } else { Vec::new() },
        ..Ask::default()
    };
    let sender = sender.clone();
    // A receiver that is gone wants no more events.
    let events = Box::new(move |event| drop(sender.send((i, event))));
    let ticket = service
        .submit(ask, events)
        .map_err(|e| failed(item, PlayError::Cannot { what: e.to_string() }))?;
    Ok(Open {
        // A template that opens the reasoning itself has written the tag already.
        text: if prompt.trim_end().ends_with("<think>") {
            "<think>\n".to_owned()
        } else {
            String::new()
        },
        prompt,
        n_prompt,
        started: Instant::now(),
        // Tool calls are written with special tokens.
        detokenizer: Detokenizer::new(!chats),
        stops: StopMatcher::new(stops),
        n_answer: 0,
        _ticket: ticket,
    })
}

fn ends_of_turn(tokenizer: &Tokenizer) -> Vec<TokenId> {
    let mut ends = tokenizer.end_of_generation().to_vec();
    ends.extend(tokenizer.id_of("<|im_end|>"));
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// Takes one event. Returns whose it was and whether the answer is complete.
fn next(
    events: &Receiver<(usize, Event)>,
    open: &mut HashMap<usize, Open>,
    tokenizer: &Tokenizer,
) -> Result<(usize, bool), (usize, PlayError)> {
    let gone = || PlayError::Cannot { what: "the service ended".to_owned() };
    let anyone = open.keys().copied().min().unwrap_or(0);
    let (i, event) = events.recv().map_err(|_| (anyone, gone()))?;
    // Events of answers that ended at a stop string are late.
    let Some(item) = open.get_mut(&i) else { return Ok((i, false)) };
    let ended = match event {
        Event::Started { .. } | Event::Prompt(_) => false,
        Event::Token(token) => {
            item.n_answer += 1;
            let step = item.stops.push(&item.detokenizer.push(tokenizer, token.id));
            item.text.push_str(&step.text);
            step.stopped_by.is_some()
        }
        Event::Finished { .. } => {
            let rest = item.stops.push(&item.detokenizer.finish());
            item.text.push_str(&rest.text);
            if rest.stopped_by.is_none() {
                let held = item.stops.finish();
                item.text.push_str(&held);
            }
            true
        }
        Event::Failed(what) => return Err((i, PlayError::Cannot { what })),
    };
    Ok((i, ended))
}

/// The answer as what the item asks for: text, or a message where there were tools to call.
fn finish(done: &Open, item: &Item, chats: bool) -> Output {
    if !chats || item.prompt.tools.is_empty() {
        return Output::Text(done.text.clone());
    }
    Output::Messages(vec![message(&done.text)])
}

/// A turn as a message in OpenAI's shape; text that is not a turn is all content.
fn message(text: &str) -> Value {
    match Turn::parse(text) {
        Ok(turn) => Message::Assistant(turn).to_json(),
        Err(_) => json!({ "role": "assistant", "content": text }),
    }
}

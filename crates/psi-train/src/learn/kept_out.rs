//! The kept-out examples as an evaluation task: the same object at the gate and in reports.

use std::sync::Arc;

use psi_eval::{
    scorers::Words,
    split::Split,
    task::{Generation, Item, Prompt, Request, Task},
};
use serde_json::json;

use super::DataSet;

/// Most tokens of an answer.
const MAX_TOKENS: usize = 128;

/// A task named `feedback` over the kept-out examples: F1 of the answer's words against the target's,
/// solved when they are the same words. `None` when nothing is kept out.
pub fn kept_out_task(data: &DataSet) -> Option<Task> {
    let items: Vec<Item> = data
        .kept_out
        .iter()
        .filter_map(|example| {
            let target = example.target.as_ref()?;
            let (history, tools) = (example.messages.clone(), example.tools.clone());
            let prompt = Prompt { history, tools, ..Prompt::default() };
            let limits = Generation { max_tokens: MAX_TOKENS, stop: Vec::new() };
            let reference = json!({ "answers": [target] });
            let item = Item::new(&example.id, prompt, Request::Generation(limits), reference);
            Some(item.in_cluster(&example.source))
        })
        .collect();
    (!items.is_empty()).then(|| Task::fixed("feedback", Split::Eval, items, Arc::new(Words)))
}

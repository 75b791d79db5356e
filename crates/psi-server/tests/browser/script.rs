//! A model that does as it is told, for tests of everything around a model: what it writes follows from what was
//! said, word by word, and it can be slow, think, and call tools.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use psi_agent::{
    Usage,
    assistant::Models,
    model::{ChatSource, FinishReason, Generation, Ongoing, Prompt, SourceEvent, SourceSink},
};
use serde_json::Value;

/// Tokens that it says it can hold.
const CONTEXT: usize = 2048;

/// The model.
pub(crate) struct Script {
    name: String,
    n_answers: Arc<AtomicUsize>,
}

/// Finds it under any name, and under the name "script" where none is asked for. Answers are counted together.
#[derive(Default)]
pub(crate) struct Scripts(Arc<AtomicUsize>);

impl Models for Scripts {
    fn find(&self, name: Option<&str>) -> Result<Arc<dyn ChatSource>, String> {
        let name = name.unwrap_or("script").to_owned();
        Ok(Arc::new(Script { name, n_answers: Arc::clone(&self.0) }))
    }
}

/// What it does with a message.
struct Plan {
    thoughts: String,
    words: Vec<String>,
    call: Option<(String, String)>,
    pause: Duration,
}

impl ChatSource for Script {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn max_context(&self) -> usize {
        CONTEXT
    }

    fn count(&self, prompt: &Prompt) -> Result<usize, String> {
        Ok(prompt.messages.iter().map(|m| words(&text(m)).len() + 4).sum())
    }

    fn start(
        &self,
        generation: Generation,
        mut sink: SourceSink,
    ) -> Result<Box<dyn Ongoing>, String> {
        let n_prompt = self.count(&generation.prompt)?;
        let n_answer = self.n_answers.fetch_add(1, Ordering::Relaxed) + 1;
        let plan = plan(&generation.prompt.messages, n_answer);
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stopped);
        thread::spawn(move || {
            sink(SourceEvent::Started { n_prompt, n_cached: 0 });
            for word in words(&plan.thoughts) {
                sink(SourceEvent::Reasoning(word));
            }
            let mut n_generated = 0;
            for word in plan.words {
                if flag.load(Ordering::Relaxed) {
                    break;
                }
                sink(SourceEvent::Content(word));
                n_generated += 1;
                thread::sleep(plan.pause);
            }
            let mut reason = FinishReason::Stop;
            if flag.load(Ordering::Relaxed) {
                reason = FinishReason::Cancelled;
            } else if let Some((name, arguments)) = plan.call {
                let id = format!("call_{n_answer}");
                sink(SourceEvent::Call { index: 0, id, name });
                sink(SourceEvent::Arguments { index: 0, fragment: arguments });
                reason = FinishReason::ToolCalls;
            }
            let usage = Usage { n_prompt, n_cached: 0, n_generated };
            sink(SourceEvent::Finished { reason, usage });
        });
        Ok(Box::new(Stop(stopped)))
    }
}

struct Stop(Arc<AtomicBool>);

impl Ongoing for Stop {
    fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// `count to N slowly`, `use TOOL {...}`, `show everything`, or an echo.
fn plan(messages: &[Value], n_answer: usize) -> Plan {
    let last = messages.last().cloned().unwrap_or_default();
    let said = text(&last);
    let mut plan = Plan {
        thoughts: String::new(),
        words: Vec::new(),
        call: None,
        pause: Duration::from_millis(2),
    };
    if last["role"] == "tool" {
        plan.words = words(&format!("The tool said: {said}"));
    } else if let Some(n) = said.strip_prefix("count to ").and_then(|r| r.strip_suffix(" slowly")) {
        plan.pause = Duration::from_millis(60);
        let numbers = (1..=n.parse().unwrap_or(10)).map(|i: usize| format!("n{i} "));
        plan.words = numbers.collect();
    } else if let Some((name, arguments)) =
        said.strip_prefix("use ").and_then(|r| r.split_once(' '))
    {
        plan.thoughts = format!("The user wants {name}.");
        plan.call = Some((name.to_owned(), arguments.to_owned()));
    } else if said == "show everything" {
        plan.thoughts =
            "A sample of what an answer can hold: text, a list, a table, code, a formula."
                .to_owned();
        plan.words = words(EVERYTHING);
    } else {
        plan.words = words(&format!("Answer {n_answer} to: {said}"));
    }
    plan
}

fn text(message: &Value) -> String {
    message["content"].as_str().unwrap_or_default().to_owned()
}

fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

const EVERYTHING: &str = "## The golden ratio

The **golden ratio** solves $x^2 = x + 1$, so

$$\\varphi = \\frac{1 + \\sqrt{5}}{2} \\approx 1.618.$$

Three ways to meet it:

1. ratios of Fibonacci numbers
2. a regular pentagon's *diagonal* over its side
3. the continued fraction `[1; 1, 1, 1, ...]`

| n | F(n) | ratio |
|--:|-----:|------:|
| 5 | 5 | 1.667 |
| 10 | 55 | 1.6176 |
| 20 | 6765 | 1.618034 |

```rust
/// The n-th Fibonacci number.
fn fibonacci(n: u32) -> u64 {
    let (mut a, mut b) = (0, 1);
    for _ in 0..n {
        (a, b) = (b, a + b); // one step
    }
    a
}
```

> Geometry has two great treasures; one is the theorem of Pythagoras.

See https://example.org/phi for more.
";

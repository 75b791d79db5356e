//! Tasks declared in a TOML file beside their data.
//!
//! ```toml
//! name = "capitals"
//! data = "capitals.jsonl"                  # an object on each line
//! sha256 = "..."                           # optional: any other content is refused
//! prompt = "The capital of {country} is"   # {field} of the row; {{ and }} are braces
//! answer = "{capital}"
//! scorer = "exact"                         # exact, words, number, math, program
//! ```
//!
//! `output = "choices"` takes `choices` and `gold` as names of fields instead of `answer` and `scorer`, and
//! compares log-likelihoods by `by` (sum, mean, bytes); `output = "rolling"` scores the text of `prompt`.
//! `scorer = "program"` runs `before`, the answer and `after` in the sandbox instead of comparing with `answer`.

use std::{collections::HashMap, path::Path, sync::Arc};

use psi_store::ContentHash;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Library, TaskOptions};
use crate::{
    readers::{self, Line, bad},
    scorers::{By, Exact, Gsm8k, Highest, Math, Perplexity, Program, Words},
    split::Split,
    task::{
        Choice, Generation, Item, Prompt, Request, Result, Scorer, Shot, Span, Task, TaskError,
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    name: String,
    data: String,
    sha256: Option<String>,
    /// Data that may be trained on; examples for the prompt come from here.
    train: Option<String>,
    #[serde(default)]
    output: Kind,
    prompt: String,
    #[serde(default)]
    system: String,
    answer: Option<String>,
    scorer: Option<Rule>,
    /// Templates of what stands around a program, and the name of the function that it defines.
    #[serde(default)]
    before: String,
    after: Option<String>,
    #[serde(default)]
    entry_point: String,
    choices: Option<String>,
    gold: Option<String>,
    #[serde(default)]
    by: Rank,
    /// Names of fields.
    id: Option<String>,
    cluster: Option<String>,
    #[serde(default)]
    shots: usize,
    #[serde(default = "space")]
    delimiter: String,
    #[serde(default = "some_tokens")]
    max_tokens: usize,
    #[serde(default)]
    stop: Vec<String>,
}

fn space() -> String {
    " ".to_owned()
}

fn some_tokens() -> usize {
    256
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Generation,
    Choices,
    Rolling,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Rule {
    Exact,
    Words,
    Number,
    Math,
    Program,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rank {
    Sum,
    #[default]
    Mean,
    Bytes,
}

type Row = Map<String, Value>;

/// Opens the task that a file declares.
pub(super) fn open(
    library: &Library,
    path: &Path,
    split: Split,
    options: TaskOptions,
) -> Result<Task> {
    let text = readers::text(path)?;
    let declared: Declaration = toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        bad(path, line, e.message().to_owned())
    })?;
    if options.level.is_some() {
        return Err(TaskError::Option { task: declared.name, what: "has no levels".to_owned() });
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let train = match &declared.train {
        Some(file) => rows(&folder.join(file), None)?,
        None => Vec::new(),
    };
    let n_shots = options.shots.unwrap_or(declared.shots);
    if n_shots > train.len() {
        let what = format!("has {} rows of training data for {n_shots} examples", train.len());
        return Err(TaskError::Option { task: declared.name, what });
    }
    let maker = Maker { library, path, declared: &declared };
    let shots: Vec<Shot> = train[..n_shots].iter().map(|l| maker.shot(l)).collect::<Result<_>>()?;
    let lines = match split {
        Split::Eval => rows(&folder.join(&declared.data), declared.sha256.as_deref())?,
        Split::Train if declared.train.is_some() => train.into_iter().skip(n_shots).collect(),
        Split::Train | Split::Validation => {
            return Err(TaskError::EvaluationOnly { task: declared.name });
        }
    };
    let items: Vec<Item> =
        lines.iter().map(|line| maker.item(line, &shots)).collect::<Result<_>>()?;
    maker.refuse_twins(&items, &lines)?;
    let baseline = match &items[0].request {
        Request::Choices { choices, .. } => 1.0 / choices.len() as f64,
        _ => 0.0,
    };
    let scorer = maker.scorer(baseline)?;
    Ok(Task::fixed(&declared.name, split, items, scorer).with_baseline(baseline))
}

fn rows(path: &Path, sha256: Option<&str>) -> Result<Vec<Line<Row>>> {
    let text = readers::text(path)?;
    let found = ContentHash::of_bytes(text.as_bytes());
    if let Some(wanted) = sha256.filter(|wanted| wanted.parse() != Ok(found)) {
        let what = format!("its SHA-256 is {found}, the task was declared for {wanted}");
        return Err(bad(path, 0, what));
    }
    readers::json_lines(path, &text)
}

struct Maker<'a> {
    library: &'a Library,
    /// The declaration's own path, for errors about it.
    path: &'a Path,
    declared: &'a Declaration,
}

impl Maker<'_> {
    fn undeclared(&self, what: &str) -> TaskError {
        bad(self.path, 0, what)
    }

    fn data(&self) -> &Path {
        Path::new(&self.declared.data)
    }

    /// A template with the row's fields in it.
    fn fill(&self, template: &str, line: &Line<Row>) -> Result<String> {
        let mut text = String::new();
        let mut rest = template;
        while let Some(i) = rest.find(['{', '}']) {
            text.push_str(&rest[..i]);
            let brace = &rest[i..=i];
            rest = &rest[i + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            let (name, after) = Some(rest)
                .filter(|_| brace == "{")
                .and_then(|rest| rest.split_once('}'))
                .ok_or_else(|| {
                    self.undeclared(&format!("a brace without its partner: {template}"))
                })?;
            text.push_str(&self.field(name, line)?);
            rest = after;
        }
        text.push_str(rest);
        Ok(text)
    }

    fn field(&self, name: &str, line: &Line<Row>) -> Result<String> {
        match line.value.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Ok(other.to_string()),
            None => Err(bad(self.data(), line.number, format!("there is no field {name}"))),
        }
    }

    fn answer(&self, line: &Line<Row>) -> Result<String> {
        match (&self.declared.answer, self.declared.output) {
            (Some(template), _) => self.fill(template, line),
            (None, Kind::Choices) => {
                let (choices, gold) = self.choices(line)?;
                Ok(choices[gold].clone())
            }
            _ => Err(self.undeclared("answer is missing")),
        }
    }

    /// What a generated answer is judged by.
    fn reference(&self, line: &Line<Row>) -> Result<Value> {
        let declared = self.declared;
        if declared.scorer != Some(Rule::Program) {
            let answer = self.answer(line)?;
            return Ok(json!({ "answer": answer, "answers": [answer] }));
        }
        let Some(after) = &declared.after else {
            return Err(self.undeclared("after, the tests of a program, is missing"));
        };
        Ok(json!({
            "before": self.fill(&declared.before, line)?,
            "after": self.fill(after, line)?,
            "entry_point": self.fill(&declared.entry_point, line)?,
        }))
    }

    fn choices(&self, line: &Line<Row>) -> Result<(Vec<String>, usize)> {
        let (Some(choices), Some(gold)) = (&self.declared.choices, &self.declared.gold) else {
            return Err(self.undeclared("choices and gold name the fields of a task of choices"));
        };
        let fail = |what: String| bad(self.data(), line.number, what);
        let list = line.value.get(choices).and_then(Value::as_array);
        let list: Option<Vec<String>> =
            list.map(|l| l.iter().filter_map(|c| c.as_str().map(str::to_owned)).collect());
        let list = list.filter(|l| l.len() > 1);
        let list =
            list.ok_or_else(|| fail(format!("{choices} is no list of two or more texts")))?;
        let gold = line.value.get(gold).and_then(Value::as_u64).map(|g| g as usize);
        let gold = gold.filter(|&g| g < list.len());
        Ok((list, gold.ok_or_else(|| fail("the right answer is none of the choices".to_owned()))?))
    }

    fn shot(&self, line: &Line<Row>) -> Result<Shot> {
        let (ask, answer) = (self.fill(&self.declared.prompt, line)?, self.answer(line)?);
        Ok(Shot { id: format!("train/{}", line.number), ask, answer })
    }

    fn item(&self, line: &Line<Row>, shots: &[Shot]) -> Result<Item> {
        let declared = self.declared;
        let ask = self.fill(&declared.prompt, line)?;
        let mut prompt = Prompt {
            system: declared.system.clone(),
            shots: shots.to_vec(),
            ask,
            delimiter: declared.delimiter.clone(),
            ..Prompt::default()
        };
        let (request, reference) = match declared.output {
            Kind::Generation => {
                let (max_tokens, stop) = (declared.max_tokens, declared.stop.clone());
                let reference = self.reference(line)?;
                (Request::Generation(Generation { max_tokens, stop }), reference)
            }
            Kind::Choices => {
                let (choices, gold) = self.choices(line)?;
                let choice = |text: String| Choice {
                    context: String::new(),
                    continuation: format!("{}{text}", declared.delimiter),
                };
                let choices = choices.into_iter().map(choice).collect();
                (Request::Choices { choices, span: Span::Continuation }, json!({ "gold": gold }))
            }
            Kind::Rolling => {
                let text = std::mem::take(&mut prompt.ask);
                let n_words = text.split_whitespace().count();
                let reference = json!({ "bytes": text.len(), "words": n_words });
                (Request::Rolling { text }, reference)
            }
        };
        let id = match &declared.id {
            Some(name) => self.field(name, line)?,
            None => line.number.to_string(),
        };
        let item = Item::new(id, prompt, request, reference);
        Ok(match &declared.cluster {
            Some(name) => item.in_cluster(self.field(name, line)?),
            None => item,
        })
    }

    /// Refuses items that are there twice, by id or by content.
    fn refuse_twins(&self, items: &[Item], lines: &[Line<Row>]) -> Result<()> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        for (item, line) in items.iter().zip(lines) {
            for key in [item.hash.to_string(), format!("id {}", item.id)] {
                if let Some(first) = seen.insert(key, line.number) {
                    let what = format!("line {} repeats line {first}", line.number);
                    return Err(bad(self.data(), line.number, what));
                }
            }
        }
        Ok(())
    }

    fn scorer(&self, baseline: f64) -> Result<Arc<dyn Scorer>> {
        Ok(match (self.declared.output, self.declared.scorer) {
            (Kind::Rolling, None) => Arc::new(Perplexity),
            (Kind::Choices, None) => {
                let by = match self.declared.by {
                    Rank::Sum => By::Sum,
                    Rank::Mean => By::Mean,
                    Rank::Bytes => By::Bytes,
                };
                Arc::new(Highest { by, baseline })
            }
            (Kind::Generation, Some(Rule::Exact)) => Arc::new(Exact),
            (Kind::Generation, Some(Rule::Words)) => Arc::new(Words),
            (Kind::Generation, Some(Rule::Number)) => Arc::new(Gsm8k),
            (Kind::Generation, Some(Rule::Math)) => Arc::new(Math),
            (Kind::Generation, Some(Rule::Program)) => {
                Arc::new(Program::new(self.library.python(&self.declared.name)?))
            }
            (Kind::Generation, None) => return Err(self.undeclared("scorer is missing")),
            (_, Some(_)) => return Err(self.undeclared("likelihoods have no scorer to choose")),
        })
    }
}

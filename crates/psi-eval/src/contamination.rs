//! Whether training data holds the items of a task: shared runs of words.
//!
//! An item whose text shares a run of 13 words with a document was probably seen in training (Brown et al.
//! 2020, appendix C). Words are letters and digits, lower case; everything else separates.

use std::collections::{HashMap, HashSet};

use crate::task::{Item, Request};

/// Words of a run, unless an item is shorter.
pub const RUN: usize = 13;
/// Items with fewer words than this say too little to be found.
const MIN_WORDS: usize = 5;

/// The runs of words of some items.
#[derive(Debug)]
pub struct Index {
    ids: Vec<String>,
    /// Runs of [`RUN`] words: in which items they stand.
    long: HashMap<u64, Vec<u32>>,
    /// Whole items that are shorter, by number of words.
    short: HashMap<usize, HashMap<u64, Vec<u32>>>,
    /// Runs of each item.
    n_runs: Vec<usize>,
    /// Items whose text is too short.
    n_skipped: usize,
    seen: Vec<HashSet<u64>>,
    n_documents: u64,
}

/// An item of which something was found.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Hit {
    /// The item.
    pub id: String,
    /// Share of its runs that were found.
    pub share: f64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Report {
    /// Items looked for.
    pub n_items: usize,
    /// Items too short to look for.
    pub n_skipped: usize,
    /// Documents looked through.
    pub n_documents: u64,
    /// Items of which a run was found, the most complete first.
    pub hits: Vec<Hit>,
}

impl Index {
    /// The runs of what each item asks and what it takes for right: the question, the choices, the text.
    /// Solved examples are left out: they are training data.
    pub fn new(items: &[Item]) -> Self {
        let mut index = Self {
            ids: items.iter().map(|i| i.id.clone()).collect(),
            long: HashMap::new(),
            short: HashMap::new(),
            n_runs: vec![0; items.len()],
            n_skipped: 0,
            seen: vec![HashSet::new(); items.len()],
            n_documents: 0,
        };
        for (i, item) in items.iter().enumerate() {
            let words = words(&text(item));
            let length = words.len().min(RUN);
            if length < MIN_WORDS {
                index.n_skipped += 1;
                continue;
            }
            let runs: HashSet<u64> = words.windows(length).map(hash).collect();
            index.n_runs[i] = runs.len();
            let place = match length {
                RUN => &mut index.long,
                shorter => index.short.entry(shorter).or_default(),
            };
            runs.into_iter().for_each(|run| place.entry(run).or_default().push(i as u32));
        }
        index
    }

    /// Looks through a document.
    pub fn scan(&mut self, document: &str) {
        self.n_documents += 1;
        let words = words(document);
        let lengths = self.short.iter().map(|(length, runs)| (*length, runs));
        for (length, runs) in lengths.chain([(RUN, &self.long)]) {
            for run in words.windows(length).map(hash) {
                for &item in runs.get(&run).into_iter().flatten() {
                    self.seen[item as usize].insert(run);
                }
            }
        }
    }

    /// What was found so far.
    pub fn report(&self) -> Report {
        let found = |i: usize| self.seen[i].len() as f64 / self.n_runs[i].max(1) as f64;
        let hit = |i: usize| Hit { id: self.ids[i].clone(), share: found(i) };
        let mut hits: Vec<Hit> =
            (0..self.ids.len()).filter(|&i| !self.seen[i].is_empty()).map(hit).collect();
        hits.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.id.cmp(&b.id)));
        Report {
            n_items: self.ids.len(),
            n_skipped: self.n_skipped,
            n_documents: self.n_documents,
            hits,
        }
    }
}

fn text(item: &Item) -> String {
    let mut text = item.prompt.ask.clone();
    match &item.request {
        // All choices begin alike; one is enough.
        Request::Choices { choices, .. } => {
            for choice in choices.iter().take(1) {
                text.extend([" ", &choice.context, &choice.continuation]);
            }
        }
        Request::Rolling { text: whole } => text.push_str(whole),
        Request::Generation(_) => {}
        Request::MultiTurn { turns, .. } => turns.iter().for_each(|t| text.extend([" ", t])),
    }
    text
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    words.map(str::to_lowercase).collect()
}

/// FNV-1a over the words with a separator, mixed.
fn hash(words: &[String]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in words.iter().flat_map(|w| w.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    psi_infer::rng::mix(hash)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::task::{Generation, Prompt};

    fn item(id: &str, ask: &str) -> Item {
        let request = Request::Generation(Generation { max_tokens: 8, stop: Vec::new() });
        Item::new(id, Prompt::ask(ask), request, json!(1))
    }

    #[test]
    fn an_item_is_found_whatever_its_case_and_punctuation() {
        let long = "Natalia sold clips to 48 of her friends in April, and then she sold half as many in May";
        let items = [
            item("long", long),
            item("short", "How many days are there?"),
            item("tiny", "Why so?"),
        ];
        let mut index = Index::new(&items);
        index.scan(
            "nothing to see here, only other words about other things in another order of them",
        );
        assert!(index.report().hits.is_empty());
        index.scan(&format!("Before. {} After.", long.to_uppercase().replace(' ', "  ")));
        index.scan("how many days -- are there");
        let report = index.report();
        let hit = |id: &str, share| Hit { id: id.to_owned(), share };
        assert_eq!(report.hits, [hit("long", 1.0), hit("short", 1.0)]);
        assert_eq!((report.n_items, report.n_skipped, report.n_documents), (3, 1, 3));
    }

    #[test]
    fn half_an_item_is_half_found() {
        let words: Vec<String> = (0..26).map(|i| format!("word{i}")).collect();
        let mut index = Index::new(&[item("a", &words.join(" "))]);
        index.scan(&words[..19].join(" "));
        let hits = index.report().hits;
        assert!((hits[0].share - 0.5).abs() < 1e-12, "{hits:?}");
        index.scan(&words[..12].join(" "));
        assert_eq!(index.report().hits, hits, "12 words are no run");
    }
}

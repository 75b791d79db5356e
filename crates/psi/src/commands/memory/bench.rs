//! `psi memory bench`: how much of the evidence memory finds, and how long searching takes.

use std::{path::Path, sync::Arc, time::Instant};

use psi_agent::{
    Clock, Conversations, Db, Timestamp,
    memory::{Embedder, HashedNgrams, RecallTable, recall_bench},
};
use serde_json::{Value, json};

use crate::{
    error::{Failure, Outcome, unusable},
    out::{out, outln},
    table,
};

/// Messages of a made-up conversation.
const N_MESSAGES: usize = 50;

pub(super) fn recall(data: &Path, audit: Option<&Path>, json: bool) -> Outcome {
    let samples = read_json(data)?;
    let audit = audit.map(read_json).transpose()?;
    let folder = folder()?;
    let embedder: Arc<dyn Embedder> = Arc::new(HashedNgrams);
    let bench = recall_bench(folder.path(), &embedder, &samples, audit.as_ref());
    let bench = bench.map_err(unusable)?;
    if json {
        outln!("{:#}", json!(bench));
    } else {
        print(&bench);
    }
    Ok(())
}

/// A row per arm: all questions, then each kind; recall at 5 and at 10.
fn print(bench: &RecallTable) {
    let mut kinds: Vec<&str> = bench.rows.iter().map(|r| r.kind.as_str()).collect();
    kinds.dedup();
    let n_kinds = kinds.iter().skip(1).position(|k| *k == "all").map_or(kinds.len(), |at| at + 1);
    kinds.truncate(n_kinds);
    let counts = kinds.iter().map(|kind| {
        let n = bench.rows.iter().find(|r| r.kind == *kind).map_or(0, |r| r.n);
        format!("{kind} ({n})")
    });
    let mut head = vec!["recall @5 @10".to_owned()];
    head.extend(counts);
    head.push("MRR".to_owned());
    head.push("ms".to_owned());
    let mut rows = vec![head];
    for (arm, ms) in &bench.median_ms {
        let mut row = vec![arm.name().to_owned()];
        let of_arm: Vec<_> = bench.rows.iter().filter(|r| r.arm == *arm).collect();
        row.extend(of_arm.iter().map(|r| format!("{:.3} {:.3}", r.recall_5, r.recall_10)));
        row.push(of_arm.first().map_or("-".to_owned(), |r| format!("{:.3}", r.mrr)));
        row.push(format!("{ms:.1}"));
        rows.push(row);
    }
    out!("{}", table::columns(&rows));
    eprintln!(
        "psi: {} messages, vectors: {}; {} evidence ids of the data name no message",
        bench.n_messages, bench.embedder, bench.n_unusable_ids
    );
}

/// Searching and starting with very many conversations, made of the words of `text`.
pub(super) fn scale(text: &Path, n_conversations: usize, json: bool) -> Outcome {
    let bytes = crate::model::read(text)?;
    let words: Vec<String> = String::from_utf8_lossy(&bytes)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .take(1 << 20)
        .map(str::to_owned)
        .collect();
    if words.len() < 1000 {
        return Err(Failure::input(format!("{}: fewer than 1000 words", text.display())));
    }
    let folder = folder()?;
    let path = folder.path().join("psi.db");
    fill(&path, &words, n_conversations)?;
    let started = Instant::now();
    let db = Db::open(&path, Clock::fixed(Timestamp(0))).map_err(unusable)?;
    let conversations = Conversations::new(&db);
    conversations.list(50, 0).map_err(unusable)?;
    let start_ms = started.elapsed().as_secs_f64() * 1e3;
    let mut times = Vec::new();
    for i in 0..100 {
        // Common words and rare ones, one to three of them.
        let at = i * 7919 % (words.len() - 3);
        let query = words[at..at + 1 + i % 3].join(" ");
        let started = Instant::now();
        conversations.search(&query, 20).map_err(unusable)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let (median, p95, worst) = (times[50], times[95], times[99]);
    if json {
        let search = json!({ "median": median, "p95": p95, "max": worst });
        outln!(
            "{:#}",
            json!({ "conversations": n_conversations, "start_ms": start_ms, "search_ms": search })
        );
    } else {
        outln!("{n_conversations} conversations of {N_MESSAGES} messages");
        outln!("start and list  {start_ms:.1} ms");
        outln!(
            "search          {median:.1} ms median, {p95:.1} ms at 95 %, {worst:.1} ms worst of 100"
        );
    }
    Ok(())
}

/// Writes conversations of 40 words per message, from the text's words in order.
fn fill(path: &Path, words: &[String], n_conversations: usize) -> Outcome {
    let db = Db::open(path, Clock::fixed(Timestamp(0))).map_err(unusable)?;
    let conversations = Conversations::new(&db);
    let mut at = 0;
    let mut message = |i: usize| {
        let text: Vec<&str> = (0..40).map(|k| words[(at + k) % words.len()].as_str()).collect();
        at = (at + 41) % words.len();
        let role = if i.is_multiple_of(2) { "user" } else { "assistant" };
        json!({
            "id": i, "parent": i.checked_sub(1), "role": role, "state": "complete",
            "content": text.join(" "), "created_at": i,
        })
    };
    for batch in (0..n_conversations).step_by(200) {
        let many: Vec<Value> = (batch..n_conversations.min(batch + 200))
            .map(|c| {
                let messages: Vec<Value> = (0..N_MESSAGES).map(&mut message).collect();
                json!({"title": format!("conversation {c}"), "created_at": c, "messages": messages})
            })
            .collect();
        let document = json!({"format": "psi-conversations", "version": 1, "conversations": many});
        conversations.import(&document).map_err(unusable)?;
    }
    Ok(())
}

fn folder() -> Outcome<tempfile::TempDir> {
    tempfile::tempdir().map_err(|e| Failure::failed("no folder for the bench").because(e))
}

fn read_json(path: &Path) -> Outcome<Value> {
    let bytes = crate::model::read(path)?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Failure::input(format!("{}: no JSON: {e}", path.display())))
}

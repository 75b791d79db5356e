//! `psi memory`: what the assistant knows, and how well it finds it.

mod bench;

use std::sync::Arc;

use psi_agent::memory::{Arm, Fact, HashedNgrams, Memory};
use serde_json::json;

use super::database;
use crate::{
    cli,
    error::{Outcome, unusable},
    out::{out, outln},
    table,
};

pub(crate) fn run(command: &cli::Memory) -> Outcome {
    match command {
        cli::Memory::List { all, json } => list(*all, *json),
        cli::Memory::Search { words, said, limit, json } => {
            let query = words.join(" ");
            if *said { said_search(&query, *limit, *json) } else { search(&query, *limit, *json) }
        }
        cli::Memory::Forget { ids, all } => forget(ids, *all),
        cli::Memory::Bench { data, audit, scale: None, json } => {
            bench::recall(data, audit.as_deref(), *json)
        }
        cli::Memory::Bench { data, scale: Some(n), json, .. } => bench::scale(data, *n, *json),
    }
}

fn memory() -> Outcome<Memory> {
    Ok(Memory::new(&database::open()?, Arc::new(HashedNgrams)))
}

fn list(with_closed: bool, json: bool) -> Outcome {
    let facts = memory()?.list(with_closed, usize::MAX >> 1, 0).map_err(unusable)?;
    if json {
        outln!("{:#}", json!({ "facts": facts }));
    } else if facts.is_empty() {
        outln!("nothing is remembered");
    } else {
        let head = ["fact", "said", "holds", "text"].map(str::to_owned).to_vec();
        let rows: Vec<_> = std::iter::once(head).chain(facts.iter().map(row)).collect();
        out!("{}", table::columns(&rows));
    }
    Ok(())
}

fn row(fact: &Fact) -> Vec<String> {
    let holds = match (fact.pinned, fact.closed_at, fact.valid_to) {
        (true, ..) => "pinned".to_owned(),
        (_, Some(_), Some(end)) => format!("until {}", end.date()),
        (_, Some(_), None) => "no longer".to_owned(),
        (_, None, Some(end)) => format!("to {}", end.date()),
        (_, None, None) => "yes".to_owned(),
    };
    vec![fact.id.to_string(), fact.said_at.date().to_string(), holds, fact.text.clone()]
}

fn search(query: &str, limit: usize, json: bool) -> Outcome {
    let hits = memory()?.search(query, true, limit).map_err(unusable)?;
    if json {
        outln!("{:#}", json!({ "query": query, "hits": hits }));
        return Ok(());
    }
    let head = ["fact", "score", "words", "vector", "text"].map(str::to_owned).to_vec();
    let rows = hits.iter().map(|hit| {
        let place = hit.full_text.map_or("-".to_owned(), |at| format!("#{at}"));
        let cosine = hit.cosine.map_or("-".to_owned(), |c| format!("{c:.2}"));
        vec![
            hit.fact.id.to_string(),
            format!("{:.2}", hit.score),
            place,
            cosine,
            hit.fact.text.clone(),
        ]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    out!("{}", table::columns(&rows));
    Ok(())
}

fn said_search(query: &str, limit: usize, json: bool) -> Outcome {
    let hits = memory()?.episodes(query, Arm::Temporal, limit).map_err(unusable)?;
    if json {
        outln!("{:#}", json!({ "query": query, "hits": hits }));
        return Ok(());
    }
    for hit in hits {
        let text = hit.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = text.chars().take(160).collect();
        outln!("{:.2}  {}  chat {}  {short}", hit.score, hit.said_at.date(), hit.conversation);
    }
    Ok(())
}

fn forget(ids: &[i64], all: bool) -> Outcome {
    let memory = memory()?;
    if all {
        let n = memory.forget_all().map_err(unusable)?;
        outln!("{n} facts forgotten");
        return Ok(());
    }
    for &id in ids {
        let fact = memory.get(id).map_err(unusable)?;
        memory.forget(id).map_err(unusable)?;
        outln!("forgotten: {}", fact.text);
        let traces = memory.traces(&fact.text).map_err(unusable)?;
        if !traces.is_empty() {
            eprintln!(
                "psi: {} messages still hold these words; deleting them is up to you",
                traces.len()
            );
        }
    }
    Ok(())
}

//! Training and validation never share a document.

use std::collections::BTreeSet;

use psi_train::data::{DataConfig, Loader, Packing, Rows, SourceConfig};

use crate::workshop::{Workshop, chat, config, segments};

/// The documents that a loader trains on in its first epochs, and those it evaluates.
fn both_sides(loader: &mut Loader) -> (BTreeSet<Vec<u32>>, Vec<Vec<u32>>) {
    let documents = |rows: &Rows| -> Vec<Vec<u32>> {
        segments(rows).iter().map(|(tokens, _)| tokens.to_vec()).collect()
    };
    let mut train = BTreeSet::new();
    while loader.epochs()[0] < 3.0 {
        train.extend(documents(&loader.next_rows().unwrap()));
    }
    let validation = loader.validation().flat_map(|rows| documents(&rows.unwrap())).collect();
    (train, validation)
}

fn numbered(range: std::ops::Range<usize>) -> String {
    range.map(|i| chat(&["cat?", &format!("dog {i}")])).collect()
}

#[test]
fn a_fraction_of_the_documents_is_set_aside_by_their_content() {
    let shop = Workshop::new();
    // Each line twice: copies must stay on one side.
    let path = shop.file("a.jsonl", numbered(0..300) + &numbered(0..300));
    let config = DataConfig {
        packing: Packing::Whole,
        seq_len: 60,
        validation_fraction: 0.1,
        ..config(&path)
    };
    let mut loader = shop.open(&config, 1).unwrap();
    let (train, validation) = both_sides(&mut loader);
    let distinct: BTreeSet<_> = validation.iter().cloned().collect();
    assert!(train.is_disjoint(&distinct));
    assert_eq!(train.len() + distinct.len(), 300);
    assert_eq!(validation.len(), 2 * distinct.len(), "every copy is evaluated");
    assert!((15..=50).contains(&distinct.len()), "{} of 300", distinct.len());
    let report = loader.report();
    assert_eq!(report.sources[0].validation_documents, validation.len() as u64);
    // More data leave the old ones where they were.
    shop.file("a.jsonl", numbered(0..500));
    let (_, larger) = both_sides(&mut shop.open(&config, 2).unwrap());
    assert!(distinct.is_subset(&larger.into_iter().collect()));
}

#[test]
fn separate_validation_files_win_over_copies_in_training() {
    let shop = Workshop::new();
    let train = shop.file("train.jsonl", numbered(0..50));
    let validation = shop.file("valid.jsonl", numbered(45..55));
    let config = DataConfig {
        packing: Packing::Whole,
        seq_len: 60,
        validation: vec![SourceConfig::at(&validation)],
        ..config(&train)
    };
    let mut loader = shop.open(&config, 1).unwrap();
    let (train, validation) = both_sides(&mut loader);
    assert_eq!((train.len(), validation.len()), (45, 10));
    assert!(validation.iter().all(|v| !train.contains(v)));
    assert_eq!(loader.report().sources[0].held_out, 5);
}

#[test]
fn validation_covers_every_token_once_and_is_the_same_each_time() {
    let shop = Workshop::new();
    let valid =
        shop.file("valid.txt", "the cat sat on the mat\n\nand the dog ran after it\n\nbecause");
    let train = shop.file("train.txt", "a dog");
    let valid = SourceConfig { split_at: Some(String::new()), ..SourceConfig::at(&valid) };
    let config =
        DataConfig { validation: vec![valid], batch_rows: 2, seq_len: 7, ..config(&train) };
    let mut loader = shop.open(&config, 1).unwrap();
    let rows = |loader: &Loader| loader.validation().map(Result::unwrap).collect::<Vec<_>>();
    let first = rows(&loader);
    let n_tokens = loader.report().validation[0].tokens as usize;
    let tokens: Vec<u32> = first.iter().flat_map(|r| r.tokens.clone()).collect();
    let targets: Vec<u32> = first.iter().flat_map(|r| r.targets.clone()).collect();
    assert_eq!(tokens.len(), n_tokens - 1);
    assert_eq!(tokens[1..], targets[..n_tokens - 2], "each token is the target of the one before");
    // Every byte counts once, but for those of the very first token.
    let bytes: u64 = first.iter().map(|r| r.bytes).sum();
    let all = loader.report().validation[0].bytes;
    let first_token = shop.tokenizer.token_bytes(tokens[0]).len() as u64;
    assert_eq!(bytes, all - first_token);
    loader.next_rows().unwrap();
    assert_eq!(rows(&loader), first);
}

#[test]
fn a_fraction_that_sets_nothing_aside_is_refused() {
    let shop = Workshop::new();
    let path = shop.file("a.txt", "one document");
    let error = shop.refused(&DataConfig { validation_fraction: 1e-9, ..config(&path) });
    assert!(error.to_string().contains("none of 1 documents"), "{error}");
    let both = DataConfig {
        validation_fraction: 0.5,
        validation: vec![SourceConfig::at(&path)],
        ..config(&path)
    };
    assert!(shop.refused(&both).to_string().contains("data.validation is set too"));
    let same = DataConfig { validation: vec![SourceConfig::at(&path)], ..config(&path) };
    assert!(shop.refused(&same).to_string().contains("no documents to train on"));
}

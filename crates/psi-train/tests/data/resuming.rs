//! A loader goes on from any position with the rows it would have served.

use proptest::prelude::*;
use psi_train::data::{DataConfig, Packing, Position, SourceConfig};

use crate::workshop::{Workshop, chat, config};

/// Two sources with documents of many lengths.
fn two_sources(shop: &Workshop, packing: Packing) -> DataConfig {
    let words = ["cat", "dog", "mat", "sat", "ran", "because", "after", "the"];
    let text = |i: usize| (0..=i % 7).map(|j| words[(i + j) % 8]).collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = (0..40).map(|i| chat(&["cat?", &text(i)])).collect();
    let chats = SourceConfig {
        weight: Some(2.0),
        ..SourceConfig::at(&shop.file("c.jsonl", lines.concat()))
    };
    let texts = (0..9).map(text).collect::<Vec<_>>().join("\n");
    let texts = SourceConfig {
        weight: Some(1.0),
        split_at: Some(String::new()),
        ..SourceConfig::at(&shop.file("t.txt", texts.replace('\n', "\n\n")))
    };
    DataConfig { sources: vec![chats, texts], packing, seq_len: 40, batch_rows: 2, ..config("") }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_fresh_loader_at_a_saved_position_serves_the_same_rows(
        before in 0_usize..60, seed in 0_u64..5, whole in any::<bool>(), apart in any::<bool>(),
    ) {
        let shop = Workshop::new();
        let packing = if whole { Packing::Whole } else { Packing::Stream };
        let config =
            DataConfig { attend_across_documents: !apart, ..two_sources(&shop, packing) };
        let mut loader = shop.open(&config, seed).unwrap();
        for _ in 0..before {
            loader.next_rows().unwrap();
        }
        let saved = serde_json::to_string(&loader.position()).unwrap();
        prop_assert!(saved.len() < 1500, "{} bytes", saved.len());
        let position: Position = serde_json::from_str(&saved).unwrap();
        prop_assert_eq!(&position, &loader.position());
        let mut fresh = shop.open(&config, seed).unwrap();
        fresh.seek(&position).unwrap();
        for _ in 0..40 {
            prop_assert_eq!(fresh.next_rows().unwrap(), loader.next_rows().unwrap());
        }
        prop_assert_eq!(fresh.position(), loader.position());
        prop_assert_eq!(fresh.epochs(), loader.epochs());
    }
}

#[test]
fn positions_of_other_data_seeds_or_options_are_refused() {
    let shop = Workshop::new();
    let config = two_sources(&shop, Packing::Whole);
    let mut loader = shop.open(&config, 1).unwrap();
    loader.next_rows().unwrap();
    let position = loader.position();
    assert!(shop.open(&config, 1).unwrap().seek(&position).is_ok());
    let mut others = vec![(config.clone(), 2)];
    others.push((DataConfig { seq_len: 41, ..config.clone() }, 1));
    others.push((DataConfig { packing: Packing::Stream, ..config.clone() }, 1));
    others.push((DataConfig { validation_fraction: 0.2, ..config.clone() }, 1));
    shop.file("c.jsonl", chat(&["cat?", "dog"]));
    others.push((config, 1));
    for (other, seed) in others {
        let error = shop.open(&other, seed).unwrap().seek(&position).unwrap_err();
        assert!(error.to_string().contains("does not fit the data"), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_position_with_numbers_out_of_range_is_refused() {
    let shop = Workshop::new();
    let config = two_sources(&shop, Packing::Whole);
    let mut loader = shop.open(&config, 1).unwrap();
    loader.next_rows().unwrap();
    let good = serde_json::to_value(loader.position()).unwrap();
    for (pointer, value) in [
        ("/pending/0", "[7, 0]"),
        ("/pending/0", "[0, 99]"),
        ("/sources/0/next", "41"),
        ("/sources", "[]"),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = serde_json::from_str(value).unwrap();
        let bad: Position = serde_json::from_value(bad).unwrap();
        assert!(loader.seek(&bad).is_err(), "{pointer} {value}");
    }
}

#[test]
fn sources_get_their_shares_of_the_tokens() {
    let shop = Workshop::new();
    let config = two_sources(&shop, Packing::Stream);
    let mut loader = shop.open(&config, 3).unwrap();
    let n_tokens: Vec<f64> =
        loader.report().sources.iter().map(|s| s.train_tokens as f64).collect();
    for _ in 0..200 {
        loader.next_rows().unwrap();
    }
    let drawn: Vec<f64> =
        loader.epochs().iter().zip(&n_tokens).map(|(epochs, n)| epochs * n).collect();
    let share = drawn[0] / (drawn[0] + drawn[1]);
    assert!((share - 2.0 / 3.0).abs() < 0.01, "share of the first source: {share}");
    assert!((drawn[0] + drawn[1] - 200.0 * 80.0).abs() < 100.0, "drawn: {drawn:?}");
}

#[test]
fn without_weights_sources_end_their_epochs_together() {
    let shop = Workshop::new();
    let mut config = two_sources(&shop, Packing::Stream);
    config.sources.iter_mut().for_each(|s| s.weight = None);
    let mut loader = shop.open(&config, 3).unwrap();
    for _ in 0..100 {
        loader.next_rows().unwrap();
        let epochs = loader.epochs();
        assert!((epochs[0] - epochs[1]).abs() < 0.3, "{epochs:?}");
    }
}

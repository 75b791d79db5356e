//! The cache of tokens: found again by content, the same whatever made it, refused when damaged.

use psi_train::data::{DataConfig, SourceConfig};

use crate::workshop::{Workshop, config};

fn shards(shop: &Workshop) -> Vec<std::path::PathBuf> {
    let list = std::fs::read_dir(shop.dir.path().join("cache")).unwrap();
    let mut list: Vec<_> = list.map(|e| e.unwrap().path()).collect();
    list.sort();
    list
}

#[test]
fn a_second_start_uses_the_tokens_of_the_first() {
    let shop = Workshop::new();
    let path = shop.file("a.txt", "the cat");
    let from_cache =
        |config: &DataConfig| shop.open(config, 0).unwrap().report().sources[0].from_cache;
    assert!(!from_cache(&config(&path)));
    assert!(from_cache(&config(&path)));
    // Packing is not part of the tokens; the content of the file, its name apart, is.
    assert!(from_cache(&DataConfig { seq_len: 3, ..config(&path) }));
    assert!(from_cache(&config(&shop.file("b.txt", "the cat"))));
    assert!(!from_cache(&config(&shop.file("a.txt", "the dog"))));
    let cut = SourceConfig { split_at: Some("x".into()), ..SourceConfig::at(&path) };
    assert!(!from_cache(&DataConfig { sources: vec![cut], ..config(&path) }));
    assert_eq!(shards(&shop).len(), 3);
}

#[test]
fn one_thread_and_four_make_the_same_tokens() {
    let lines: Vec<String> = (0..5000)
        .map(|i| match i % 100 {
            99 => format!("{{\"text\": {i}}}\n"),
            _ => format!("{{\"text\": \"the cat {i} sat on the mat {}\"}}\n", i * 7),
        })
        .collect();
    let made = [1, 4].map(|n_threads| {
        let shop = Workshop { n_threads, ..Workshop::new() };
        let path = shop.file("a.jsonl", lines.concat());
        let config = DataConfig { max_bad_rows: 50, ..config(&path) };
        let report = shop.open(&config, 0).unwrap().report();
        assert_eq!((report.sources[0].documents, report.sources[0].bad_rows), (4950, 50));
        let lines: Vec<u64> = report.sources[0].bad.iter().map(|b| b.line).collect();
        assert_eq!(lines, (1..=20).map(|i| i * 100).collect::<Vec<_>>());
        let bytes = std::fs::read(&shards(&shop)[0]).unwrap();
        bytes[..bytes.len() * 9 / 10].to_vec() // the end names the folder
    });
    assert_eq!(made[0], made[1]);
}

#[test]
fn bad_rows_count_again_when_their_tokens_come_from_the_cache() {
    let shop = Workshop::new();
    let path = shop.file("a.jsonl", "{\"text\":\"the cat\"}\n{\"text\":\"\"}\n");
    let lenient = DataConfig { max_bad_rows: 1, ..config(&path) };
    shop.open(&lenient, 0).unwrap();
    let report = shop.open(&lenient, 0).unwrap().report();
    assert!(report.sources[0].from_cache);
    assert_eq!(report.sources[0].bad[0].to_string(), format!("{path}:2: the text is empty"));
    let error = shop.refused(&config(&path)).to_string();
    assert!(error.contains("a.jsonl:2: the text is empty"), "{error}");
}

#[test]
fn a_damaged_shard_is_refused_and_named() {
    let shop = Workshop::new();
    let path = shop.file("a.txt", "the cat sat on the mat");
    let mut loader = shop.open(&config(&path), 0).unwrap();
    let expected = loader.next_rows().unwrap();
    let shard = shards(&shop).remove(0);
    let good = std::fs::read(&shard).unwrap();
    for cut in [0, 7, 39, 40, 47, good.len() - 1] {
        psi_store::write_atomic(&shard, &good[..cut]).unwrap();
        let error = shop.refused(&config(&path)).to_string();
        assert!(error.contains("damaged") && error.contains(".tokens"), "{error}");
    }
    for at in 0..good.len() {
        for bit in [0x01, 0x80] {
            let mut bad = good.clone();
            bad[at] ^= bit;
            psi_store::write_atomic(&shard, &bad).unwrap();
            // Either noticed, or other tokens of the vocabulary; never a panic.
            if let Ok(mut loader) = shop.open(&config(&path), 0) {
                let _ = loader.next_rows();
            }
        }
    }
    psi_store::write_atomic(&shard, &good).unwrap();
    assert_eq!(shop.open(&config(&path), 0).unwrap().next_rows().unwrap(), expected);
}

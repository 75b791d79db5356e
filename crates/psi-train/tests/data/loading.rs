//! Text through the loader: every token used once per epoch, in an order that can be resumed.

use psi_train::data::{DataConfig, NO_TARGET};

use crate::workshop::{Workshop, config};

#[test]
fn an_epoch_of_the_stream_is_every_document_once_with_its_end_token() {
    let shop = Workshop::new();
    let texts = ["the cat sat", "on the mat", "a dog ran after the cat", "because"];
    for (i, text) in texts.iter().enumerate() {
        shop.file(&format!("{i}.txt"), text);
    }
    let folder = shop.path("");
    let mut loader = shop.open(&config(folder.to_str().unwrap()), 7).unwrap();
    let end = shop.tokenizer.eos().unwrap();
    let n = loader.epoch_tokens() as usize;
    let mut stream = Vec::new();
    while stream.len() < 3 * n {
        let rows = loader.next_rows().unwrap();
        assert_eq!(rows.tokens[1..], rows.targets[..15], "targets are the next tokens");
        assert_eq!(rows.segments, [16]);
        stream.extend(rows.tokens);
    }
    let mut orders = Vec::new();
    for epoch in stream.chunks_exact(n).take(3) {
        assert_eq!(epoch.last(), Some(&end));
        let documents: Vec<String> = epoch
            .split_inclusive(|&t| t == end)
            .map(|d| shop.tokenizer.decode(&d[..d.len() - 1], false))
            .collect();
        let mut sorted = documents.clone();
        sorted.sort();
        let mut expected = texts.map(str::to_owned).to_vec();
        expected.sort();
        assert_eq!(sorted, expected);
        orders.push(documents);
    }
    assert!(orders[0] != orders[1] || orders[1] != orders[2], "epochs have orders of their own");
}

#[test]
fn documents_that_do_not_see_each_other_are_segments_without_a_target_between() {
    let shop = Workshop::new();
    let path = shop.file("a.jsonl", "{\"text\":\"the cat\"}\n{\"text\":\"a dog ran\"}\n");
    let across = config(&path);
    let apart = DataConfig { attend_across_documents: false, ..across.clone() };
    let (mut across, mut apart) = (shop.open(&across, 1).unwrap(), shop.open(&apart, 1).unwrap());
    for _ in 0..20 {
        let (a, b) = (across.next_rows().unwrap(), apart.next_rows().unwrap());
        assert_eq!(a.tokens, b.tokens);
        assert_eq!(b.segments.iter().sum::<usize>(), 16);
        let mut ends = Vec::new();
        b.segments.iter().fold(0, |at, n| {
            ends.push(at + n);
            at + n
        });
        let end = shop.tokenizer.eos().unwrap();
        for i in 0..16 {
            let is_end = b.tokens[i] == end;
            assert_eq!(b.targets[i], if is_end { NO_TARGET } else { a.targets[i] });
            assert!(!is_end || ends.contains(&(i + 1)));
        }
        assert!(a.bytes > 0 && b.bytes <= a.bytes);
    }
}

#[test]
fn long_documents_are_read_side_by_side_and_each_of_them_whole() {
    let shop = Workshop::new();
    const N: usize = 80;
    let text = |i: usize| format!("the cat {i} {}", "sat on the mat ".repeat(20 + i % 3));
    for i in 0..N {
        shop.file(&format!("{i}.txt"), text(i));
    }
    let folder = shop.path("");
    let mut loader = shop.open(&config(folder.to_str().unwrap()), 5).unwrap();
    let end = shop.tokenizer.eos().unwrap();
    let mut lanes = vec![Vec::new(); 16];
    let mut first_rows = std::collections::BTreeSet::new();
    for i in 0..2 * loader.epoch_tokens() as usize / 16 {
        let rows = loader.next_rows().unwrap();
        if i < lanes.len() {
            first_rows.insert(rows.tokens.clone());
        }
        lanes[i % 16].extend(rows.tokens);
    }
    assert_eq!(first_rows.len(), lanes.len(), "a batch has many documents");
    let mut seen = [0; N];
    for lane in &lanes {
        let whole = lane.split_inclusive(|&t| t == end).filter(|d| d.last() == Some(&end));
        for document in whole {
            let found = shop.tokenizer.decode(&document[..document.len() - 1], false);
            let at = (0..N).find(|&i| text(i) == found);
            seen[at.expect("no document is torn")] += 1;
        }
    }
    // Of the third epoch some are read when the last of the second are still under way.
    assert!(seen.iter().all(|n| (1..=3).contains(n)), "{seen:?}");
    assert!(seen.iter().filter(|&&n| n == 2).count() > N / 2, "{seen:?}");
}

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

//! Files that are not what they should be: refused or counted, with their place, in bounded memory.

use parquet::basic::Compression;
use psi_train::data::{DataConfig, DataError, SourceConfig};

use crate::formats::parquet_file;
use crate::workshop::{Workshop, config};

#[track_caller]
fn refused(shop: &Workshop, config: &DataConfig, words: &[&str]) -> DataError {
    let error = shop.refused(config);
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    for word in words {
        assert!(text.contains(word), "no '{word}' in: {text}");
    }
    error
}

#[test]
fn rows_that_cannot_be_used_are_named_with_file_and_line() {
    let cases: [(&str, &[u8], &[&str]); 12] = [
        ("a.txt", b"", &["a.txt: the text is empty"]),
        ("a.txt", b" \n\t\n", &["a.txt: the text is empty"]),
        ("a.txt", b"cat\0dog", &["a.txt: not text: it holds zero bytes"]),
        ("a.txt", b"cat \xff dog", &["a.txt: not UTF-8 (byte 4)"]),
        ("a.jsonl", b"", &["a.jsonl: the file holds no documents"]),
        ("a.jsonl", b"\n\n", &["a.jsonl: the file holds no documents"]),
        ("a.jsonl", b"{\"text\":\"cat\"}\n\n{\"text\":\"do", &["a.jsonl:3: not JSON: EOF"]),
        ("a.jsonl", b"{\"text\":\"\xff\"}", &["a.jsonl:1: not UTF-8 (byte 9)"]),
        ("a.jsonl", b"[1]", &["a.jsonl:1: expected an object, found a list"]),
        (
            "a.jsonl",
            b"{\"body\":\"cat\"}",
            &["neither 'text' nor 'messages' among the keys (body)"],
        ),
        ("a.csv", b"id,text\n1,cat\n2\n", &["a.csv:3: the row has 1 columns only"]),
        ("a.csv", b"id,text\n", &["a.csv: the file holds no documents"]),
    ];
    for (name, content, words) in cases {
        let shop = Workshop::new();
        let path = shop.file(name, content);
        let error = refused(&shop, &config(&path), words);
        assert!(error.hint().unwrap().contains("data.max_bad_rows"));
    }
    let shop = Workshop::new();
    let deep = format!("{{\"text\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    refused(&shop, &config(&shop.file("deep.jsonl", deep)), &["deep.jsonl:1: not JSON: recursion"]);
}

#[test]
fn bad_rows_up_to_the_limit_are_counted_and_one_more_stops() {
    let shop = Workshop::new();
    let path = shop.file("a.jsonl", "{\"text\":\"cat\"}\nx\n{\"text\":\"dog\"}\ny\n");
    let allowed = DataConfig { max_bad_rows: 2, ..config(&path) };
    let report = shop.open(&allowed, 0).unwrap().report();
    assert_eq!((report.sources[0].documents, report.sources[0].bad_rows), (2, 2));
    let strict = DataConfig { max_bad_rows: 1, ..config(&path) };
    refused(&shop, &strict, &["2 bad rows", "allows 1", "a.jsonl:2: ", "a.jsonl:4: "]);
}

#[test]
fn files_that_cannot_be_read_at_all_are_named() {
    let shop = Workshop::new();
    let at = |name: &str, content: &[u8]| config(&shop.file(name, content));
    refused(&shop, &config("no/such/thing.txt"), &["no/such/thing.txt: no such file or folder"]);
    refused(
        &shop,
        &config(&format!("{}/x*.txt", shop.path("").display())),
        &["no files to train on"],
    );
    refused(&shop, &at("a.docx", b"x"), &["a.docx", "does not say what kind of file"]);
    shop.file("folder/a.png", "x");
    refused(
        &shop,
        &config(shop.path("folder").to_str().unwrap()),
        &["no files", "1 with other names"],
    );
    refused(
        &shop,
        &at("a.csv", b"id,body\n1,cat\n"),
        &["a.csv: there is no column 'text'; there are 'id', 'body'"],
    );
    let column = SourceConfig {
        column: Some("txet".into()),
        ..SourceConfig::at(&shop.file("b.parquet", parquet_file(Compression::SNAPPY)))
    };
    let error = refused(
        &shop,
        &DataConfig { sources: vec![column], ..config("") },
        &["b.parquet: there is no column 'txet'; there are 'id', 'text'"],
    );
    assert!(error.hint().unwrap().contains("'text'"));
    refused(&shop, &at("a.parquet", b"PAR1 not really PAR1"), &["a.parquet: not a Parquet file"]);
    refused(&shop, &at("e.parquet", b""), &["e.parquet: not a Parquet file"]);
    refused(&shop, &at("a.txt.gz", b"not packed"), &["a.txt.gz: the compressed data are damaged"]);
    refused(&shop, &at("a.txt.zst", b"not packed"), &["a.txt.zst"]);
    refused(&shop, &at("a.parquet.gz", b"x"), &["a.parquet.gz: Parquet cannot be read packed"]);
}

#[test]
fn a_truncated_packed_file_is_an_error_and_not_a_shorter_one() {
    let shop = Workshop::new();
    let text = "{\"text\":\"the cat sat\"}\n".repeat(1000);
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut writer, text.as_bytes()).unwrap();
    let gzip = writer.finish().unwrap();
    let zstd = zstd::stream::encode_all(text.as_bytes(), 3).unwrap();
    for (name, bytes) in [("a.jsonl.gz", gzip), ("a.jsonl.zst", zstd)] {
        let path = shop.file(name, &bytes[..bytes.len() - 6]);
        refused(&shop, &config(&path), &[name, "damaged"]);
    }
}

#[test]
fn a_line_text_or_table_row_over_the_limit_is_refused_without_being_held() {
    let shop = Workshop::new();
    let long = "cat ".repeat(600_000); // 2.4 MB
    let small = |path: &str| DataConfig { max_document_mb: 1, ..config(path) };
    let reason = "is longer than 1 MB (data.max_document_mb)";
    let path = shop.file("a.jsonl", format!("{{\"text\":\"cat\"}}\n{{\"text\":\"{long}\"}}\n"));
    refused(&shop, &small(&path), &["a.jsonl:2", reason]);
    refused(&shop, &small(&shop.file("a.txt", &long)), &["a.txt", reason, "split_at"]);
    let lines = SourceConfig {
        split_at: Some("--".into()),
        ..SourceConfig::at(&shop.file("b.txt", format!("cat\n--\n{}", long.replace(' ', "\n"))))
    };
    let lines = DataConfig { sources: vec![lines], ..small("") };
    refused(&shop, &lines, &["b.txt:3", reason]);
    let path = shop.file("a.csv", format!("id,text\n1,cat\n2,\"never closed {long}\n"));
    let error = refused(&shop, &small(&path), &["a.csv", reason]);
    assert!(error.hint().unwrap().contains("quotation mark"));
    // What is small enough still counts when the rest is allowed to be bad.
    let path = shop.path("a.jsonl");
    let lenient = DataConfig { max_bad_rows: 1, ..small(path.to_str().unwrap()) };
    assert_eq!(shop.open(&lenient, 0).unwrap().report().sources[0].documents, 1);
}

#[test]
fn a_damaged_parquet_file_is_an_error_or_other_text_but_never_a_panic() {
    let shop = Workshop::new();
    let good = parquet_file(Compression::SNAPPY);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {})); // the library's own panics are caught and reported
    let mut refused = 0;
    let places = (0..good.len()).step_by(3);
    for at in places.clone() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        let path = shop.file("bad.parquet", bad);
        refused += usize::from(shop.open(&config(&path), 0).is_err());
    }
    for cut in (0..good.len()).step_by(17) {
        assert!(shop.open(&config(&shop.file("bad.parquet", &good[..cut])), 0).is_err());
    }
    std::panic::set_hook(hook);
    assert!(refused > places.len() / 4, "{refused} of {} noticed", places.len());
}

#[test]
fn impossible_configurations_name_the_key() {
    let shop = Workshop::new();
    let good = config(&shop.file("a.txt", "the cat"));
    let weight = |w| {
        let source = SourceConfig { weight: Some(w), ..good.sources[0].clone() };
        DataConfig { sources: vec![source], ..good.clone() }
    };
    let mut mixed = weight(1.0);
    mixed.sources.push(good.sources[0].clone());
    for (config, key) in [
        (DataConfig { sources: vec![], ..good.clone() }, "data.sources"),
        (DataConfig { seq_len: 0, ..good.clone() }, "data.seq_len"),
        (DataConfig { batch_rows: 0, ..good.clone() }, "data.batch_rows"),
        (DataConfig { validation_fraction: f64::NAN, ..good.clone() }, "data.validation_fraction"),
        (DataConfig { validation_fraction: 1.0, ..good.clone() }, "data.validation_fraction"),
        (DataConfig { end_token: Some("cat".into()), ..good.clone() }, "data.end_token"),
        (weight(0.0), "data.sources.weight"),
        (weight(f64::INFINITY), "data.sources.weight"),
        (mixed, "data.sources.weight"),
    ] {
        refused(&shop, &config, &[key]);
    }
}

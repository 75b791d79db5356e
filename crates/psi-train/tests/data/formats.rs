//! Every format says the same documents.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use psi_train::data::{DataConfig, Format, Loader, Packing, SourceConfig};

use crate::workshop::{Workshop, config};

const TEXTS: [&str; 3] = ["the cat", "a \"dog\", ran", "on\nthe mat"];

/// The documents of a loader with one source, sorted.
fn documents(shop: &Workshop, loader: &mut Loader) -> Vec<String> {
    let end = shop.tokenizer.eos().unwrap();
    let mut stream = Vec::new();
    while stream.len() < loader.epoch_tokens() as usize {
        stream.extend(loader.next_rows().unwrap().tokens);
    }
    stream.truncate(loader.epoch_tokens() as usize);
    let cut = stream.split(|&t| t == end).filter(|d| !d.is_empty());
    let mut found: Vec<String> = cut.map(|d| shop.tokenizer.decode(d, false)).collect();
    found.sort();
    found
}

#[track_caller]
fn holds(shop: &Workshop, source: SourceConfig, expected: &[&str]) {
    let config = DataConfig { sources: vec![source], ..config("") };
    let mut loader = shop.open(&config, 0).unwrap();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(documents(shop, &mut loader), expected);
}

fn jsonl() -> String {
    TEXTS.iter().map(|t| format!("{}\n", serde_json::json!({"id": 1, "text": t}))).collect()
}

fn packed(bytes: &[u8], gzip: bool) -> Vec<u8> {
    if gzip {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    } else {
        zstd::stream::encode_all(bytes, 3).unwrap()
    }
}

pub(crate) fn parquet_file(compression: Compression) -> Vec<u8> {
    let schema = "message m { required int64 id; optional binary text (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    // Two row groups.
    for part in [&TEXTS[..2], &TEXTS[2..]] {
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let ids: Vec<i64> = (0..part.len() as i64).collect();
        column.typed::<parquet::data_type::Int64Type>().write_batch(&ids, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let texts: Vec<ByteArray> = part.iter().map(|&t| t.into()).collect();
        let levels = vec![1; part.len()];
        column.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

#[test]
fn json_lines_csv_and_parquet_hold_the_same_documents() {
    let shop = Workshop::new();
    let at = |name: &str, bytes: &[u8]| SourceConfig::at(&shop.file(name, bytes));
    holds(&shop, at("a.jsonl", jsonl().as_bytes()), &TEXTS);
    holds(&shop, at("a.jsonl.gz", &packed(jsonl().as_bytes(), true)), &TEXTS);
    holds(&shop, at("a.jsonl.zst", &packed(jsonl().as_bytes(), false)), &TEXTS);
    let csv = "id,text\n1,the cat\n2,\"a \"\"dog\"\", ran\"\n3,\"on\nthe mat\"\n";
    holds(&shop, at("a.csv", csv.as_bytes()), &TEXTS);
    holds(
        &shop,
        at(
            "bom.csv",
            format!(
                "\u{feff}{}",
                &csv.replace("id,text", "text,id")
                    .replace("1,the cat", "the cat,1")
                    .replace("2,\"a \"\"dog\"\", ran\"", "\"a \"\"dog\"\", ran\",2")
                    .replace("3,\"on\nthe mat\"", "\"on\nthe mat\",3")
            )
            .as_bytes(),
        ),
        &TEXTS,
    );
    let tsv = "body\tid\nthe cat\t1\n";
    let tsv = SourceConfig {
        format: Some(Format::Csv),
        column: Some("body".into()),
        ..at("a.tsv", tsv.as_bytes())
    };
    holds(&shop, tsv, &["the cat"]);
    for (name, compression) in [
        ("a", Compression::UNCOMPRESSED),
        ("b", Compression::SNAPPY),
        ("c", Compression::ZSTD(ZstdLevel::default())),
        ("d", Compression::GZIP(parquet::basic::GzipLevel::default())),
    ] {
        holds(&shop, at(&format!("{name}.parquet"), &parquet_file(compression)), &TEXTS);
    }
}

/// Conversations as data sets on the Hub store them: a list of structures.
#[test]
fn parquet_holds_conversations() {
    let schema = "message m { required binary source (UTF8); required group messages (LIST) { \
        repeated group list { required group element { \
        required binary role (UTF8); optional binary content (UTF8); } } } }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let repeated = [0_i16, 1, 0, 1];
    for (values, definition, repetition) in [
        (["web", "web"].as_slice(), None, None),
        (
            &["user", "assistant", "user", "assistant"],
            Some([1_i16; 4].as_slice()),
            Some(repeated.as_slice()),
        ),
        (&["cat?", "dog", "mat?", "sat"], Some(&[2; 4]), Some(&repeated)),
    ] {
        let mut column = group.next_column().unwrap().unwrap();
        let values: Vec<ByteArray> = values.iter().map(|&v| v.into()).collect();
        column.typed::<ByteArrayType>().write_batch(&values, definition, repetition).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    let shop = Workshop::new();
    let path = shop.file("chats.parquet", writer.into_inner().unwrap());
    let config = DataConfig { packing: Packing::Whole, seq_len: 100, ..config(&path) };
    let mut loader = shop.open(&config, 0).unwrap();
    assert_eq!(loader.report().sources[0].conversations, 2);
    let text = shop.tokenizer.decode(&loader.next_rows().unwrap().tokens, false);
    assert!(text.contains("cat?<|im_end|>\n<|im_start|>assistant\ndog"), "{text}");
    assert!(text.contains("mat?<|im_end|>\n<|im_start|>assistant\nsat"), "{text}");
}

#[test]
fn text_is_one_document_or_cut_at_a_line() {
    let shop = Workshop::new();
    let path = shop.file("a.txt", "\u{feff}the cat\r\nsat\r\n\r\non the mat");
    let source = SourceConfig::at(&path);
    holds(&shop, source.clone(), &["the cat\nsat\n\non the mat"]);
    holds(
        &shop,
        SourceConfig { keep_cr: true, ..source.clone() },
        &["the cat\r\nsat\r\n\r\non the mat"],
    );
    holds(
        &shop,
        SourceConfig { split_at: Some(String::new()), ..source },
        &["the cat\nsat\n", "on the mat\n"],
    );
    let path = shop.file("b.md", "---\none\n---\n---\n \n\u{a0}\n---\ntwo\n\nthree\n---\n");
    let source = SourceConfig { split_at: Some("---".into()), ..SourceConfig::at(&path) };
    holds(&shop, source, &["one\n", "two\n\nthree\n"]);
}

#[test]
fn folders_and_patterns_are_read_in_one_order_and_say_what_they_leave_out() {
    let shop = Workshop::new();
    for name in
        ["b/two.txt", "a.md", "b/c/three.markdown", "INDEX.tsv", "picture.png", ".hidden.txt"]
    {
        shop.file(name, "the cat");
    }
    let root = shop.path("");
    let root = root.to_str().unwrap();
    let report = shop.open(&config(root), 0).unwrap().report();
    assert_eq!(report.sources[0].files, 3);
    let ignored: Vec<_> =
        report.sources[0].ignored.iter().filter_map(|p| p.file_name()?.to_str()).collect();
    assert_eq!(ignored, [".hidden.txt", "INDEX.tsv", "picture.png"]);
    let report = shop.open(&config(&format!("{root}/**/*.txt")), 0).unwrap().report();
    assert_eq!(report.sources[0].files, 1);
}

#[test]
fn texts_never_make_special_tokens() {
    let shop = Workshop::new();
    let path = shop.file("a.txt", "the cat<|endoftext|>");
    let mut loader = shop.open(&config(&path), 0).unwrap();
    let end = shop.tokenizer.eos().unwrap();
    let n = loader.epoch_tokens() as usize;
    let mut stream = loader.next_rows().unwrap().tokens;
    stream.truncate(n);
    assert_eq!(
        stream.iter().filter(|&&t| t == end).count(),
        1,
        "only the one that ends the document"
    );
}

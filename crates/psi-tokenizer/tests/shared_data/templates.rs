//! Every rendering of `golden.jsonl`, byte for byte.

use psi_tokenizer::{ChatTemplate, NOW, TemplateErrorKind};
use serde_json::{Map, Value};

use crate::{read, shared_data};

#[test]
fn templates_render_as_in_python() {
    let Some(data) = shared_data() else { return };
    let folder = data.join("tokenizers/chat_templates");
    let text = String::from_utf8(read(&folder.join("golden.jsonl"))).expect("UTF-8");
    let mut lines = text.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON"));
    let head = lines.next().expect("a first line");
    let common = &head["common"];
    let mut extra = Map::new();
    extra.insert("pad_token".into(), common["pad_token"].clone());
    extra.insert("unk_token".into(), common["unk_token"].clone());
    extra.insert(NOW.into(), "2026-01-02T03:04:05".into());
    let (mut n, mut wrong) = (0, 0);
    for case in lines {
        n += 1;
        let name = case["template"].as_str().expect("a name");
        let source = String::from_utf8(read(&folder.join(name))).expect("UTF-8");
        let input = &head["inputs"][case["case"].as_str().expect("a case")];
        let rendered = ChatTemplate::new(&source, "<BOS>", "<EOS>")
            .and_then(|t| t.render(&input["messages"], input.get("tools"), true, &extra));
        let expected = case["output"].as_str();
        let equal = match (&rendered, expected) {
            (Ok(text), Some(expected)) => text == expected,
            (Err(e), None)
                if case["error"].as_str().is_some_and(|e| e.starts_with("TemplateError")) =>
            {
                e.kind() == TemplateErrorKind::Raised
                    && case["error"].as_str().is_some_and(|m| m.ends_with(e.message()))
            }
            (Err(e), None) => e.kind() == TemplateErrorKind::Runtime,
            _ => false,
        };
        if !equal {
            wrong += 1;
            let found = rendered.map_err(|e| e.to_string());
            let same = expected.iter().zip(&found).flat_map(|(e, f)| e.bytes().zip(f.bytes()));
            let at = same.take_while(|(e, f)| e == f).count();
            let tail =
                |t: &str| t[t.floor_char_boundary(at)..].chars().take(80).collect::<String>();
            println!(
                "{name} {} at byte {at}:\n  expected {:?} {}\n  found    {:?}",
                case["case"],
                expected.map(tail),
                case["error"],
                found.map(|f| tail(&f)),
            );
        }
    }
    println!("{} of {n} renderings equal", n - wrong);
    assert_eq!((n, wrong), (104, 0));
}

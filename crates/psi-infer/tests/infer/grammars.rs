//! Grammars of every kind: what they accept, and what hostile ones end with: a typed error, in bounded
//! time and memory.

use std::time::Duration;

use psi_infer::grammar::{Grammar, GrammarError, GrammarLimits, Grammars};
use psi_tokenizer::Tokenizer;
use serde_json::{Value, json};

use super::{chatting::tokenizer, masks::accepts};

fn grammars() -> (Tokenizer, Grammars) {
    let tokenizer = tokenizer();
    let limits =
        GrammarLimits { compile_time: Duration::from_secs(60), ..GrammarLimits::default() };
    let grammars = Grammars::new(&tokenizer, tokenizer.vocab_size(), limits).expect("grammars");
    (tokenizer, grammars)
}

#[track_caller]
fn check(grammar: &Grammar, good: &[&str], bad: &[&str]) {
    let (tokenizer, grammars) = grammars();
    let compiled = grammars.compile(grammar).expect("a grammar");
    for (texts, expected) in [(good, true), (bad, false)] {
        for text in texts {
            let tokens = tokenizer.encode(text, false, false);
            let accepted = accepts(&compiled, &tokenizer, &tokens, &mut Vec::new());
            assert_eq!(accepted, expected, "{text:?} by {grammar:?}");
        }
    }
}

fn regex(pattern: &str) -> Grammar {
    Grammar::Regex(pattern.to_owned())
}

fn gbnf(text: &str) -> Grammar {
    Grammar::Gbnf(text.to_owned())
}

#[test]
fn regexes_match_whole_answers() {
    check(&regex("^[a-c]+$"), &["a", "abc"], &["", "abd", "xa"]);
    check(&regex("a|bc"), &["a", "bc"], &["b", "abc"]);
    check(&regex(r"\$\d+(\.\d{2})?\$"), &["$5$", "$12.50$"], &["5", "$5.5$"]);
    check(&regex(r"é+/\\"), &["éé/\\"], &["e/\\"]);
    check(&regex("fo(?:o*)*?"), &["fo", "fooo"], &["f o"]);
}

#[test]
fn a_gbnf_grammar_without_recursion_is_exact() {
    let text = "# a date\nroot ::= year \"-\" two \"-\" two note?\nyear ::= [0-9]{4}\n\
                two ::= [0-9] [0-9]\nnote ::= \" \" (\"\\\"a\\\"\" | [^x-z\\n])+\n";
    check(
        &gbnf(text),
        &["2026-11-22", "2026-11-22 \"a\"", "2026-11-22 b/c"],
        &["2026-11-2", "2026-11-22 y"],
    );
}

#[test]
fn a_recursive_gbnf_grammar_is_exact() {
    let text = "root ::= sum\nsum ::= product ((\"+\" | \"-\") product)*\nproduct ::= atom (\"*\" atom)*\n\
                atom ::= number | \"(\" sum \")\"\nnumber ::= \"-\"? [0-9]+ (\".\" [0-9]+)?\n";
    check(&gbnf(text), &["1", "1+2*3", "(1.5-2)*-3", "((4))"], &["", "1+", "(1", "1..2", "1 + 2"]);
    // Terminals of several characters that overlap with classes: nothing may depend on their length.
    let text = "root ::= word | \"(\" root \")\"\nword ::= [a-z]* \"ab\" [a-z]*\n";
    check(&gbnf(text), &["ab", "xxab", "abab", "(aab)"], &["ba", "(ab", "a"]);
}

#[test]
fn lark_grammars_are_held() {
    let lark = Grammar::Lark(
        "start: pair (\",\" pair)*\npair: KEY \"=\" VALUE\nKEY: /[a-z]+/\nVALUE: /[0-9]+/\n"
            .to_owned(),
    );
    check(&lark, &["a=1", "a=1,bc=22"], &["a=", "a=1,", "=1"]);
    let left = Grammar::Lark("start: start \"a\" | \"b\"".to_owned());
    check(&left, &["b", "baa"], &["", "ab"]);
}

#[test]
fn schemas_are_held() {
    let tree = json!({
        "$ref": "#/$defs/node",
        "$defs": {"node": {
            "type": "object",
            "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
            "required": ["v"],
            "additionalProperties": false,
        }},
    });
    check(
        &Grammar::JsonSchema(tree),
        &["{\"v\": 1}", "{\"v\":1,\"kids\":[{\"v\":2,\"kids\":[]}]}"],
        &["{}", "{\"v\": 1.5}", "{\"v\":1,\"x\":2}", "{\"v\":1,\"kids\":[3]}"],
    );
    check(
        &Grammar::JsonObject,
        &["{}", "{\"a\": [1, null, {\"b\": \"\\n\"}]}"],
        &["[]", "1", "{a: 1}", "{} x"],
    );
    check(&Grammar::JsonSchema(json!(true)), &["1", "\"x\"", "[]"], &["x"]);
    let ends = json!({
        "type": "array", "minItems": 1, "items": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    });
    check(&Grammar::JsonSchema(ends), &["[null]", "[[[null]],null]"], &["[]", "[[]]"]);
    let draft7 = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"n": {"type": "integer"}},
        "properties": {"a": {"$ref": "#/definitions/n", "minimum": 5}},
        "additionalProperties": false,
    });
    check(&Grammar::JsonSchema(draft7), &["{\"a\":1}"], &["{\"a\":1.5}"]);
}

/// The error that a grammar is refused with.
fn refusal(grammars: &Grammars, grammar: &Grammar, what: &str) -> GrammarError {
    match grammars.compile(grammar) {
        Ok(_) => panic!("{what} is taken"),
        Err(error) => error,
    }
}

#[test]
fn hostile_regexes_are_refused() {
    let (_, grammars) = grammars();
    let many = "(".repeat(5000);
    let deep = format!("{}a{}", "(".repeat(5000), ")".repeat(5000));
    let long = "a".repeat((1 << 20) + 1);
    for pattern in [
        "^+[a-z]$",
        "foo**",
        "a{2}+",
        "^{2}x$",
        "(?<=a)b",
        "(?=a)b",
        "a(?!b)",
        "(?<!a)b",
        "[z-a]",
        "a{3,1}",
        "\\",
        "*a",
        "(",
        ")",
        "[",
        r"\p{Nothing}",
        r"(a)\1",
        "x{1000001}",
        "(a{1000}){1000}",
        "((((x{99}){99}){99}){99}){99}",
        "a{99999999999}",
        &many,
        &deep,
        &long,
        r"a\bb",
        "a^b",
    ] {
        let what: String = pattern.chars().take(40).collect();
        let error = refusal(&grammars, &regex(pattern), &what);
        assert!(!matches!(error, GrammarError::Busy | GrammarError::NoEnd), "{what}: {error}");
        assert!(error.to_string().len() < 600, "{what}: {error}");
    }
}

#[test]
fn hostile_grammars_are_refused_or_held() {
    let (_, grammars) = grammars();
    let nested =
        |open: &str, close: &str| format!("{}\"a\"{}", open.repeat(60_000), close.repeat(60_000));
    let chain = |arrow: &str, root: &str| {
        let mut text = format!("{root}{arrow} r0\n");
        for i in 0..5000 {
            text.push_str(&format!("r{i}{arrow} r{}\n", i + 1));
        }
        text + &format!("r5000{arrow} \"x\"\n")
    };
    let lark = |text: String| Grammar::Lark(text);
    let refused = [
        lark(format!("start: {}", nested("(", ")"))),
        lark(String::new()),
        lark("start: missing".to_owned()),
        lark("start: \"a".to_owned()),
        lark("start: /(/".to_owned()),
        lark("start: %json {\"x-guidance\": {\"lenient\": true}, \"not\": {}}".to_owned()),
        lark("start: %json {\"not\": {}}".to_owned()),
        lark("start: %json {\"$ref\": \"http://127.0.0.1:9/x\"}".to_owned()),
        lark("%import common.NOTHING\nstart: NOTHING".to_owned()),
        Grammar::Gbnf(format!("root ::= {}", nested("(", ")"))),
        gbnf("other ::= \"a\""),
        gbnf("root ::= missing"),
        gbnf("root ::= \"a"),
        gbnf("root ::= [z-a]"),
        gbnf("root ::= []"),
        gbnf("root ::= \"a\"{1000000}"),
        gbnf("root ::= \"a\"{3,1}"),
        gbnf("root ::= \"\\q\""),
        gbnf("root ::= \"\\uD800\""),
        gbnf("root ::= \"a\" )"),
        gbnf("root ::= \"a\"\nroot ::= \"b\""),
        gbnf("root \"a\""),
        gbnf("::="),
    ];
    for grammar in &refused {
        let what: String = format!("{grammar:?}").chars().take(80).collect();
        let error = refusal(&grammars, grammar, &what);
        assert!(!matches!(error, GrammarError::Busy), "{what}: {error}");
    }
    // These are large or ambiguous, but have a meaning: they are held, or refused for their size.
    let either = [
        lark(chain(":", "start")),
        Grammar::Gbnf(chain(" ::=", "root")),
        lark("start: \"x\"{1000000}".to_owned()),
        lark("start: ((\"a\" | \"aa\" | start)*)*".to_owned()),
        lark("start: a a a a a a a a\na: /(a|aa)*/ | a a |".to_owned()),
        gbnf("root ::= root root | \"a\" | \"aa\" |"),
        gbnf("root ::= ((((\"a\"*)*)*)*)*"),
    ];
    for grammar in &either {
        if let Ok(compiled) = grammars.compile(grammar) {
            let mut constraint = compiled.constraint();
            for _ in 0..50 {
                let Ok(Some(mask)) = constraint.mask() else { break };
                let first = mask.iter().position(|w| *w != 0).expect("a token");
                let token = first as u32 * 32 + mask[first].trailing_zeros();
                if constraint.accept(token).is_err() || constraint.is_complete() {
                    break;
                }
            }
        }
    }
}

#[test]
fn hostile_schemas_are_refused_by_name_and_place() {
    let (_, grammars) = grammars();
    let refuse = |schema: Value, what: &str| refusal(&grammars, &Grammar::JsonSchema(schema), what);
    for reference in [
        "http://127.0.0.1:9/x",
        "https://example.com/s.json#/a",
        "file:///etc/passwd",
        "other.json",
        "#anchor",
    ] {
        let error = refuse(json!({"properties": {"a": {"$ref": reference}}}), reference);
        let GrammarError::Unsupported { keyword, path, .. } = error else {
            panic!("{reference}: {error}")
        };
        assert_eq!((keyword.as_str(), path.as_str()), ("$ref", "#/properties/a/$ref"));
    }
    for keyword in [
        "not",
        "if",
        "contains",
        "propertyNames",
        "dependentRequired",
        "unevaluatedProperties",
        "x-guidance",
    ] {
        let error = refuse(json!({"items": {keyword: {}}}), keyword);
        let GrammarError::Unsupported { keyword: named, path, .. } = error else {
            panic!("{keyword}: {error}")
        };
        assert_eq!((named, path), (keyword.to_owned(), format!("#/items/{keyword}")));
    }
    let format =
        refuse(json!({"properties": {"a": {"type": "string", "format": "colour"}}}), "format");
    assert!(format.to_string().contains("'format' at #/properties/a/format"), "{format}");
    let one_of = json!({"properties": {
        "a": {"oneOf": [{"type": "string"}, {"type": "null"}]},
        "b": {"oneOf": [{"type": "integer"}, {"minimum": 5}]},
    }});
    let GrammarError::Unsupported { keyword, path, .. } = refuse(one_of, "oneOf") else {
        panic!("oneOf")
    };
    assert_eq!((keyword.as_str(), path.as_str()), ("oneOf", "#/properties/b/oneOf"));
}

#[test]
fn schemas_that_are_wrong_or_have_no_instance_are_refused() {
    let (_, grammars) = grammars();
    let refuse = |schema: Value, what: &str| refusal(&grammars, &Grammar::JsonSchema(schema), what);
    let pattern =
        refuse(json!({"properties": {"a": {"type": "string", "pattern": "(?=x)"}}}), "pattern");
    assert!(pattern.to_string().starts_with("#/properties/a/pattern"), "{pattern}");
    for (schema, what) in [
        (json!({"type": "strin"}), "type"),
        (json!({"type": 5}), "type"),
        (json!({"properties": []}), "properties"),
        (json!({"required": "a"}), "required"),
        (json!({"minItems": -1}), "minItems"),
        (json!({"items": 5}), "items"),
        (json!({"$ref": "#/nowhere"}), "$ref"),
        (json!([]), "a list"),
        (json!("x"), "a text"),
    ] {
        let error = refuse(schema, what);
        assert!(matches!(error, GrammarError::Invalid { .. }), "{what}: {error}");
    }
    for (schema, what) in [
        (json!(false), "false"),
        (json!({"$ref": "#"}), "a loop"),
        (
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}}}),
            "a longer loop",
        ),
        (
            json!({"properties": {"a": {"$ref": "#"}}, "required": ["a"], "type": "object"}),
            "a demand without end",
        ),
        (
            json!({"type": "array", "minItems": 1, "items": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}),
            "lists of lists without end",
        ),
        (json!({"type": "string", "minLength": 5, "maxLength": 2}), "lengths"),
        (json!({"type": "integer", "minimum": 5, "maximum": 2}), "bounds"),
        (json!({"type": "string", "enum": [1, 2]}), "types"),
    ] {
        let error = refuse(schema, what);
        assert!(matches!(error, GrammarError::Unsatisfiable { .. }), "{what}: {error}");
    }
}

#[test]
fn huge_schemas_are_refused_or_held() {
    let (_, grammars) = grammars();
    // Deeper ones cannot be read from JSON texts.
    let deep = (0..1000).fold(json!(true), |inner, _| {
        Value::Object([("items".to_owned(), inner)].into_iter().collect())
    });
    let names = |n: usize| (0..n).map(|i| format!("p{i}")).collect::<Vec<_>>();
    let chain: serde_json::Map<String, Value> = (0..1000)
        .map(|i| {
            (format!("d{i}"), json!({"items": {"$ref": format!("#/$defs/d{}", (i + 1) % 1000)}}))
        })
        .collect();
    let properties: serde_json::Map<String, Value> =
        names(3000).into_iter().map(|n| (n, json!({}))).collect();
    let wide = json!({"anyOf": vec![json!({"type": "object"}); 3000]});
    let too_large = [
        (deep, "1,000 levels"),
        (json!({"maxLength": 1_000_000_000}), "maxLength"),
        (json!({"minItems": u64::MAX}), "minItems"),
        (json!({"enum": names(20_000)}), "enum"),
        (json!({"required": names(10_000)}), "required"),
        (json!({"properties": properties}), "properties"),
        (json!({"$ref": "#/$defs/d0", "$defs": chain}), "a chain of references"),
        (json!({"description": "x".repeat(2 << 20)}), "bytes"),
        (wide, "alternatives"),
    ];
    for (schema, what) in too_large {
        let error = refusal(&grammars, &Grammar::JsonSchema(schema), what);
        assert!(matches!(error, GrammarError::TooLarge { .. }), "{what}: {error}");
    }
    let nested_items = (0..4).fold(
        json!({"type": "integer"}),
        |inner, _| json!({"type": "array", "items": inner, "minItems": 1000}),
    );
    let either = [
        json!({"enum": names(10_000)}),
        json!({"type": "string", "maxLength": 1 << 20}),
        json!({"type": "string", "minLength": 1 << 20}),
        json!({"type": "string", "pattern": "^(a|b)*c{1,500}$", "maxLength": 5000}),
        json!({"type": "string", "pattern": "^\\w+([\\.-]?\\w+)*@\\w+([\\.-]?\\w+)*(\\.\\w{2,})+$", "minLength": 6}),
        json!({"type": "array", "minItems": 1 << 20}),
        nested_items,
        json!({"type": "object", "required": names(1500)}),
        json!({"oneOf": (0..400).map(|i| json!({"const": i})).collect::<Vec<_>>()}),
        json!({"type": "integer", "multipleOf": 1e-9}),
        json!({"type": "number", "minimum": -1e300, "maximum": 1e-300}),
    ];
    for schema in either {
        if let Ok(compiled) = grammars.compile(&Grammar::JsonSchema(schema)) {
            let mut constraint = compiled.constraint();
            // The first mask is what compiling has tried already.
            constraint.mask().expect("a mask");
        }
    }
}

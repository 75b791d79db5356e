use proptest::prelude::*;

use super::*;
use crate::chat::ReasoningTags;

fn format(tools: ToolSyntax) -> ChatFormat {
    let reasoning = ReasoningTags { open: "<think>".to_owned(), close: "</think>".to_owned() };
    ChatFormat { tools, reasoning: Some(reasoning), shows_tools: true }
}

fn tagged() -> ToolSyntax {
    ToolSyntax::Tagged { open: "<tool_call>".to_owned(), close: "</tool_call>".to_owned() }
}

fn options() -> ParseOptions {
    let tools = Some(vec!["f".to_owned(), "get_weather".to_owned()]);
    ParseOptions { tools, ..ParseOptions::default() }
}

/// One line per part: reasoning, content, calls as `name(arguments)#id`, reasons.
fn show(text: &str, tools: ToolSyntax, options: ParseOptions) -> String {
    let output = parse_output(text, &format(tools), options);
    let mut lines = Vec::new();
    if !output.reasoning.is_empty() {
        lines.push(format!("R {:?}", output.reasoning));
    }
    if !output.content.is_empty() {
        lines.push(format!("C {:?}", output.content));
    }
    lines.extend(output.calls.iter().map(|c| format!("{}({})", c.name, c.arguments)));
    lines.extend(output.malformed.iter().map(|why| format!("! {why}")));
    lines.join("\n")
}

fn check(tools: &ToolSyntax, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(&show(text, tools.clone(), options()), expected, "{text}");
    }
}

#[test]
fn tagged_calls_are_read() {
    check(
        &tagged(),
        &[
            ("hello", "C \"hello\""),
            (
                "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1.50}}</tool_call>",
                "f({\"a\": 1.50})",
            ),
            (
                "<think>\nfirst\n\nthen\n</think>\n\nOne moment.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{\"name\": \"g\"}\n</tool_call>",
                "R \"first\\n\\nthen\"\nC \"One moment.\"\nf({})\ng({})",
            ),
            ("<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"a\\\": 2}\"}", "f({\"a\": 2})"),
            (
                "<tool_call>{\"name\": \"f\", \"arguments\": {\"t\": \"</tool_call>\"}}</tool_call>",
                "f({\"t\": \"</tool_call>\"})",
            ),
            ("a < b and <tool", "C \"a < b and <tool\""),
        ],
    );
}

#[test]
fn a_malformed_call_stays_content_with_a_reason() {
    check(
        &tagged(),
        &[
            (
                "so: <tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}</tool_call> ok",
                "C \"so: <tool_call>{\\\"name\\\": \\\"f\\\", \\\"arguments\\\": {\\\"a\\\": 1}</tool_call> ok\"\n! text that is not JSON",
            ),
            (
                "<tool_call>{\"name\": \"f\", \"argum",
                "C \"<tool_call>{\\\"name\\\": \\\"f\\\", \\\"argum\"\n! the call is cut off",
            ),
            ("<tool_call>", "C \"<tool_call>\"\n! the call is cut off"),
            ("<tool_call>f(1)", "C \"<tool_call>f(1)\"\n! no JSON object"),
            (
                "<tool_call>{\"name\": \"f\"}}</tool_call>",
                "C \"<tool_call>{\\\"name\\\": \\\"f\\\"}}</tool_call>\"\n! text between the call's JSON and its closing mark",
            ),
            (
                "<tool_call>{\"arguments\": {}}</tool_call>",
                "C \"<tool_call>{\\\"arguments\\\": {}}</tool_call>\"\n! the call has no name",
            ),
            (
                "<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>",
                "C \"<tool_call>{\\\"name\\\": \\\"f\\\", \\\"arguments\\\": [1]}</tool_call>\"\n! the arguments are not an object",
            ),
        ],
    );
}

#[test]
fn calls_inside_thoughts_end_them_if_the_tool_exists() {
    check(
        &tagged(),
        &[
            ("<think>I call\n<tool_call>{\"name\": \"f\"}</tool_call>", "R \"I call\"\nf({})"),
            (
                "<think>use <tool_call>{\"name\": \"x\"}</tool_call> or not</think>ok",
                "R \"use <tool_call>{\\\"name\\\": \\\"x\\\"}</tool_call> or not\"\nC \"ok\"",
            ),
        ],
    );
}

#[test]
fn a_prompt_may_have_opened_the_thoughts() {
    let options = ParseOptions { in_reasoning: true, ..options() };
    assert_eq!(show("\nhm</think>\n\nyes", tagged(), options.clone()), "R \"hm\"\nC \"yes\"");
    assert_eq!(show("cut off", tagged(), options), "R \"cut off\"");
}

#[test]
fn llama_calls_are_read() {
    check(
        &ToolSyntax::Llama3,
        &[
            ("{\"name\": \"f\", \"parameters\": {\"a\": \"b\"}}", "f({\"a\": \"b\"})"),
            (
                "<|python_tag|>{\"type\": \"function\", \"name\": \"f\", \"parameters\": {}}",
                "f({})",
            ),
            (
                "{\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": {\"a\": 1}}}",
                "f({\"a\": 1})",
            ),
            ("{\"name\": \"f\"}; {\"name\": \"get_weather\"}", "f({})\nget_weather({})"),
            (
                "{\"name\": \"Ada\", \"parameters\": {}}",
                "C \"{\\\"name\\\": \\\"Ada\\\", \\\"parameters\\\": {}}\"",
            ),
            ("{\"answer\": 42}", "C \"{\\\"answer\\\": 42}\""),
            ("{\"name\": \"Ada", "C \"{\\\"name\\\": \\\"Ada\""),
            (
                "{\"name\": \"f\", \"para",
                "C \"{\\\"name\\\": \\\"f\\\", \\\"para\"\n! the call is cut off",
            ),
            ("Call {\"name\": \"f\"}", "C \"Call {\\\"name\\\": \\\"f\\\"}\""),
            ("<|python_tag|>print(1)", "C \"<|python_tag|>print(1)\"\n! no JSON object"),
        ],
    );
}

#[test]
fn mistral_calls_old_and_new_are_read() {
    check(
        &ToolSyntax::Mistral,
        &[
            (
                "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"a\": 1}, \"id\": \"abcdefghi\"}, {\"name\": \"g\", \"arguments\": {}}]",
                "f({\"a\": 1})\ng({})",
            ),
            ("ok[TOOL_CALLS]f[ARGS]{\"a\": 1}[TOOL_CALLS]g{}", "C \"ok\"\nf({\"a\": 1})\ng({})"),
            ("[TOOL_CALLS]f[CALL_ID]abc123def[ARGS]{\"a\": 1}", "f({\"a\": 1})"),
            ("[TOOL_CALLS]f[ARGS]x", "C \"[TOOL_CALLS]f[ARGS]x\"\n! no JSON object after the name"),
            ("[TOOL_CALLS][]", "C \"[TOOL_CALLS][]\"\n! an empty list of calls"),
        ],
    );
    let text = "[TOOL_CALLS]f[CALL_ID]abc123def[ARGS]{}[TOOL_CALLS]g[ARGS]{}";
    let calls = parse_output(text, &format(ToolSyntax::Mistral), options()).calls;
    assert_eq!(calls[0].id, "abc123def");
    assert_eq!((calls[1].id.len(), calls[1].index), (9, 1));
    assert_ne!(
        calls[1].id,
        parse_output(text, &format(ToolSyntax::Mistral), ParseOptions { seed: 1, ..options() })
            .calls[1]
            .id
    );
}

#[test]
fn without_tools_nothing_is_a_call() {
    let none = ParseOptions { tools: None, ..options() };
    let text = "<tool_call>{\"name\": \"f\"}</tool_call>";
    assert_eq!(show(text, tagged(), none), format!("C {text:?}"));
}

#[test]
fn one_call_ends_the_answer_when_only_one_is_wanted() {
    let single = ParseOptions { single_call: true, ..options() };
    let text =
        "a <tool_call>{\"name\": \"f\"}</tool_call><tool_call>{\"name\": \"g\"}</tool_call> b";
    assert_eq!(show(text, tagged(), single), "C \"a\"\nf({})");
}

/// Texts made of what the formats are made of, whole and broken.
fn texts() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
        "<tool",
        "_call>",
        "</",
        "<|python_tag|>",
        "[TOOL_CALLS]",
        "[ARGS]",
        "[CALL_ID]",
        "f",
        "get_weather",
        "{\"name\": \"f\", \"arguments\": {\"a\": \"}\\\"\"}}",
        "{\"name\": \"g\", \"parameters\": {}}",
        "[{\"name\": \"f\", \"arguments\": {}}]",
        "{\"name\": \"f\"",
        "{\"x\": 1}",
        "{",
        "}",
        "\"",
        "\\",
        ":",
        ",",
        " ",
        "\n",
        "\n\n",
        "\t",
        ";",
        "héllo",
        "日本",
        "\u{3000}",
        "\u{1F600}",
        "x",
    ]);
    let long_gap = Just(" \n".repeat(200));
    let piece = prop_oneof![20 => parts.prop_map(str::to_owned), 1 => long_gap];
    prop::collection::vec(piece, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_parts_do_not_depend_on_how_the_text_is_cut(
        text in texts(),
        cuts in prop::collection::vec(0.0..1.0_f64, 0..20),
        syntax in prop::sample::select(vec![tagged(), ToolSyntax::Llama3, ToolSyntax::Mistral, ToolSyntax::Json]),
        in_reasoning: bool,
        with_tools: bool,
        single_call: bool,
        thinks: bool,
    ) {
        let mut format = format(syntax);
        if !thinks {
            format.reasoning = None;
        }
        let tools = with_tools.then(|| vec!["f".to_owned(), "get_weather".to_owned()]);
        let options = ParseOptions { in_reasoning, tools, single_call, seed: 7 };
        let whole = parse_output(&text, &format, options.clone());

        let chars: Vec<char> = text.chars().collect();
        let mut ends: Vec<usize> = cuts.iter().map(|c| (c * chars.len() as f64) as usize).collect();
        ends.push(chars.len());
        ends.sort_unstable();
        for by_char in [false, true] {
            let ends = if by_char { (1..=chars.len()).collect() } else { ends.clone() };
            let mut parser = OutputParser::new(format.clone(), options.clone());
            let (mut output, mut from) = (Output::default(), 0);
            for end in ends {
                let piece: String = chars[from..end].iter().collect();
                parser.push(&piece).into_iter().for_each(|delta| output.add(delta));
                from = end;
            }
            parser.finish().into_iter().for_each(|delta| output.add(delta));
            prop_assert_eq!(&output, &whole, "{:?}", text);
        }
        // Without thoughts and calls nothing is added or lost.
        if !thinks && !with_tools {
            prop_assert_eq!(whole.content, text);
        }
    }
}

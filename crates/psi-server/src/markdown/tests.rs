//! What may come out of a text that somebody else wrote.

use proptest::prelude::*;

use super::*;

fn html(text: &str) -> String {
    let all: Vec<String> = blocks(text).into_iter().map(|block| block.0).collect();
    all.join("\n")
}

#[test]
fn markdown_becomes_the_elements_it_means() {
    let page = html(
        "# Title\n\nSome *emphasis*, **weight**, `code`, ~~gone~~ and https://a.example.\n\n\
         - one\n- two\n\n3. three\n\n> said\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n- [x] done\n\n---\n",
    );
    for part in [
        "<h3>Title</h3>",
        "<em>emphasis</em>",
        "<strong>weight</strong>",
        "<code>code</code>",
        "<del>gone</del>",
        "<a href=\"https://a.example\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">https://a.example</a>.",
        "<li>one</li>",
        "<ol start=\"3\">",
        "<blockquote>",
        "<td class=\"right\">2</td>",
        "\u{2611} done",
        "<hr>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[test]
fn code_keeps_its_text_its_language_and_its_colours() {
    let page = html("```rust\nlet x = \"<b>\";\n```\n");
    assert!(page.contains("<pre tabindex=\"0\" data-lang=\"rust\">"), "{page}");
    assert!(page.contains("<span class=\"hk\">let</span>"), "{page}");
    assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"), "{page}");
    // An answer that is still being written.
    assert!(html("text\n\n```py\nprint(").contains("data-lang=\"py\""));
}

#[test]
fn formulas_become_mathml() {
    for text in ["so $a^2$", "so \\(a^2\\)", "$$a^2$$", "\\[\na^2\n\\]"] {
        let page = html(text);
        assert!(page.contains("<math") && page.contains("<msup>"), "{text}: {page}");
    }
    assert!(!html("It costs $5 and $6.").contains("<math"));
    let matrix = html("$$\\begin{pmatrix}a&b\\\\c&d\\end{pmatrix}$$");
    assert!(matrix.contains("<mtable") && matrix.contains("<mtd>"), "{matrix}");
}

#[test]
fn blocks_are_frozen_once_another_follows() {
    let text = "First *one*.\n\n- a\n- b\n\n```py\nx = 1\n```\n\nlast";
    let whole = blocks(text);
    assert_eq!(whole.len(), 4);
    for end in (0..text.len()).filter(|n| text.is_char_boundary(*n)) {
        let partial = blocks(&text[..end]);
        for (i, block) in partial.iter().rev().skip(1).rev().enumerate() {
            assert_eq!(block, &whole[i], "after {end} bytes");
        }
    }
}

/// Texts that have run code somewhere, each of them one that a model, a file name or a title may hold.
const ATTACKS: &[&str] = &[
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src=x onerror=alert(1)//",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><a xlink:href=\"javascript:alert(1)\"><text>x</text></a></svg>",
    "<svg><use href=\"data:image/svg+xml;base64,PHN2Zz4=#x\"></use></svg>",
    "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">",
    "<math><a xlink:href=\"javascript:alert(1)\">x</a></math>",
    "<math href=\"javascript:alert(1)\">x</math>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<math><mi xlink:href=\"data:x,<script>alert(1)</script>\">x</mi></math>",
    "<math><annotation-xml encoding=\"text/html\"><img src=x onerror=alert(1)></annotation-xml></math>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<style>@import url(//evil.example/x.css);</style>",
    "<p style=\"background:url(//evil.example/x)\">x</p>",
    "<div style=\"position:fixed;inset:0\">x</div>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<link rel=prefetch href=//evil.example/x>",
    "<meta http-equiv=refresh content=\"0;url=//evil.example\">",
    "<base href=//evil.example/>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>",
    "<object data=javascript:alert(1)></object>",
    "<embed src=//evil.example/x.swf>",
    "<form action=//evil.example><input name=a><button>x</button></form>",
    "<button formaction=javascript:alert(1)>x</button>",
    "<details open ontoggle=alert(1)>x</details>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=//evil.example/a.mp3 autoplay></audio>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<template><script>alert(1)</script></template>",
    "<x onclick=alert(1)>x</x>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[><img src=x onerror=alert(1)>]]>",
    "<?xml version=\"1.0\"?><img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](java\tscript:alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a](\u{1}javascript:alert(1))",
    "[a](vbscript:x)",
    "[a](data:text/html,<script>alert(1)</script>)",
    "[a](file:///etc/passwd)",
    "[a](//evil.example/x)",
    "[a](/api/conversations)",
    "[a](https://a.example \"x\\\" onmouseover=alert(1) y=\\\"\")",
    "[a](<javascript:alert(1)>)",
    "<javascript:alert(1)>",
    "![x](https://evil.example/beacon.png)",
    "![x](//evil.example/beacon.png)",
    "![x](x\"onerror=\"alert(1))",
    "![x](javascript:alert(1))",
    "![<img src=x onerror=alert(1)>](data:image/svg+xml,<svg onload=alert(1)>)",
    "[x]: javascript:alert(1)\n\n[x]",
    "[![x](https://evil.example/a.png)](javascript:alert(1))",
    "```\"><script>alert(1)</script>\ncode\n```",
    "```html\"onmouseover=\"alert(1)\n<script>alert(1)</script>\n```",
    "```js\n</code></pre><script>alert(1)</script>\n```",
    "`</code><script>alert(1)</script>`",
    "$\\href{javascript:alert(1)}{x}$",
    "$\\text{<img src=x onerror=alert(1)>}$",
    "$\\text{</annotation></semantics></math><img src=x onerror=alert(1)>}$",
    "$$</math><script>alert(1)</script>$$",
    "$\\class{x\" onload=\"alert(1)}{y}$",
    "$\\color{red;background:url(//evil.example)}x$",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "# <img src=x onerror=alert(1)> {#x onclick=alert(1)}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\u{202e}<script>alert(1)</script>",
    "a<br onclick=alert(1)>b",
    "https://a.example/\"onmouseover=alert(1)",
    "https://a.example/<script>alert(1)</script>",
    "<a href=\"https://a.example\" onclick=alert(1)>x</a>",
    "<a href=\" javascript:alert(1)\">x</a>",
    "report<img src=x onerror=alert(1)>.pdf",
    "\"><script>alert(1)</script>.txt",
];

/// Every tag of a markup: name and attributes with their values.
fn tags(markup: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut tags = Vec::new();
    let mut rest = markup;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        // The sanitiser's own output: values stand in double quotes and hold no `>`.
        let end = rest.find('>').unwrap_or(rest.len());
        let inside = &rest[..end];
        rest = &rest[end..];
        if inside.starts_with('/') {
            continue;
        }
        let (name, mut left) = inside.split_once(' ').unwrap_or((inside, ""));
        let mut attributes = Vec::new();
        while let Some((key, value)) = left.split_once("=\"") {
            let (value, more) = value.split_once('"').unwrap_or((value, ""));
            attributes.push((key.trim().to_owned(), value.to_owned()));
            left = more;
        }
        tags.push((name.to_owned(), attributes));
    }
    tags
}

/// Holds a rendered text to the allow-list, with a reader of its own.
fn check(text: &str, markup: &str) {
    let allowed = "a blockquote br code del div em h3 h4 h5 h6 hr li ol p pre span strong table tbody td th thead tr ul \
                   math semantics annotation mrow mi mo mn ms mtext mspace mfrac msqrt mroot msub msup msubsup munder \
                   mover munderover mmultiscripts mprescripts mtable mtr mtd mpadded mphantom mstyle merror none";
    for (name, attributes) in tags(markup) {
        assert!(allowed.split_whitespace().any(|a| a == name), "<{name}> from {text:?}: {markup}");
        for (key, value) in attributes {
            let key = key.to_lowercase();
            assert!(
                !key.starts_with("on") && key != "style" && key != "src" && key != "id",
                "{key} from {text:?}: {markup}"
            );
            if key == "href" {
                let fine = ["https://", "http://", "mailto:"].iter().any(|s| value.starts_with(s));
                assert!(name == "a" && fine, "{value} from {text:?}: {markup}");
            }
        }
    }
}

#[test]
fn nothing_that_has_ever_run_code_runs_here() {
    for attack in ATTACKS {
        let contexts = [
            (*attack).to_owned(),
            format!("text {attack} text"),
            format!("- {attack}\n- b"),
            format!("> {attack}"),
            format!("**{attack}**"),
            format!("| a |\n|---|\n| {attack} |"),
            format!("[{attack}](https://a.example)"),
            format!("```\n{attack}\n```"),
            format!("```{attack}\nx\n```"),
            format!("${attack}$"),
        ];
        for text in contexts {
            check(&text, &html(&text));
        }
    }
}

#[test]
fn no_image_is_loaded_but_its_link_is_there() {
    let page = html("![a cat](https://a.example/cat.png)");
    assert!(!page.contains("<img"), "{page}");
    assert!(
        page.contains("href=\"https://a.example/cat.png\"") && page.contains("a cat"),
        "{page}"
    );
}

#[test]
fn typed_markup_is_shown_as_it_was_typed() {
    assert_eq!(html("a <b>c</b>"), "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n");
    let block = html("<div>\nhello\n</div>");
    assert!(block.contains("&lt;div&gt;") && block.contains("hello"), "{block}");
}

#[test]
fn a_text_nested_beyond_reason_is_shown_plain_and_quickly() {
    for text in
        [">".repeat(20_000), "- ".repeat(20_000), "*a **a ".repeat(5_000), "[".repeat(50_000)]
    {
        check("deep", &html(&text));
    }
    assert!(html(&"> ".repeat(100)).starts_with("<p>&gt; &gt;"));
}

proptest! {
    #[test]
    fn no_text_gets_past_the_list(text in "[-a-z<>\"'=/()\\[\\]!`$\\\\*#&;:{}|\n ]{0,80}") {
        check(&text, &html(&text));
    }

    #[test]
    fn no_mixture_of_attacks_gets_past_the_list(
        parts in prop::collection::vec((0..ATTACKS.len(), 0..40_usize, "[ \n`$*|>-]{0,3}"), 1..5),
    ) {
        let text: String = parts
            .iter()
            .map(|(i, cut, glue)| format!("{}{glue}", ATTACKS[*i].chars().skip(cut / 8).collect::<String>()))
            .collect();
        check(&text, &html(&text));
    }
}

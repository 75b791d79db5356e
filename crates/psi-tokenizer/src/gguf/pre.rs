//! The pre-tokenizers that GGUF names: split patterns and the settings that come with a name.
//!
//! The patterns are those of the models' own `tokenizer.json` files. Each isolates its matches in what
//! the patterns before it have left.

use crate::error::{TokenizerError, quoted};
use crate::scanner::source;

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipe {
    names: &'static [&'static str],
    pub(super) patterns: &'static [&'static str],
    pub(super) ignore_merges: bool,
    pub(super) add_bos: bool,
}

const fn splits(names: &'static [&'static str], patterns: &'static [&'static str]) -> Recipe {
    Recipe { names, patterns, ignore_merges: false, add_bos: false }
}

const ONE_NUMBER: &str = r"\p{N}";
const THREE_DIGITS: &str = "[0-9][0-9][0-9]";
const LINE_BREAK: &str = r"[\r\n]";
const UP_TO_3_NUMBERS: &str = r"\p{N}{1,3}";
const CJK_AND_KANA: &str = r"[\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+";
const CJK_AND_HANGUL: &str = r"[\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+";
/// Latin, Greek, Cyrillic, Armenian, Georgian, Cherokee and a few more: the letters with case.
const DEEPSEEK_LETTERS: &str = r"\s?[A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}]+";
const DEEPSEEK_PUNCTUATION: &str =
    r"\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+";
const DEEPSEEK_V3_WORDS: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;
const BLOOM_WORDS: &str = r" ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{964}\x{6D4}\x{60C})]+";
const BAILING: &str = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
const SEED_CODER: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT2_PUNCTUATION_FIRST: &str = r"[\p{P}\$\+<=>\^~\|`]+";

const RECIPES: &[Recipe] = &[
    splits(
        &[
            "gpt-2",
            "phi-2",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "granite-docling",
            "gigachat",
            "jina-es",
            "jina-de",
            "jina-v2-es",
            "jina-v2-de",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "exaone4",
        ],
        &[source::GPT2],
    ),
    Recipe {
        names: &[
            "llama3",
            "llama-v3",
            "llama-bpe",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
        ],
        patterns: &[source::LLAMA3],
        ignore_merges: true,
        add_bos: true,
    },
    splits(&["dbrx", "smaug-bpe", "chatglm-bpe"], &[source::LLAMA3]),
    Recipe {
        names: &["glm4", "glm5"],
        patterns: &[source::LLAMA3],
        ignore_merges: true,
        add_bos: false,
    },
    splits(
        &[
            "qwen2",
            "deepseek-r1-qwen",
            "stablelm2",
            "hunyuan",
            "megrez",
            "solar-open",
            "grok-2",
            "kormo",
            "f2llmv2",
        ],
        &[source::QWEN2],
    ),
    splits(&["qwen35"], &[source::QWEN35]),
    splits(&["gpt-4o", "llama4", "kanana2", "minimax-m2"], &[source::O200K]),
    Recipe { names: &["tekken"], patterns: &[source::TEKKEN], ignore_merges: true, add_bos: true },
    splits(
        &[
            "starcoder",
            "refact",
            "command-r",
            "smollm",
            "codeshell",
            "exaone",
            "minerva-7b",
            "mellum2",
        ],
        &[ONE_NUMBER, source::GPT2],
    ),
    splits(&["falcon"], &[GPT2_PUNCTUATION_FIRST, source::GPT2, THREE_DIGITS]),
    splits(
        &["deepseek-llm"],
        &[LINE_BREAK, DEEPSEEK_LETTERS, DEEPSEEK_PUNCTUATION, r"\s+$", CJK_AND_HANGUL, ONE_NUMBER],
    ),
    splits(
        &["deepseek-coder"],
        &[LINE_BREAK, r"\s?\p{L}+", r"\s?\p{P}+", CJK_AND_HANGUL, ONE_NUMBER],
    ),
    splits(
        &["deepseek-v3", "hunyuan-dense", "joyai-llm"],
        &[UP_TO_3_NUMBERS, CJK_AND_KANA, DEEPSEEK_V3_WORDS],
    ),
    splits(&["poro-chat", "bloom", "gpt3-finnish"], &[BLOOM_WORDS]),
    splits(&["viking"], &[BLOOM_WORDS, ONE_NUMBER]),
    splits(&["bailingmoe", "bailingmoe2", "llada-moe"], &[BAILING]),
    splits(&["seed-coder"], &[SEED_CODER]),
];

/// The recipe of a name.
///
/// # Errors
/// A name psi does not know, or none (old files): a wrong guess would silently spoil every text.
pub(super) fn recipe(name: Option<&str>) -> Result<Recipe, TokenizerError> {
    let place = "tokenizer.ggml.pre";
    let Some(name) = name else {
        return Err(TokenizerError::invalid(place, "the file does not say how to split text")
            .with_hint(
                "convert the model again with a current converter, or take the tokenizer.json",
            ));
    };
    RECIPES.iter().find(|r| r.names.contains(&name)).copied().ok_or_else(|| {
        let mut known: Vec<&str> = RECIPES.iter().flat_map(|r| r.names).copied().collect();
        known.sort_unstable();
        TokenizerError::unsupported(place, format!("the pre-tokenizer {}", quoted(name))).with_hint(
            format!("use the model's tokenizer.json; the names psi knows are {}", known.join(", ")),
        )
    })
}

/// The name under which GGUF knows a list of patterns.
pub(super) fn name_of(patterns: &[&str], ignore_merges: bool) -> Option<&'static str> {
    let same_patterns = || RECIPES.iter().filter(|r| r.patterns == patterns);
    let exact = same_patterns().find(|r| r.ignore_merges == ignore_merges);
    exact.and_then(|r| r.names.first()).copied()
}

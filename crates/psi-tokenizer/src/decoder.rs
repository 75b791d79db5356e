//! Decoders: from ids back to bytes, each token on its own, so that a stream can be decoded as it comes.

use serde_json::Value;

use crate::byte_level;
use crate::component::Component;
use crate::error::TokenizerError;
use crate::normalizer::parse_pattern;
use crate::pattern::Pattern;
use crate::pre_tokenizer::{PreTokenizer, Prepend, parse_metaspace};
use crate::vocab::parse_byte_token;

/// What happens to each token.
#[derive(Debug)]
enum TokenStep {
    ByteLevel,
    ByteFallback,
    Replace {
        pattern: Pattern,
        content: String,
    },
    /// up to `start` and `stop` of `content` are taken off the ends
    Strip {
        content: char,
        start: usize,
        stop: usize,
    },
    WordPiece {
        prefix: String,
        cleanup: bool,
    },
    Metaspace {
        replacement: char,
        drops_first: bool,
    },
    /// the end-of-word suffix becomes a space
    Suffix(String),
}

/// What happens to the joined text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextStrip {
    pub(crate) content: char,
    pub(crate) start: usize,
}

/// A compiled decoder.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    steps: Vec<TokenStep>,
    fused: bool,
    /// tokens are joined by spaces when the file names no decoder
    joins_with_space: bool,
    pub(crate) strip: Option<TextStrip>,
}

impl Decoder {
    /// Reads the `decoder` of a file.
    ///
    /// # Errors
    /// A component psi does not have, or one in a place where it would need the whole text.
    pub(crate) fn parse(value: &Value, place: &str) -> Result<Self, TokenizerError> {
        let mut decoder = Self { joins_with_space: value.is_null(), ..Self::default() };
        decoder.add(value, place)?;
        Ok(decoder)
    }

    fn add(&mut self, value: &Value, place: &str) -> Result<(), TokenizerError> {
        if value.is_null() {
            return Ok(());
        }
        let mut c = Component::new(value, place)?;
        let step = match c.kind {
            "Sequence" => {
                for (i, part) in c.list("decoders")?.iter().enumerate() {
                    self.add(part, &format!("{place}.decoders[{i}]"))?;
                }
                return c.finish();
            }
            "Fuse" => {
                self.fused = true;
                return c.finish();
            }
            "ByteLevel" => {
                c.ignore(&["add_prefix_space", "trim_offsets", "use_regex"]);
                TokenStep::ByteLevel
            }
            "ByteFallback" => TokenStep::ByteFallback,
            "Replace" => TokenStep::Replace {
                pattern: parse_pattern(&mut c)?,
                content: c.str("content")?.to_owned(),
            },
            "Strip" => TokenStep::Strip {
                content: c.char_or("content", ' ')?,
                start: c.usize_or("start", 0)?,
                stop: c.usize_or("stop", 0)?,
            },
            "WordPiece" => TokenStep::WordPiece {
                prefix: c.str_or("prefix", "##")?.to_owned(),
                cleanup: c.bool_or("cleanup", true)?,
            },
            "BPEDecoder" => TokenStep::Suffix(c.str_or("suffix", "</w>")?.to_owned()),
            "Metaspace" => match parse_metaspace(&mut c)? {
                PreTokenizer::Metaspace { replacement, prepend, .. } => {
                    TokenStep::Metaspace { replacement, drops_first: prepend != Prepend::Never }
                }
                _ => return Err(c.unknown("decoder")),
            },
            _ => return Err(c.unknown("decoder")),
        };
        self.push(step, &c)?;
        c.finish()
    }

    fn push(&mut self, step: TokenStep, c: &Component<'_>) -> Result<(), TokenizerError> {
        let is_byte_level = matches!(step, TokenStep::ByteLevel);
        if self.fused {
            // On the joined text only taking characters off its start works in a stream.
            match step {
                TokenStep::Strip { content, start, stop: 0 } if self.strip.is_none() => {
                    self.strip = Some(TextStrip { content, start });
                }
                _ => {
                    let what = format!("the decoder {} after the tokens are joined", c.kind);
                    return Err(TokenizerError::unsupported(&c.place, what));
                }
            }
        } else {
            self.steps.push(step);
        }
        self.fused |= is_byte_level;
        Ok(())
    }

    /// The bytes of a token in the middle of a text, or at its start. An added token is spelled as it is
    /// even where the others are spelled in GPT-2's alphabet (Hugging Face garbles `é` there).
    pub(crate) fn token_bytes(&self, text: &str, is_first: bool, is_added: bool) -> Vec<u8> {
        let mut text = std::borrow::Cow::Borrowed(text);
        for step in &self.steps {
            match step {
                TokenStep::ByteLevel if is_added => {}
                TokenStep::ByteLevel => {
                    return byte_level::decode(&text).unwrap_or_else(|| text.as_bytes().to_vec());
                }
                TokenStep::ByteFallback => {
                    if let Some(byte) = parse_byte_token(&text) {
                        return vec![byte];
                    }
                }
                other => text = other.apply(&text, is_first).into(),
            }
        }
        if self.joins_with_space && !is_first {
            text.to_mut().insert(0, ' ');
        }
        text.into_owned().into_bytes()
    }

    /// Whether the space that ends the bytes of `text` goes when no token follows.
    pub(crate) fn drops_final_space(&self, text: &str) -> bool {
        self.steps.iter().any(|s| matches!(s, TokenStep::Suffix(suffix) if text.ends_with(suffix)))
    }
}

impl TokenStep {
    fn apply(&self, text: &str, is_first: bool) -> String {
        match self {
            Self::ByteLevel | Self::ByteFallback => text.to_owned(),
            Self::Replace { pattern, content } => {
                let (mut out, mut done) = (String::new(), 0);
                pattern.each_match(text, |start, end| {
                    out.push_str(&text[done..start]);
                    out.push_str(content);
                    done = end;
                });
                out + &text[done..]
            }
            Self::Strip { content, start, stop } => {
                let mut rest = text;
                for _ in 0..*start {
                    rest = rest.strip_prefix(*content).unwrap_or(rest);
                }
                for _ in 0..*stop {
                    rest = rest.strip_suffix(*content).unwrap_or(rest);
                }
                rest.to_owned()
            }
            Self::WordPiece { prefix, cleanup } => {
                let joined = match text.strip_prefix(prefix.as_str()) {
                    _ if is_first => text.to_owned(),
                    Some(rest) => rest.to_owned(),
                    None => format!(" {text}"),
                };
                if *cleanup { clean_up(&joined) } else { joined }
            }
            // The reference drops every mark of the first token, not only the one that was added.
            Self::Metaspace { replacement, drops_first } if is_first && *drops_first => {
                text.replace(*replacement, "")
            }
            Self::Metaspace { replacement, .. } => text.replace(*replacement, " "),
            Self::Suffix(suffix) => text.replace(suffix.as_str(), " "),
        }
    }
}

/// WordPiece's English clean-up, applied to one token with its space.
fn clean_up(text: &str) -> String {
    const RULES: [(&str, &str); 11] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    RULES.iter().fold(text.to_owned(), |text, (from, to)| {
        if text.contains(from) { text.replace(from, to) } else { text }
    })
}

/// Decodes a stream of tokens, holding back the bytes of a character until it is complete.
///
/// The concatenation of everything [`push`](Self::push) and [`finish`](Self::finish) return equals
/// [`Tokenizer::decode`](crate::Tokenizer::decode) of all ids.
#[derive(Debug, Clone, Default)]
pub struct Detokenizer {
    skip_special: bool,
    started: bool,
    text_started: bool,
    stripped: usize,
    pending_space: bool,
    pending: Vec<u8>,
}

impl Detokenizer {
    /// A decoder at the start of a text; `skip_special` leaves special tokens out.
    pub fn new(skip_special: bool) -> Self {
        Self { skip_special, ..Self::default() }
    }

    /// The text that `id` completes, possibly empty. Ids outside the vocabulary stand for nothing.
    pub fn push(&mut self, tokenizer: &crate::Tokenizer, id: crate::TokenId) -> String {
        let mut bytes = std::mem::take(&mut self.pending);
        self.push_bytes(tokenizer, id, &mut bytes);
        let mut out = String::with_capacity(bytes.len());
        let held = decode_utf8(&bytes, &mut out);
        self.pending.extend_from_slice(&bytes[held..]);
        out
    }

    /// What is left: an incomplete character becomes U+FFFD.
    pub fn finish(&mut self) -> String {
        self.pending_space = false;
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }

    /// Appends the bytes of one more token.
    pub(crate) fn push_bytes(
        &mut self,
        tokenizer: &crate::Tokenizer,
        id: crate::TokenId,
        out: &mut Vec<u8>,
    ) {
        if self.skip_special && tokenizer.is_special(id) {
            return;
        }
        let Some(text) = tokenizer.token(id) else { return };
        let decoder = tokenizer.decoder();
        if std::mem::take(&mut self.pending_space) {
            out.push(b' ');
        }
        let before = out.len();
        if self.started {
            out.extend_from_slice(tokenizer.token_bytes(id));
        } else {
            out.extend_from_slice(&decoder.token_bytes(text, true, tokenizer.is_added(id)));
        }
        self.started = true;
        if decoder.drops_final_space(text) && out.last() == Some(&b' ') {
            out.pop();
            self.pending_space = true;
        }
        if let Some(strip) = decoder.strip
            && !self.text_started
        {
            let mut utf8 = [0; 4];
            let content = strip.content.encode_utf8(&mut utf8).as_bytes();
            while self.stripped < strip.start && out[before..].starts_with(content) {
                out.drain(before..before + content.len());
                self.stripped += 1;
            }
            self.text_started = self.stripped == strip.start || out.len() > before;
        }
    }
}

/// Appends the valid text of `bytes`, U+FFFD for what can never be valid, and returns where an
/// incomplete character starts.
fn decode_utf8(bytes: &[u8], out: &mut String) -> usize {
    let mut at = 0;
    loop {
        match std::str::from_utf8(&bytes[at..]) {
            Ok(text) => {
                out.push_str(text);
                return bytes.len();
            }
            Err(e) => {
                let valid = at + e.valid_up_to();
                out.push_str(std::str::from_utf8(&bytes[at..valid]).unwrap_or_default());
                let Some(len) = e.error_len() else { return valid };
                out.push('\u{FFFD}');
                at = valid + len;
            }
        }
    }
}

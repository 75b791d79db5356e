//! Post-processors: the special tokens around a text.

use serde_json::Value;

use crate::TokenId;
use crate::component::Component;
use crate::error::{TokenizerError, quoted};
use crate::vocab::Vocab;

/// The ids before and after a single text. Pairs of texts (sentence-pair classification) are not psi's
/// business; their template is kept only to be written back.
#[derive(Debug, Default)]
pub(crate) struct Template {
    pub(crate) prefix: Vec<TokenId>,
    pub(crate) suffix: Vec<TokenId>,
    pub(crate) cls: Option<TokenId>,
    pub(crate) sep: Option<TokenId>,
}

impl Template {
    /// Reads a post-processor; `null` is an empty template.
    pub(crate) fn parse(value: &Value, place: &str, vocab: &Vocab) -> Result<Self, TokenizerError> {
        let mut template = Self::default();
        template.add(value, place, vocab)?;
        Ok(template)
    }

    fn add(&mut self, value: &Value, place: &str, vocab: &Vocab) -> Result<(), TokenizerError> {
        if value.is_null() {
            return Ok(());
        }
        let mut c = Component::new(value, place)?;
        match c.kind {
            "Sequence" => {
                for (i, part) in c.list("processors")?.iter().enumerate() {
                    self.add(part, &format!("{place}.processors[{i}]"), vocab)?;
                }
            }
            // Both change offsets only.
            "ByteLevel" => c.ignore(&["add_prefix_space", "trim_offsets", "use_regex"]),
            "BertProcessing" | "RobertaProcessing" => {
                c.ignore(&["trim_offsets", "add_prefix_space"]);
                let cls = token_and_id(c.value("cls")?, &format!("{place}.cls"), vocab)?;
                let sep = token_and_id(c.value("sep")?, &format!("{place}.sep"), vocab)?;
                (self.cls, self.sep) = (Some(cls), Some(sep));
                self.prefix.insert(0, cls);
                self.suffix.push(sep);
            }
            "TemplateProcessing" => self.add_template(&mut c, vocab)?,
            _ => return Err(c.unknown("post-processor")),
        }
        c.finish()
    }

    fn add_template(&mut self, c: &mut Component<'_>, vocab: &Vocab) -> Result<(), TokenizerError> {
        c.ignore(&["pair"]);
        let special = c.value("special_tokens")?;
        let place = format!("{}.single", c.place);
        let (mut before, mut after, mut seen_text) = (Vec::new(), Vec::new(), false);
        for (i, piece) in c.list("single")?.iter().enumerate() {
            let place = format!("{place}[{i}]");
            if piece.get("Sequence").is_some() {
                if std::mem::replace(&mut seen_text, true) {
                    return Err(TokenizerError::unsupported(place, "a second text"));
                }
                continue;
            }
            let Some(name) = piece.pointer("/SpecialToken/id").and_then(Value::as_str) else {
                let reason = "expected a SpecialToken or a Sequence";
                return Err(TokenizerError::invalid(place, reason));
            };
            let ids = special.get(name).and_then(|t| t.get("ids")).and_then(Value::as_array);
            let ids = ids.ok_or_else(|| {
                TokenizerError::invalid(&place, format!("{} has no ids", quoted(name)))
            })?;
            let ids = ids.iter().map(|id| checked_id(id, &place, vocab));
            let side = if seen_text { &mut after } else { &mut before };
            side.extend(ids.collect::<Result<Vec<_>, _>>()?);
        }
        if !seen_text {
            return Err(TokenizerError::invalid(place, "the template has no place for the text"));
        }
        self.prefix.splice(0..0, before);
        self.suffix.extend(after);
        Ok(())
    }

    /// The token that starts a text, if it is the only one before it.
    pub(crate) fn bos(&self) -> Option<TokenId> {
        if self.cls.is_some() { None } else { self.prefix.first().copied() }
    }

    /// The token that ends a text.
    pub(crate) fn eos(&self) -> Option<TokenId> {
        if self.sep.is_some() { None } else { self.suffix.last().copied() }
    }
}

fn token_and_id(value: &Value, place: &str, vocab: &Vocab) -> Result<TokenId, TokenizerError> {
    let id = value.get(1).ok_or_else(|| TokenizerError::invalid(place, "expected [token, id]"))?;
    checked_id(id, place, vocab)
}

fn checked_id(id: &Value, place: &str, vocab: &Vocab) -> Result<TokenId, TokenizerError> {
    id.as_u64()
        .and_then(|id| TokenId::try_from(id).ok())
        .filter(|&id| vocab.text(id).is_some())
        .ok_or_else(|| TokenizerError::invalid(place, format!("{id} is not the id of a token")))
}

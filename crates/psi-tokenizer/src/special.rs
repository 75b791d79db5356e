//! Tokens with a role, and how they are recognised where a file does not name them.

use crate::TokenId;
use crate::added::AddedToken;
use crate::vocab::Vocab;

/// The tokens with a role; `None` where the tokenizer has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Beginning of sequence.
    pub bos: Option<TokenId>,
    /// End of sequence.
    pub eos: Option<TokenId>,
    /// End of turn.
    pub eot: Option<TokenId>,
    /// End of message (a tool call follows).
    pub eom: Option<TokenId>,
    /// Stands for what has no token.
    pub unk: Option<TokenId>,
    /// Separator.
    pub sep: Option<TokenId>,
    /// Padding.
    pub pad: Option<TokenId>,
    /// Classification.
    pub cls: Option<TokenId>,
    /// Mask.
    pub mask: Option<TokenId>,
    /// All ids that end a generation, sorted.
    pub end_of_generation: Vec<TokenId>,
}

/// Texts that end a turn, in the order they are preferred.
const END_OF_TURN: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<turn|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<EOT>",
    "[EOT]",
    "<｜end▁of▁sentence｜>",
    "<end_of_utterance>",
];

/// Texts that end a generation besides those.
const END_OF_GENERATION: &[&str] = &[
    "<|eom_id|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "</s>",
    "[EOS]",
    "<eos>",
    "<|tool_response>",
    "[e~[",
];

impl SpecialTokens {
    /// Fills in what can be told from the texts of special tokens.
    pub(crate) fn find_well_known(&mut self, vocab: &Vocab, added: &[AddedToken]) {
        let special = |text: &str| {
            let id = vocab.id(text)?;
            added.iter().any(|t| t.special && t.id == id).then_some(id)
        };
        self.eot = self.eot.or_else(|| END_OF_TURN.iter().find_map(|t| special(t)));
        self.eom = self.eom.or_else(|| special("<|eom_id|>"));
        // In harmony (gpt-oss) `<|end|>` ends one message of several, not the generation.
        let is_harmony = special("<|return|>").is_some() && special("<|call|>").is_some();
        let by_text = END_OF_TURN
            .iter()
            .chain(END_OF_GENERATION)
            .filter(|t| !(is_harmony && **t == "<|end|>"))
            .filter_map(|t| special(t));
        self.end_of_generation.extend(by_text.chain(self.eos).chain(self.eom));
        if !is_harmony {
            self.end_of_generation.extend(self.eot);
        }
        self.end_of_generation.sort_unstable();
        self.end_of_generation.dedup();
    }
}

//! Every key of a recipe, declared once: the parser, the checks, `--dry-run` and the help come from it.

use super::keys::Fallback::{Absent, Derived, Is};

/// A key and what may stand behind it.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// `table.key`.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What holds when it is not given.
    pub fallback: Fallback,
    /// Whether it may change when a run is resumed: it does not touch the weights.
    pub free: bool,
    /// One sentence.
    pub help: &'static str,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number, not negative.
    Count,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A table of anything.
    Table,
    /// A list of tables.
    Tables,
}

/// What holds when a key is not given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fallback {
    /// This value, in TOML.
    Is(&'static str),
    /// What the other keys say; the text tells how.
    Derived(&'static str),
    /// Nothing.
    Absent,
}

const fn key(name: &'static str, kind: Kind, fallback: Fallback, help: &'static str) -> Key {
    Key { name, kind, fallback, free: false, help }
}

const fn free(name: &'static str, kind: Kind, fallback: Fallback, help: &'static str) -> Key {
    Key { name, kind, fallback, free: true, help }
}

/// Every key, by table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    free("run.dir", Kind::Text, Derived("runs/NAME OF THE RECIPE in PSI_HOME"), "Folder of the run."),
    key("run.seed", Kind::Count, Is("0"), "Seed of the initial weights and of the order of the data."),

    key("model.from", Kind::Text, Absent, "Folder or GGUF file of the model to start from; else a new model is made."),
    key("model.depth", Kind::Count, Is("4"), "The one dial of a new model: its number of layers, from which its sizes follow."),
    key("model.family", Kind::Choice(&["qwen3", "llama"]), Is("\"qwen3\""), "Architecture of a new model; qwen3 normalises queries and keys."),
    key("model.n_layers", Kind::Count, Derived("model.depth"), "Layers."),
    key("model.d_model", Kind::Count, Derived("64 x model.depth"), "Width of the residual stream."),
    key("model.d_head", Kind::Count, Derived("64"), "Width of a head."),
    key("model.n_heads", Kind::Count, Derived("d_model / d_head"), "Query heads."),
    key("model.n_kv_heads", Kind::Count, Derived("half of n_heads, or n_heads if odd"), "Key and value heads."),
    key("model.d_ff", Kind::Count, Derived("8/3 d_model, up to a multiple of 64"), "Width of the feed-forward layer."),
    key("model.max_seq_len", Kind::Count, Derived("data.seq_len"), "Positions the model is made for."),
    key("model.rope_base", Kind::Number, Is("10000.0"), "Base of the rotary embedding."),
    key("model.norm_eps", Kind::Number, Is("1e-6"), "Epsilon inside the norms."),
    key("model.tied", Kind::Flag, Is("true"), "The output head is the embedding."),
    key("model.init_gain", Kind::Number, Is("0.5"), "Deviation of initial matrices, times the square root of their inputs."),
    key("model.init_embed", Kind::Number, Is("0.02"), "Deviation of the initial embedding."),
    key("model.zero_out", Kind::Flag, Is("true"), "Start w_o and w_down at zero, so that every block starts as the identity."),

    key("tokenizer.from", Kind::Text, Absent, "tokenizer.json or model folder; else that of model.from, else one is trained on the data."),
    key("tokenizer.vocab_size", Kind::Count, Is("4096"), "Tokens of a trained tokenizer."),
    key("tokenizer.special_tokens", Kind::Texts, Is("[\"<|endoftext|>\", \"<|im_start|>\", \"<|im_end|>\"]"), "Special tokens of a trained tokenizer; the first ends a text."),
    key("tokenizer.digits", Kind::Choice(&["single", "groups"]), Is("\"single\""), "single: a trained tokenizer makes every digit a token; groups: up to three digits may share one."),
    key("tokenizer.sample_mb", Kind::Count, Is("32"), "Megabytes of text that a tokenizer is trained on."),
    key("tokenizer.chat_template", Kind::Text, Absent, "File with the chat template; else the tokenizer's own; a trained one gets psi-nano's (ChatML with tools and thoughts)."),

    key("data.sources", Kind::Tables, Is("[]"), "What is trained on: tables with path and, as needed, name, weight, format, column, split_at."),
    key("data.validation", Kind::Tables, Is("[]"), "What is only evaluated; same tables."),
    key("data.validation_fraction", Kind::Number, Is("0.0"), "Share of the documents set aside for validation instead."),
    key("data.seq_len", Kind::Count, Is("1024"), "Tokens of a row."),
    key("data.batch_rows", Kind::Count, Derived("4096 / data.seq_len, a divisor of train.batch_tokens / data.seq_len"), "Rows of a micro-batch: what is in memory at once."),
    key("data.packing", Kind::Choice(&["stream", "whole"]), Is("\"stream\""), "stream: documents side by side, a row of each in turn; whole: each document (conversation) by itself, several to a row."),
    key("data.attend_across_documents", Kind::Flag, Is("true"), "stream: a token sees the documents before its own in the row."),
    key("data.overlong", Kind::Choice(&["refuse", "drop"]), Is("\"refuse\""), "whole, and prefer.pairs: what becomes of a document longer than a row."),
    key("data.turns", Kind::Choice(&["together", "each"]), Is("\"together\""), "together: a conversation is one document; each: one per turn, for templates that drop earlier reasoning."),
    key("data.end_token", Kind::Text, Absent, "Special token after each text document; else <|endoftext|>, else the tokenizer's end of text."),
    key("data.template_vars", Kind::Table, Is("{}"), "Variables for the chat template besides the conversation."),
    key("data.max_bad_rows", Kind::Count, Is("0"), "A run stops when more rows than this cannot be used."),
    key("data.max_document_mb", Kind::Count, Is("64"), "Longest document, in megabytes of text."),

    key("train.method", Kind::Choice(&["full", "lora", "dora"]), Is("\"full\""), "What is trained: all weights, or low-rank adapters beside them."),
    key("train.steps", Kind::Count, Derived("train.tokens / train.batch_tokens"), "Optimiser steps."),
    key("train.tokens", Kind::Count, Derived("20 tokens per parameter"), "Tokens to train on, when train.steps is not given."),
    key("train.batch_tokens", Kind::Count, Is("16384"), "Tokens per optimiser step; micro-batches are accumulated up to it."),
    key("train.dtype", Kind::Choice(&["auto", "bf16", "f32"]), Is("\"auto\""), "Type matrix products are computed in; masters are f32. auto: bf16 where the processor has it."),
    key("train.loss", Kind::Choice(&["likelihood", "dpo", "ipo", "kto"]), Is("\"likelihood\""), "What is minimised: -ln p of the texts, or a loss of preferences over prefer.pairs."),
    key("train.z_loss", Kind::Number, Is("0.0"), "Weight of the squared log-sum-exp of the logits in the loss."),
    key("train.recompute", Kind::Flag, Is("false"), "Recompute each layer's activations in the backward pass instead of keeping them."),
    key("train.ema", Kind::Number, Is("0.0"), "Decay of the running average of the weights, which model/ then holds; 0: none."),

    key("prefer.pairs", Kind::Text, Absent, "Judged answers: lines with messages and chosen and rejected, or (kto) answer and liked."),
    key("prefer.epochs", Kind::Count, Is("3"), "Passes over prefer.pairs, when train.steps is not given."),
    key("prefer.batch", Kind::Count, Is("8"), "Lines of prefer.pairs per optimiser step."),
    key("prefer.beta", Kind::Number, Is("0.1"), "How much a log-ratio counts: larger stays nearer to the model at the start."),
    key("prefer.keep", Kind::Number, Is("0.0"), "Weight of -ln p of the liked answers, per token, beside the preference."),

    key("lora.rank", Kind::Count, Is("16"), "Rank of the adapters."),
    key("lora.alpha", Kind::Number, Is("32.0"), "Scale of the adapters times their rank."),
    key("lora.targets", Kind::Texts, Is("[\"q\", \"k\", \"v\", \"o\", \"gate\", \"up\", \"down\"]"), "Linear layers that get adapters."),

    key("optim.kind", Kind::Choice(&["muon", "adamw"]), Is("\"muon\""), "muon: hidden matrices by Muon, the rest by AdamW."),
    key("optim.lr", Kind::Number, Derived("0.003 x sqrt(256 / d_model); 2e-4 for adapters, 1e-4 from a checkpoint"), "Peak learning rate of AdamW."),
    key("optim.muon_lr", Kind::Number, Derived("0.02; 0.002 from a checkpoint"), "Peak learning rate of Muon."),
    key("optim.momentum", Kind::Number, Is("0.95"), "Momentum of Muon."),
    key("optim.beta1", Kind::Number, Is("0.9"), "Decay of AdamW's first moment."),
    key("optim.beta2", Kind::Number, Is("0.95"), "Decay of AdamW's second moment."),
    key("optim.eps", Kind::Number, Is("1e-8"), "Added to AdamW's denominator."),
    key("optim.weight_decay", Kind::Number, Is("0.1"), "Decoupled weight decay of matrices."),
    key("optim.cautious", Kind::Flag, Is("false"), "Decay a weight only where the update agrees with its sign."),
    key("optim.clip", Kind::Number, Is("1.0"), "Largest norm of the gradient; 0: no limit."),

    key("schedule.kind", Kind::Choice(&["wsd", "cosine", "linear", "constant"]), Is("\"wsd\""), "Course of the learning rate after the warm-up."),
    key("schedule.warmup", Kind::Count, Derived("1/50 of the steps, at least 1"), "Steps of linear warm-up."),
    key("schedule.decay", Kind::Number, Is("0.4"), "wsd: share of the steps at the end in which the rate falls."),
    key("schedule.floor", Kind::Number, Is("0.0"), "Last learning rate, as a share of the peak."),

    key("guard.z", Kind::Number, Is("0.0"), "Skip a step whose loss or gradient norm lies more than so many deviations above the last 128; 0: never."),
    key("guard.max_loss", Kind::Number, Derived("4 x ln(vocabulary)"), "A larger loss is a divergence and ends the run."),

    free("eval.every", Kind::Count, Derived("1/10 of the steps"), "Steps between validations (and one at the end); 0: none."),
    free("eval.batches", Kind::Count, Is("0"), "Micro-batches of a validation; 0: all."),
    free("eval.prompts", Kind::Texts, Is("[]"), "Beginnings that are continued with each validation, to look at."),
    free("eval.sample_tokens", Kind::Count, Is("48"), "Tokens of such a continuation."),

    free("save.every", Kind::Count, Derived("1/10 of the steps"), "Steps between checkpoints (and one at the end); 0: only that one."),
    free("save.keep", Kind::Count, Is("2"), "How many checkpoints to keep, the newest first; the best by validation stays besides."),
    key("save.dtype", Kind::Choice(&["auto", "f32", "bf16", "f16"]), Is("\"auto\""), "Type of the weights in model/; auto: that of train.dtype."),

    key("rl.tasks", Kind::Texts, Is("[]"), "psi refine: what is practised: families of problems and kinds of exchanges, by name."),
    key("rl.prompts", Kind::Count, Is("16"), "Prompts of a step, each answered by a group."),
    key("rl.group", Kind::Count, Is("8"), "Answers per prompt."),
    key("rl.max_tokens", Kind::Count, Is("128"), "Most tokens the model writes in one answer."),
    key("rl.max_turns", Kind::Count, Is("4"), "Most turns of the model in one exchange with tools."),
    free("rl.batch", Kind::Count, Is("128"), "Answers being written at the same time."),
    key("rl.advantage", Kind::Choice(&["standardised", "centred", "best"]), Is("\"centred\""), "standardised: reward against its group's mean and deviation (GRPO); centred: its mean (Dr. GRPO); best: imitate the best of the group (RAFT)."),
    key("rl.average", Kind::Choice(&["answer", "token", "constant"]), Is("\"token\""), "What an answer's sum is divided by: its length (GRPO), all tokens (DAPO), rl.max_tokens (Dr. GRPO)."),
    key("rl.ratio", Kind::Choice(&["token", "answer"]), Is("\"token\""), "Probability ratio of each token, or of the whole answer (GSPO)."),
    key("rl.correction", Kind::Choice(&["clip", "truncate"]), Is("\"clip\""), "Ratios far from 1: no gradient beyond the clip, or counted as at most rl.cap."),
    key("rl.clip_low", Kind::Number, Is("0.2"), "Clip below 1."),
    key("rl.clip_high", Kind::Number, Is("0.28"), "Clip above 1 (DAPO's clip-higher)."),
    key("rl.cap", Kind::Number, Is("2.0"), "Largest importance weight with truncate."),
    key("rl.kl", Kind::Number, Is("0.0"), "Weight of the divergence from the model at the start."),
    key("rl.minibatches", Kind::Count, Is("1"), "Optimiser steps per pass over a step's answers."),
    key("rl.epochs", Kind::Count, Is("1"), "Passes over a step's answers; after the first update they are off-policy."),
    key("rl.refill", Kind::Count, Is("1"), "How often prompts are drawn again to replace groups of equal reward (DAPO's dynamic sampling)."),
    key("rl.curriculum", Kind::Flag, Is("true"), "Draw levels of difficulty by the variance of the model's answers."),
    key("rl.garbled", Kind::Number, Is("0.0"), "Share of the problems that are asked in garbled words (some missing, some others), so that wordings are practised that training does not hold."),
    key("rl.reward_correct", Kind::Number, Is("1.0"), "Reward of an answer that the verifier accepts."),
    key("rl.reward_format", Kind::Number, Is("0.0"), "Reward of thoughts before the answer and tags that are closed."),
    key("rl.reward_length", Kind::Number, Is("0.0"), "Taken off for an answer of rl.max_tokens, in proportion for shorter ones."),
    free("rl.eval_items", Kind::Count, Is("256"), "Held-out prompts of an evaluation, at the first step and every eval.every."),

    free("log.every", Kind::Count, Is("1"), "Steps between lines of metrics.jsonl."),
    free("log.start", Kind::Flag, Is("false"), "Write the weights before the first step to start/, a Hugging Face folder."),
    free("log.rows", Kind::Flag, Is("false"), "Write the rows of every step to rows.jsonl, to replay them elsewhere."),
    free("log.roof", Kind::Flag, Is("true"), "Measure the processor's peak at the start, to log the share of it."),
];

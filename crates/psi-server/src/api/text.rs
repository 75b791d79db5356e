//! Tokens and templates: `/tokenize`, `/detokenize`, `/tokenizer_info`, `/apply-template`, `/props`.

use axum::{Json, response::IntoResponse};
use psi_infer::chat::{ChatError, TemplateOptions};
use psi_tokenizer::{TokenId, Tokenizer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    chat::{self, request::Message},
    error::ApiError,
    gate::{Call, Reply, blocking},
};

/// Body of `POST /tokenize`. The text is called `prompt` or `content`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenizeBody {
    model: Option<String>,
    prompt: Option<String>,
    /// Another name of `prompt`.
    content: Option<String>,
    /// Add the tokens that the model wants around a text (default: no).
    #[serde(alias = "add_special")]
    add_special_tokens: Option<bool>,
    /// Read special tokens in the text as such (default: yes).
    parse_special: Option<bool>,
    /// Give each token with its text (default: no).
    with_pieces: Option<bool>,
}

/// Token ids.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Tokens {
    tokens: Vec<Token>,
    count: usize,
}

/// A token.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
pub(crate) enum Token {
    Id(TokenId),
    /// With what it stands for.
    Piece {
        id: TokenId,
        piece: Piece,
    },
}

/// What a token stands for.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(untagged)]
pub(crate) enum Piece {
    Text(String),
    /// Part of a character, as bytes.
    Bytes(Vec<u8>),
}

impl Token {
    fn with_piece(id: TokenId, tokenizer: &Tokenizer) -> Self {
        let bytes = tokenizer.token_bytes(id).to_vec();
        let piece =
            String::from_utf8(bytes).map_or_else(|e| Piece::Bytes(e.into_bytes()), Piece::Text);
        Self::Piece { id, piece }
    }
}

pub(crate) async fn tokenize(call: Call) -> Reply {
    let body: TokenizeBody = call.json()?;
    let text = match (body.prompt, body.content) {
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => return Err(ApiError::invalid("prompt", "is needed")),
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid("content", "is another name of `prompt`"));
        }
    };
    let served = call.model(body.model.as_deref()).await?;
    let add_special = body.add_special_tokens.unwrap_or(false);
    let parse_special = body.parse_special.unwrap_or(true);
    let with_pieces = body.with_pieces.unwrap_or(false);
    let tokens = blocking(&call.api, move || {
        let tokenizer = &served.model.tokenizer;
        let token = |id| if with_pieces { Token::with_piece(id, tokenizer) } else { Token::Id(id) };
        let ids = tokenizer.encode(&text, add_special, parse_special);
        Ok(ids.into_iter().map(token).collect::<Vec<_>>())
    })
    .await?;
    let count = tokens.len();
    Ok(Json(Tokens { tokens, count }).into_response())
}

/// Body of `POST /detokenize`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetokenizeBody {
    model: Option<String>,
    tokens: Vec<TokenId>,
    /// Leave out special tokens (default: no).
    skip_special_tokens: Option<bool>,
}

/// The text of tokens, under both names that clients look for.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Text {
    prompt: String,
    content: String,
}

pub(crate) async fn detokenize(call: Call) -> Reply {
    let body: DetokenizeBody = call.json()?;
    let served = call.model(body.model.as_deref()).await?;
    let vocab_size = served.model.tokenizer.vocab_size();
    if let Some(id) = body.tokens.iter().find(|id| **id as usize >= vocab_size) {
        let why = format!("token {id} is outside the vocabulary of {vocab_size}");
        return Err(ApiError::invalid("tokens", why));
    }
    let skip = body.skip_special_tokens.unwrap_or(false);
    let text =
        blocking(&call.api, move || Ok(served.model.tokenizer.decode(&body.tokens, skip))).await?;
    Ok(Json(Text { prompt: text.clone(), content: text }).into_response())
}

/// Which model.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelQuery {
    /// The model; the server's first one where it is not said.
    pub(crate) model: Option<String>,
}

/// What clients want to know of a tokenizer.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct TokenizerInfo {
    vocab_size: usize,
    bos_token: Option<String>,
    eos_token: Option<String>,
    pad_token: Option<String>,
    unk_token: Option<String>,
    chat_template: Option<String>,
}

pub(crate) async fn tokenizer_info(call: Call) -> Reply {
    let query: ModelQuery = call.query()?;
    let served = call.model(query.model.as_deref()).await?;
    let tokenizer = &served.model.tokenizer;
    let text = |id: Option<TokenId>| id.and_then(|id| tokenizer.token(id)).map(str::to_owned);
    let info = TokenizerInfo {
        vocab_size: tokenizer.vocab_size(),
        bos_token: text(tokenizer.bos()),
        eos_token: text(tokenizer.eos()),
        pad_token: text(tokenizer.pad()),
        unk_token: text(tokenizer.unk()),
        chat_template: served.model.template.as_ref().map(|t| t.source().to_owned()),
    };
    Ok(Json(info).into_response())
}

/// Body of `POST /apply-template`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateBody {
    model: Option<String>,
    messages: Vec<Message>,
    tools: Option<Vec<chat::request::Tool>>,
    /// Variables for the template.
    chat_template_kwargs: Option<Map<String, Value>>,
    /// End where the model's answer begins (default: yes).
    add_generation_prompt: Option<bool>,
    /// Leave the last message open.
    continue_final_message: Option<bool>,
}

/// A prompt.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Prompt {
    prompt: String,
    tokens: Vec<TokenId>,
}

pub(crate) async fn apply_template(call: Call) -> Reply {
    let body: TemplateBody = call.json()?;
    let served = call.model(body.model.as_deref()).await?;
    let messages = chat::messages(&body.messages, call.api.limits.n_messages)?;
    let prompt = blocking(&call.api, move || {
        let tools = body.tools.unwrap_or_default();
        let tools: Vec<Value> = tools.iter().map(|t| t.function.definition()).collect();
        let continue_last = body.continue_final_message == Some(true);
        let options = TemplateOptions {
            kwargs: body.chat_template_kwargs.unwrap_or_default(),
            add_generation_prompt: body.add_generation_prompt.unwrap_or(!continue_last),
            continue_last,
            ..TemplateOptions::default()
        };
        let tokens = served.model.prompt(&messages, &tools, &options);
        let param = |e: &ChatError| e.field().unwrap_or("messages").to_owned();
        let tokens = tokens.map_err(|e| ApiError::invalid(param(&e), e.to_string()))?;
        Ok(Prompt { prompt: served.model.tokenizer.decode(&tokens, false), tokens })
    })
    .await?;
    Ok(Json(prompt).into_response())
}

/// The default model's properties.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Props {
    model: String,
    n_ctx: usize,
    vocab_size: usize,
    chat_template: Option<String>,
    build_info: &'static str,
}

pub(crate) async fn props(call: Call) -> Reply {
    let served = call.model(None).await?;
    let props = Props {
        n_ctx: served.model.service.max_context(),
        vocab_size: served.model.tokenizer.vocab_size(),
        chat_template: served.model.template.as_ref().map(|t| t.source().to_owned()),
        build_info: chat::answer::FINGERPRINT,
        model: served.name,
    };
    Ok(Json(props).into_response())
}

//! Every route, declared once.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawPathParams, Request},
    http::{Method, Uri},
    routing::{MethodFilter, MethodRouter},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{
    Shared, adapters, chat, completions, conversations, embeddings,
    error::{ApiError, Dialect},
    gate::{self, Handler},
    health, messages, model_list, openapi, responses, stored_chat, text,
};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone: says nothing but that the server is there.
    Public,
    /// Any key.
    Key,
    /// Keys with `admin = true`.
    Admin,
}

/// A type's JSON schema.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a route answers with.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// A JSON document.
    Json(SchemaOf),
    /// A JSON document, or events when the body says `"stream": true`.
    JsonOrEvents(SchemaOf),
    /// Plain text.
    Text,
    /// A JSON document per line.
    Lines,
}

/// One route.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// With `{name}` for a part and `{*name}` for the rest.
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) dialect: Dialect,
    pub(crate) summary: &'static str,
    /// The JSON body's schema.
    pub(crate) body: Option<SchemaOf>,
    /// The schema of the parameters after `?`.
    pub(crate) query: Option<SchemaOf>,
    pub(crate) answer: Answer,
    pub(crate) run: Handler,
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A route whose errors are in OpenAI's shape.
const fn route(
    method: Method,
    path: &'static str,
    access: Access,
    summary: &'static str,
    answer: Answer,
    run: Handler,
) -> Route {
    let dialect = Dialect::OpenAi;
    Route { method, path, access, dialect, summary, body: None, query: None, answer, run }
}

impl Route {
    const fn body(mut self, body: SchemaOf) -> Self {
        self.body = Some(body);
        self
    }

    const fn query(mut self, query: SchemaOf) -> Self {
        self.query = Some(query);
        self
    }

    const fn anthropic(mut self) -> Self {
        self.dialect = Dialect::Anthropic;
        self
    }
}

/// The handler `$module::$function` as a plain function.
macro_rules! run {
    ($($path:ident)::+) => {
        |call| Box::pin($($path)::+(call))
    };
}

use Access::{Admin, Key, Public};
use Answer::{Json, JsonOrEvents, Lines, Text};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const DELETE: Method = Method::DELETE;

/// All of them, by subject.
#[rustfmt::skip]
pub(crate) static ROUTES: &[Route] = &[
    route(POST, "/v1/chat/completions", Key, "The next message of a conversation.",
        JsonOrEvents(schema::<chat::answer::ChatCompletion>), run!(chat::create))
        .body(schema::<chat::request::ChatBody>),
    route(GET, "/v1/chat/completions", Key, "Stored chat completions, newest last.",
        Json(schema::<stored_chat::Page>), run!(stored_chat::list)).query(schema::<stored_chat::PageQuery>),
    route(GET, "/v1/chat/completions/{id}", Key, "A stored chat completion.",
        Json(schema::<chat::answer::ChatCompletion>), run!(stored_chat::get)),
    route(POST, "/v1/chat/completions/{id}", Key, "Change a stored chat completion's metadata.",
        Json(schema::<chat::answer::ChatCompletion>), run!(stored_chat::update)).body(schema::<stored_chat::Update>),
    route(DELETE, "/v1/chat/completions/{id}", Key, "Forget a stored chat completion.",
        Json(schema::<stored_chat::Deleted>), run!(stored_chat::delete)),
    route(GET, "/v1/chat/completions/{id}/messages", Key, "The messages that a stored chat completion answered.",
        Json(schema::<stored_chat::MessagePage>), run!(stored_chat::messages)).query(schema::<stored_chat::MessageQuery>),
    route(POST, "/v1/completions", Key, "The continuation of a text or of token ids.",
        JsonOrEvents(schema::<completions::answer::Completion>), run!(completions::create))
        .body(schema::<completions::request::CompletionBody>),
    route(POST, "/v1/responses", Key, "A response to a text or to items.",
        JsonOrEvents(schema::<responses::answer::Response>), run!(responses::create))
        .body(schema::<responses::request::ResponseBody>),
    route(POST, "/v1/responses/input_tokens", Key, "How many tokens the input of a response has.",
        Json(schema::<responses::answer::InputTokens>), run!(responses::input_tokens))
        .body(schema::<responses::request::CountBody>),
    route(POST, "/v1/responses/compact", Key, "What the user said and a summary, in place of a long conversation.",
        Json(schema::<responses::compact::Compaction>), run!(responses::compact::create))
        .body(schema::<responses::compact::CompactBody>),
    route(GET, "/v1/responses/{id}", Key, "A stored response, or its events again.",
        JsonOrEvents(schema::<responses::answer::Response>), run!(responses::get)).query(schema::<responses::request::GetQuery>),
    route(DELETE, "/v1/responses/{id}", Key, "Forget a stored response.",
        Json(schema::<responses::answer::Deleted>), run!(responses::delete)),
    route(POST, "/v1/responses/{id}/cancel", Key, "Cancel a response in the background, which psi does not make.",
        Json(schema::<responses::answer::Response>), run!(responses::cancel)),
    route(GET, "/v1/responses/{id}/input_items", Key, "The items that a stored response answered.",
        Json(schema::<responses::answer::ItemPage>), run!(responses::input_items)).query(schema::<responses::request::ItemQuery>),
    route(POST, "/v1/conversations", Key, "Begin a conversation that responses go on from and add to.",
        Json(schema::<conversations::Conversation>), run!(conversations::create)).body(schema::<conversations::ConversationBody>),
    route(GET, "/v1/conversations/{id}", Key, "A conversation, without its items.",
        Json(schema::<conversations::Conversation>), run!(conversations::get)),
    route(POST, "/v1/conversations/{id}", Key, "Change a conversation's metadata.",
        Json(schema::<conversations::Conversation>), run!(conversations::update)).body(schema::<conversations::Update>),
    route(DELETE, "/v1/conversations/{id}", Key, "Forget a conversation with its items.",
        Json(schema::<conversations::Deleted>), run!(conversations::delete)),
    route(POST, "/v1/conversations/{id}/items", Key, "Add items at the end of a conversation.",
        Json(schema::<responses::answer::ItemPage>), run!(conversations::add_items))
        .body(schema::<conversations::ItemsBody>).query(schema::<conversations::IncludeQuery>),
    route(GET, "/v1/conversations/{id}/items", Key, "The items of a conversation.",
        Json(schema::<responses::answer::ItemPage>), run!(conversations::list_items)).query(schema::<responses::request::ItemQuery>),
    route(GET, "/v1/conversations/{id}/items/{item}", Key, "One item of a conversation.",
        Json(schema::<serde_json::Map<String, serde_json::Value>>), run!(conversations::get_item))
        .query(schema::<conversations::IncludeQuery>),
    route(DELETE, "/v1/conversations/{id}/items/{item}", Key, "Forget one item of a conversation.",
        Json(schema::<conversations::Conversation>), run!(conversations::delete_item)),
    route(POST, "/v1/messages", Key, "The next message of a conversation, in Anthropic's shape.",
        JsonOrEvents(schema::<messages::answer::Message>), run!(messages::create))
        .body(schema::<messages::request::MessageBody>).anthropic(),
    route(POST, "/v1/messages/count_tokens", Key, "How many tokens a conversation has.",
        Json(schema::<messages::answer::TokenCount>), run!(messages::count_tokens))
        .body(schema::<messages::request::CountBody>).anthropic(),
    route(POST, "/v1/messages/batches", Key, "Many messages that nobody waits for.",
        Json(schema::<messages::batches::MessageBatch>), run!(messages::batches::create))
        .body(schema::<messages::batches::BatchBody>).anthropic(),
    route(GET, "/v1/messages/batches", Key, "Batches of messages, newest first.",
        Json(schema::<messages::batches::BatchPage>), run!(messages::batches::list))
        .query(schema::<messages::batches::BatchQuery>).anthropic(),
    route(GET, "/v1/messages/batches/{id}", Key, "How far a batch is.",
        Json(schema::<messages::batches::MessageBatch>), run!(messages::batches::get)).anthropic(),
    route(POST, "/v1/messages/batches/{id}/cancel", Key, "Begin no more requests of a batch.",
        Json(schema::<messages::batches::MessageBatch>), run!(messages::batches::cancel)).anthropic(),
    route(DELETE, "/v1/messages/batches/{id}", Key, "Forget a batch that has ended.",
        Json(schema::<messages::batches::Deleted>), run!(messages::batches::delete)).anthropic(),
    route(GET, "/v1/messages/batches/{id}/results", Key, "The results of a batch that has ended, one per line.",
        Lines, run!(messages::batches::results)).anthropic(),
    route(POST, "/v1/embeddings", Key, "Vectors of texts or token ids.",
        Json(schema::<embeddings::Embeddings>), run!(embeddings::create)).body(schema::<embeddings::EmbeddingBody>),
    route(GET, "/v1/models", Key, "The models that are served.",
        Json(schema::<model_list::ModelPage>), run!(model_list::list)).query(schema::<model_list::ModelQuery>),
    route(GET, "/v1/models/{*model}", Key, "One model.",
        Json(schema::<model_list::Model>), run!(model_list::get)),
    route(DELETE, "/v1/models/{*model}", Admin, "Drop an adapter, by its name as a model.",
        Json(schema::<model_list::Deleted>), run!(model_list::delete)),
    route(POST, "/tokenize", Key, "A text's token ids.",
        Json(schema::<text::Tokens>), run!(text::tokenize)).body(schema::<text::TokenizeBody>),
    route(POST, "/detokenize", Key, "The text of token ids.",
        Json(schema::<text::Text>), run!(text::detokenize)).body(schema::<text::DetokenizeBody>),
    route(GET, "/tokenizer_info", Key, "Special tokens and the chat template.",
        Json(schema::<text::TokenizerInfo>), run!(text::tokenizer_info)).query(schema::<text::ModelQuery>),
    route(POST, "/apply-template", Key, "The prompt that a conversation becomes.",
        Json(schema::<text::Prompt>), run!(text::apply_template)).body(schema::<text::TemplateBody>),
    route(GET, "/v1/adapters", Key, "The adapters that are loaded.",
        Json(schema::<adapters::AdapterList>), run!(adapters::list)).query(schema::<text::ModelQuery>),
    route(POST, "/v1/adapters/load", Admin, "Load a LoRA adapter beside a model.",
        Json(schema::<adapters::Adapter>), run!(adapters::load)).body(schema::<adapters::LoadBody>),
    route(POST, "/v1/adapters/unload", Admin, "Drop an adapter.",
        Json(schema::<adapters::Adapter>), run!(adapters::unload)).body(schema::<adapters::UnloadBody>),
    route(GET, "/props", Key, "The default model's context and template.",
        Json(schema::<text::Props>), run!(text::props)),
    route(GET, "/metrics", Key, "Counters for Prometheus.", Text, run!(health::metrics)),
    route(GET, "/health", Public, "Whether the process lives.",
        Json(schema::<health::Health>), run!(health::health)),
    route(GET, "/ready", Public, "Whether the first model answers: it writes one token.",
        Json(schema::<health::Health>), run!(health::ready)),
    route(GET, "/openapi.json", Key, "This list.",
        Json(schema::<serde_json::Map<String, serde_json::Value>>), run!(openapi::document)),
];

fn filter(method: &Method) -> MethodFilter {
    match *method {
        Method::POST => MethodFilter::POST,
        Method::DELETE => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

/// The router of the list. Nothing is reached except through [`gate`]. What is asked with POST is found without `/v1` too,
/// for clients whose address ends before it.
pub(crate) fn router(api: &Arc<Shared>) -> Router {
    let mut router = Router::new();
    let mut done: Vec<&str> = Vec::new();
    for Route { path, method, .. } in ROUTES {
        if done.contains(path) {
            continue;
        }
        done.push(path);
        let mut methods = MethodRouter::new();
        let mut allowed = Vec::new();
        for route in ROUTES.iter().filter(|r| r.path == *path) {
            let api = Arc::clone(api);
            let handler = move |params: RawPathParams, request: Request| {
                let params = params.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
                gate::answer(Arc::clone(&api), route, params, request)
            };
            methods = methods.on(filter(&route.method), handler);
            allowed.push(route.method.as_str());
        }
        let (api, allowed) = (Arc::clone(api), allowed.join(", "));
        let other = move |request: Request| {
            let dialect = dialect(request.uri());
            let error = ApiError::Method { allowed: allowed.clone() };
            gate::refuse(Arc::clone(&api), error, dialect, request)
        };
        let methods = methods.fallback(other);
        router = match path.strip_prefix("/v1") {
            Some(short) if *method == POST => router.route(short, methods.clone()),
            _ => router,
        };
        router = router.route(path, methods);
    }
    router
}

/// The answer to a path that no route has.
pub(crate) async fn unknown(api: Arc<Shared>, request: Request) -> axum::response::Response {
    let name = format!("{} {}", request.method(), request.uri().path());
    let error = ApiError::NotFound { what: "route", name };
    let dialect = dialect(request.uri());
    gate::refuse(api, error, dialect, request).await
}

fn dialect(uri: &Uri) -> Dialect {
    match uri.path().starts_with("/v1/messages") {
        true => Dialect::Anthropic,
        false => Dialect::OpenAi,
    }
}

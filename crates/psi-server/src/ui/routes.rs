//! Every address of the page.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware,
    routing::{get, post},
};

use super::{
    Ui, actions, attached, chat, compare, exchange, files, gate, i18n::t, learning, memory, models,
    projects, prompts, reply::Failure, review, settings, slash, tasks, training,
};
use crate::{api::Api, assets, runs};

/// Bytes of a file that is given in a conversation.
const MAX_ATTACHED: usize = 32 << 20;
/// Bytes of a file to import.
const MAX_IMPORT: usize = 256 << 20;

/// The page's routes behind its gate, and the API's behind its own.
pub(crate) fn router(ui: &Arc<Ui>, api: Option<&Api>) -> Router {
    let host = Arc::clone(&ui.host);
    let runs = runs::parts(Arc::new(move || host.runs()));
    let page = Router::new()
        .merge(pages())
        .merge(actions())
        .fallback(|| async {
            Failure {
                status: StatusCode::NOT_FOUND,
                message: t("there is no such page").to_owned(),
            }
        })
        .with_state(Arc::clone(ui))
        .merge(runs)
        .layer(middleware::from_fn_with_state(Arc::clone(ui), gate::gate));
    match api {
        None => page,
        Some(api) => page.merge(
            api.router().layer(middleware::from_fn_with_state(Arc::clone(ui), gate::api_gate)),
        ),
    }
}

fn pages() -> Router<Arc<Ui>> {
    Router::new()
        .route("/", get(chat::first))
        .route("/c/{id}", get(chat::conversation))
        .route("/c/{id}/thread", get(chat::thread_part))
        .route("/m/{id}", get(chat::message))
        .route("/chats", get(chat::chats))
        .route("/model-line", get(chat::model_state))
        .route("/attached/{id}", get(attached::open))
        .route("/compare/{a}/{b}", get(compare::page))
        .route("/compare/{a}/{b}/part", get(compare::part))
        .route("/files", get(files::page))
        .route("/files/list", get(files::live))
        .route("/files/found", get(files::search))
        .route("/files/{id}", get(files::open))
        .route("/learning", get(learning::page))
        .route("/learning/now", get(learning::live))
        .route("/memory", get(memory::page))
        .route("/memory/list", get(memory::found))
        .route("/models", get(models::page))
        .route("/models/list", get(models::live))
        .route("/projects", get(projects::page))
        .route("/prompts", get(prompts::page))
        .route("/prompts/list", get(prompts::found))
        .route("/review", get(review::page))
        .route("/runs", get(training::page))
        .route("/runs/{name}", get(training::run))
        .route("/settings", get(settings::page))
        .route("/tasks", get(tasks::page))
        .route("/tasks/list", get(tasks::live))
        .route("/tasks/notices", get(tasks::notices_part))
        .route("/login", get(gate::login_page).post(gate::sign_in))
        .route("/assets/{name}", get(assets::asset))
}

fn actions() -> Router<Arc<Ui>> {
    Router::new()
        .route("/api/conversations", get(actions::list).post(actions::begin))
        .route("/api/conversations/{id}", get(actions::one))
        .route("/api/conversations/{id}/events", get(actions::events))
        .route("/api/conversations/{id}/messages", post(actions::say))
        .route("/api/conversations/{id}/stop", post(actions::stop))
        .route("/api/conversations/{id}/decide", post(actions::decide))
        .route("/api/conversations/{id}/configure", post(actions::configure))
        .route("/api/conversations/{id}/rename", post(actions::rename))
        .route("/api/conversations/{id}/pin", post(actions::pin))
        .route("/api/conversations/{id}/delete", post(actions::delete))
        .route("/api/messages/{id}/edit", post(actions::edit))
        .route("/api/messages/{id}/regenerate", post(actions::regenerate))
        .route("/api/messages/{id}/show", post(actions::show))
        .route("/api/conversations/{id}/export.json", get(exchange::as_json))
        .route("/api/conversations/{id}/export.md", get(exchange::as_markdown))
        .route("/api/export", get(exchange::all))
        .route("/api/import", post(exchange::import).layer(DefaultBodyLimit::max(MAX_IMPORT)))
        .route("/api/attachments", post(attached::add).layer(DefaultBodyLimit::max(MAX_ATTACHED)))
        .route("/api/attachments/{id}/remove", post(attached::remove))
        .route("/api/files", post(files::add))
        .route("/api/files/refresh", post(files::refresh))
        .route("/api/files/{id}/remove", post(files::remove))
        .route("/api/messages/{id}/compare", post(compare::begin))
        .route("/api/messages/{id}/rate", post(review::rate))
        .route("/api/messages/{id}/correct", post(review::correct))
        .route("/api/review/{id}", post(review::judge))
        .route("/api/compare", post(compare::choose))
        .route("/api/learning/start", post(learning::start))
        .route("/api/learning/stop", post(learning::stop))
        .route("/api/learning/rollback", post(learning::roll_back))
        .route("/api/learning/strike", post(learning::strike))
        .route("/api/learning/forget", post(learning::forget))
        .route("/api/memory", get(memory::json).post(memory::add))
        .route("/api/memory/merge", post(memory::merge))
        .route("/api/memory/{id}/edit", post(memory::edit))
        .route("/api/memory/{id}/pin", post(memory::pin))
        .route("/api/memory/{id}/forget", post(memory::forget))
        .route("/api/model", post(models::choose))
        .route("/api/command", post(slash::command))
        .route("/api/projects", get(projects::json).post(projects::add))
        .route("/api/projects/{id}/edit", post(projects::edit))
        .route("/api/projects/{id}/delete", post(projects::delete))
        .route("/api/prompts", get(prompts::json).post(prompts::add))
        .route("/api/prompts/export", get(prompts::export))
        .route("/api/prompts/import", post(prompts::import))
        .route("/api/prompts/{id}/edit", post(prompts::edit))
        .route("/api/prompts/{id}/delete", post(prompts::delete))
        .route("/api/pull", post(models::pull))
        .route("/api/pull/stop", post(models::stop_pull))
        .route("/api/settings", get(settings::list).post(settings::set))
        .route("/api/tasks", get(tasks::json).post(tasks::add))
        .route("/api/tasks/seen", post(tasks::seen))
        .route("/api/tasks/{id}/run", post(tasks::run))
        .route("/api/tasks/{id}/pause", post(tasks::pause))
        .route("/api/tasks/{id}/delete", post(tasks::delete))
        .route("/api/theme", post(settings::set_theme))
        .route("/api/folders", post(settings::add_folder))
        .route("/api/folders/remove", post(settings::remove_folder))
        .route("/api/grants/{id}/remove", post(settings::remove_grant))
        .route("/api/keys", post(settings::set_keys))
        .route("/api/password", post(settings::set_password))
        .route("/api/sign-out", post(gate::sign_out))
}

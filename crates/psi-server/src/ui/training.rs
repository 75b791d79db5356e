//! Training runs in the page's frame: the dashboard of `psi runs watch`, beside everything else.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use maud::{Markup, html};

use super::{
    Ui, blocking,
    reply::Failure,
    shell::{self, Place},
};
use crate::runs::page::{link, list_fragment, run_fragment};

/// `GET /runs`.
pub(crate) async fn page(
    State(ui): State<Arc<Ui>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let runs = ui.host.runs();
        let content = html! {
            (live("/runs/live", &list_fragment(&runs)))
            @if runs.is_empty() { (first_steps()) }
        };
        let lead = "What was trained on this machine, and what is being trained now.";
        let main = shell::place("Training", lead, &html! {}, &content);
        ui.page(&headers, (Place::Runs, "Training"), None, &main)
    })
    .await
}

/// `GET /runs/{name}`.
pub(crate) async fn run(
    State(ui): State<Arc<Ui>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let runs = ui.host.runs();
        let run = runs.iter().find(|run| run.name == name);
        let run = run.ok_or_else(|| Failure::gone("there is no such run"))?;
        let main = html! {
            (shell::bar(&html! { p.name { "Training" } }, &html! { a class="btn small" href="/runs" { "All runs" } }))
            div.page { (live(&format!("{}/live", link(&run.name)), &run_fragment(run))) }
        };
        ui.page(&headers, (Place::Runs, &run.name), None, &main)
    })
    .await
}

/// A part that keeps itself current.
fn live(address: &str, part: &Markup) -> Markup {
    html! {
        div.runs data-live=(address) { (part) }
        script type="module" src=(crate::assets::at("live.js")) {}
    }
}

/// What can be trained, for whoever has not yet.
fn first_steps() -> Markup {
    html! {
        section aria-labelledby="train-title" {
            h2 id="train-title" { "Ways to a better model" }
            ul.things {
                li.thing {
                    h3 { "From your corrections" }
                    p { "Rate answers, and write better ones, in conversations or under " a href="/review" { "Review" } ". Then psi can learn from them under " a href="/learning" { "Learning" } ", and a gate decides whether the result may answer you." }
                }
                li.thing {
                    h3 { "On your own texts" }
                    p { code { "psi train RECIPE" } " pre-trains or fine-tunes a model. A recipe says what on, how large and how long." }
                }
                li.thing {
                    h3 { "On tasks that can be checked" }
                    p { code { "psi refine RECIPE" } " lets a model try, checks what it did, and strengthens what was right." }
                }
            }
        }
    }
}

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
    i18n::t,
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
        let lead = t("What was trained on this machine, and what is being trained now.");
        let main = shell::place(t("Training"), lead, &html! {}, &content);
        ui.page(&headers, (Place::Runs, t("Training")), None, &main)
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
        let run = run.ok_or_else(|| Failure::gone(t("there is no such run")))?;
        let main = html! {
            (shell::bar(&html! { p.name { (t("Training")) } }, &html! { a class="btn small" href="/runs" { (t("All runs")) } }))
            div.page tabindex="0" { (live(&format!("{}/live", link(&run.name)), &run_fragment(run))) }
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
            h2 id="train-title" { (t("Ways to a better model")) }
            ul.things {
                li.thing {
                    h3 { (t("From your corrections")) }
                    p { (t("Rate answers, and write better ones, in conversations or in the review. Then psi can learn from them, and a gate decides whether the result may answer you.")) " " a href="/review" { (t("Review")) } " \u{b7} " a href="/learning" { (t("Learning")) } }
                }
                li.thing {
                    h3 { (t("On your own texts")) }
                    p { code { "psi train RECIPE" } " " (t("pre-trains or fine-tunes a model. A recipe says what on, how large and how long.")) }
                }
                li.thing {
                    h3 { (t("On tasks that can be checked")) }
                    p { code { "psi refine RECIPE" } " " (t("lets a model try, checks what it did, and strengthens what was right.")) }
                }
            }
        }
    }
}

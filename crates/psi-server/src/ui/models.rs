//! Models: which one answers, which are here and fit, which can be downloaded, and downloads as they go.

use std::sync::Arc;

use axum::{body::Bytes, extract::State, http::HeaderMap, response::Response};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use super::{
    Ui,
    actions::{Outcome, body},
    blocking,
    host::{ListedModel, Machine, ModelState, Pull, Suggestion},
    i18n::{decimal, t, tf},
    icon::icon,
    reply::{Failure, Reply, html as page_of},
    shell::{self, Place},
};

/// The choice of a model in a form.
pub(crate) fn choice(models: &[ListedModel]) -> Markup {
    html! {
        label.field {
            span { (t("Model")) }
            select name="model" {
                option value="" { (t("The one that answers everywhere")) }
                @for model in models { option value=(model.name) { (model.name) } }
            }
        }
    }
}

/// `GET /models`.
pub(crate) async fn page(
    State(ui): State<Arc<Ui>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    blocking(&ui, move |ui| {
        let machine = ui.host.machine();
        let content = html! {
            (list(ui))
            section aria-labelledby="get-title" {
                h2 id="get-title" { (t("Get another")) }
                (suggestions(&ui.host.suggestions(), &ui.host.models(), &machine))
            }
            (by_name())
        };
        let main = shell::place(t("Models"), &lead(&machine), &html! {}, &content);
        ui.page(&headers, (Place::Models, t("Models")), None, &main)
    })
    .await
}

/// `GET /models/list`: the part that changes by itself.
pub(crate) async fn live(State(ui): State<Arc<Ui>>) -> Result<Response, Failure> {
    blocking(&ui, move |ui| Ok(page_of(list(ui)))).await
}

fn lead(machine: &Machine) -> String {
    let processor = machine.processor.as_deref().unwrap_or(t("This machine"));
    match machine.memory {
        Some((total, free)) => tf!(
            "{processor}, {n} threads, {free} of {total} memory free for a model.",
            processor = processor,
            n = machine.n_threads,
            free = bytes(free),
            total = bytes(total)
        ),
        None => tf!("{processor}, {n} threads.", processor = processor, n = machine.n_threads),
    }
}

fn list(ui: &Ui) -> Markup {
    let models = ui.host.models();
    let pulls = ui.host.pulls();
    let state = ui.host.model();
    let machine = ui.host.machine();
    let busy =
        pulls.iter().any(|p| p.ended.is_none()) || matches!(state, ModelState::Loading { .. });
    html! {
        section id="models-list" aria-labelledby="here-title" data-poll=[busy.then_some("/models/list")] {
            h2 id="here-title" { (t("On this machine")) }
            ul.things {
                @for pull in &pulls { (pulling(pull)) }
                @for model in &models { (listed(model, &state, &machine)) }
            }
        }
    }
}

fn listed(model: &ListedModel, state: &ModelState, machine: &Machine) -> Markup {
    let chosen = state.name() == model.name;
    html! {
        li.thing {
            div.row {
                h3.grow { (model.name) }
                @if model.is_bundled { span.chip { (t("came with psi")) } }
                @match state {
                    ModelState::Ready { .. } if chosen => span.chip { (icon("check")) (t("answers")) },
                    ModelState::Loading { .. } if chosen => span.chip { span.spin {} (t("loading")) },
                    ModelState::Failed { why, .. } if chosen => span class="chip bad" { (tf!("cannot be loaded: {why}", why = why)) },
                    _ => button class="btn small" type="button" data-post="/api/model" data-body=(json!({ "name": model.name })) { (t("Use")) },
                }
            }
            p.about { span { (tf!("{size} on disk", size = bytes(model.n_bytes))) } span { (model.form) } }
            (fit(&model.name, model.needs, machine))
        }
    }
}

/// What a model needs against what there is.
fn fit(name: &str, needs: u64, machine: &Machine) -> Markup {
    let Some((_, free)) = machine.memory else { return html! {} };
    let fits = needs <= free;
    html! {
        div.fit {
            progress class=[(!fits).then_some("full")] max=(free.max(needs).max(1)) value=(needs) aria-label=(tf!("Memory that {name} needs", name = name)) {}
            span.num { (tf!("needs {size}:", size = bytes(needs))) " " @if fits { (t("fits")) } @else { span.bad { (t("does not fit")) } } }
        }
    }
}

fn pulling(pull: &Pull) -> Markup {
    html! {
        li.thing {
            div.row {
                h3.grow { (pull.name) }
                @match &pull.ended {
                    None => button class="btn small" type="button" data-post="/api/pull/stop" data-body=(json!({ "name": pull.name })) { (t("Stop")) },
                    Some(Ok(())) => span.chip { (icon("check")) (t("downloaded")) },
                    Some(Err(why)) => {
                        span class="chip bad" { (why) }
                        button class="btn small" type="button" data-post="/api/pull" data-body=(json!({ "name": pull.name })) { (t("Try again")) }
                    },
                }
            }
            @if pull.ended.is_none() {
                div.fit {
                    @match pull.n_total {
                        Some(total) => {
                            progress max=(total.max(1)) value=(pull.n_done) aria-label=(tf!("Download of {name}", name = pull.name)) {}
                            span.num { (tf!("{n} of {all}", n = bytes(pull.n_done), all = bytes(total))) }
                        },
                        None => { progress aria-label=(tf!("Download of {name}", name = pull.name)) {} span { (t("looking\u{2026}")) } },
                    }
                }
            }
        }
    }
}

fn suggestions(all: &[Suggestion], here: &[ListedModel], machine: &Machine) -> Markup {
    let missing = |s: &&Suggestion| !here.iter().any(|m| m.name == s.name);
    html! {
        ul.things {
            @for suggestion in all.iter().filter(missing) {
                li.thing {
                    div.row {
                        h3.grow { (suggestion.name) }
                        button class="btn small" type="button" data-post="/api/pull" data-body=(json!({ "name": suggestion.name }))
                            data-confirm=(tf!("Download {name} ({size}) from the Hugging Face Hub? psi connects to it for this.", name = suggestion.name, size = bytes(suggestion.n_bytes))) {
                            (icon("down")) (tf!("Get ({size})", size = bytes(suggestion.n_bytes)))
                        }
                    }
                    p.about { (t(&suggestion.what)) }
                    (fit(&suggestion.name, suggestion.needs, machine))
                }
            }
        }
    }
}

fn by_name() -> Markup {
    html! {
        section aria-labelledby="name-title" {
            h2 id="name-title" { (t("Get one by name")) }
            form class="panel row" data-send="/api/pull" {
                label.grow { span.sr { (t("Name on the Hugging Face Hub")) } input type="text" name="name" placeholder="owner/name" required; }
                button.btn { (icon("down")) (t("Get")) }
            }
        }
    }
}

/// A model's name.
#[derive(Deserialize)]
struct Name {
    name: String,
}

/// `POST /api/model`.
pub(crate) async fn choose(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    act(&ui, &bytes, |ui, name| ui.host.choose(name)).await
}

/// `POST /api/pull`.
pub(crate) async fn pull(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    act(&ui, &bytes, |ui, name| ui.host.pull(name)).await
}

/// `POST /api/pull/stop`.
pub(crate) async fn stop_pull(State(ui): State<Arc<Ui>>, bytes: Bytes) -> Outcome {
    act(&ui, &bytes, |ui, name| {
        ui.host.stop_pull(name);
        Ok(())
    })
    .await
}

/// Asks the host for something and shows the list as it then is.
async fn act(ui: &Arc<Ui>, bytes: &Bytes, act: fn(&Ui, &str) -> Result<(), String>) -> Outcome {
    let Name { name } = body(bytes)?;
    blocking(ui, move |ui| {
        act(ui, name.trim()).map_err(Failure::bad)?;
        Ok(Reply::done().part(super::live::Part::new("models-list", list(ui))))
    })
    .await
}

/// A number of bytes as people say it.
pub(crate) fn bytes(n: u64) -> String {
    let n = n as f64;
    match n {
        ..1e6 => format!("{:.0} KB", (n / 1e3).ceil()),
        ..1e9 => format!("{:.0} MB", n / 1e6),
        _ => format!("{} GB", decimal(n / 1e9, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_read_like_speech() {
        assert_eq!([900, 14_400_000, 1_250_000_000].map(bytes), ["1 KB", "14 MB", "1.2 GB"]);
    }
}

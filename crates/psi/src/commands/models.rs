//! `psi models`: what PSI_HOME holds.

use std::path::Path;

use psi_eval::gate;
use psi_store::{Home, ModelForm, Reason, Served, Switch};
use serde_json::json;

use crate::{
    cli::{Models, ModelsCommand},
    clock, env,
    error::{Failure, Outcome, unusable},
    out::{out, outln},
    table::{bytes, columns},
};

pub(crate) fn run(args: &Models) -> Outcome {
    let Some(home) = env::home() else {
        return Err(Failure::input("there is no home folder").hint("set PSI_HOME"));
    };
    match &args.command {
        None => list(&home, args.json),
        Some(ModelsCommand::Promote { record }) => promote(&Home::at(&home), record),
        Some(ModelsCommand::Rollback) => {
            let switch = gate::rollback(&Home::at(&home), clock::now()).map_err(unusable)?;
            outln!("the assistant serves {} again", shown(&switch.to));
            Ok(())
        }
        Some(ModelsCommand::Served { json }) => served(&Home::at(&home), *json),
    }
}

fn promote(home: &Home, record: &Path) -> Outcome {
    let file = if record.is_dir() { record.join("record.json") } else { record.to_owned() };
    if !file.exists() {
        return Err(Failure::input(format!("{}: no such record", file.display()))
            .hint("psi gate --candidate C makes one; nothing is served without it"));
    }
    let switch = gate::promote(home, &file, clock::now()).map_err(unusable)?;
    outln!("the assistant serves {}", shown(&switch.to));
    Ok(())
}

fn served(home: &Home, json: bool) -> Outcome {
    let history = home.assistant().history().map_err(unusable)?;
    if json {
        let served = history.last().map(|switch| &switch.to);
        outln!("{:#}", json!({ "served": served, "history": history }));
        return Ok(());
    }
    let row = |switch: &Switch| {
        let reason = match switch.reason {
            Reason::Promotion => "promoted",
            Reason::Rollback => "rolled back to",
        };
        let record = switch.record.path.display().to_string();
        vec![switch.at.to_string(), reason.to_owned(), shown(&switch.to), record]
    };
    if history.is_empty() {
        outln!("nothing was promoted yet");
    } else {
        let head = ["second", "what", "model", "record"].map(str::to_owned).to_vec();
        let rows: Vec<_> = std::iter::once(head).chain(history.iter().map(row)).collect();
        out!("{}", columns(&rows));
    }
    Ok(())
}

fn shown(served: &Served) -> String {
    let adapter = served.adapter.as_ref().map(|a| format!(" with {}", a.path.display()));
    format!("{}{}", served.model.path.display(), adapter.unwrap_or_default())
}

fn list(home: &Path, as_json: bool) -> Outcome {
    let models = Home::at(home).model_dir().list().map_err(unusable)?;
    let form = |form: &ModelForm| match form {
        ModelForm::Gguf => "gguf",
        ModelForm::Folder => "folder",
    };
    if as_json {
        let list: Vec<_> = models
            .iter()
            .map(|m| json!({"name": m.name, "path": m.path, "form": form(&m.form), "bytes": m.n_bytes}))
            .collect();
        outln!("{:#}", json!({"home": home, "models": list}));
    } else if models.is_empty() {
        eprintln!("No models in {}.", home.join("models").display());
        eprintln!("hint: psi pull Qwen/Qwen3-0.6B");
    } else {
        let mut rows = vec![["model", "size", "format"].map(str::to_owned).to_vec()];
        for m in &models {
            rows.push(vec![m.name.clone(), bytes(m.n_bytes), form(&m.form).to_owned()]);
        }
        out!("{}", columns(&rows));
    }
    Ok(())
}

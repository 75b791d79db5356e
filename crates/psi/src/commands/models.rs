//! `psi models`: what PSI_HOME holds.

use psi_store::{Home, ModelForm};
use serde_json::json;

use crate::{
    cli::Models,
    env,
    error::{Failure, Outcome, unusable},
    out::{out, outln},
    table::{bytes, columns},
};

pub(crate) fn run(args: &Models) -> Outcome {
    let Some(home) = env::home() else {
        return Err(Failure::input("there is no home folder").hint("set PSI_HOME"));
    };
    let models = Home::at(&home).model_dir().list().map_err(unusable)?;
    let form = |form: &ModelForm| match form {
        ModelForm::Gguf => "gguf",
        ModelForm::Folder => "folder",
    };
    if args.json {
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

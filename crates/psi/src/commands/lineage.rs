//! `psi lineage`: where the models that were learned come from, and whether that can still be checked.

use psi_store::{Artefact, ContentHash, Home, Served};
use psi_train::learn::{Lineage, Round};
use serde_json::{Value, json};

use crate::{
    commands::{database, train::failure},
    error::{Outcome, unusable},
    out::outln,
};

pub(crate) fn run(as_json: bool) -> Outcome {
    let home = database::home()?;
    let tree = Tree::read(&home)?;
    if as_json {
        outln!("{:#}", tree.to_json());
        return Ok(());
    }
    if tree.lineages.is_empty() {
        outln!("nothing was learned yet");
    }
    for root in tree.roots() {
        outln!("{}", tree.shown(&root));
        tree.show_children(&root, "");
    }
    Ok(())
}

/// Every model that came out of a round, and what is served.
struct Tree {
    lineages: Vec<Lineage>,
    served: Option<Served>,
}

impl Tree {
    fn read(home: &Home) -> Outcome<Self> {
        let mut lineages = Vec::new();
        for round in Round::all(&home.runs()).map_err(failure)? {
            lineages.extend(round.lineage().map_err(failure)?);
        }
        Ok(Self { lineages, served: home.assistant().served().map_err(unusable)? })
    }

    /// What others come from and itself comes from nothing known.
    fn roots(&self) -> Vec<Served> {
        let mut roots: Vec<Served> = Vec::new();
        for parent in self.lineages.iter().map(|l| &l.parent) {
            let is_child = self.lineages.iter().any(|l| l.model.same_content(parent));
            if !is_child && !roots.iter().any(|root| root.same_content(parent)) {
                roots.push(parent.clone());
            }
        }
        roots
    }

    fn children<'a>(&'a self, of: &'a Served) -> impl Iterator<Item = &'a Lineage> {
        self.lineages.iter().filter(|l| l.parent.same_content(of))
    }

    fn is_served(&self, model: &Served) -> bool {
        self.served.as_ref().is_some_and(|served| served.same_content(model))
    }

    fn show_children(&self, of: &Served, indent: &str) {
        let mut children = self.children(of).peekable();
        while let Some(child) = children.next() {
            let (branch, below) = match children.peek() {
                Some(_) => ("├─", "│  "),
                None => ("└─", "   "),
            };
            outln!("{indent}{branch} {}", self.shown(&child.model));
            let indent = format!("{indent}{below}");
            for line in facts(child) {
                outln!("{indent}   {line}");
            }
            self.show_children(&child.model, &indent);
        }
    }

    fn shown(&self, model: &Served) -> String {
        let mark = if self.is_served(model) { ", served" } else { "" };
        let state = state(&model.model, false);
        let path = model.model.path.display();
        format!("{} {path} ({state}{mark})", model.hash().short())
    }

    fn to_json(&self) -> Value {
        let roots: Vec<Value> = self.roots().iter().map(|root| self.node(root, None)).collect();
        json!({ "served": self.served, "models": roots })
    }

    fn node(&self, model: &Served, lineage: Option<&Lineage>) -> Value {
        let children: Vec<Value> =
            self.children(model).map(|l| self.node(&l.model, Some(l))).collect();
        let mut node = json!({
            "model": model,
            "files": state(&model.model, false),
            "served": self.is_served(model),
            "children": children,
        });
        if let Some(Lineage { recipe, preference, data, gate, .. }) = lineage {
            node["recipe"] = json!({ "is": recipe, "files": state(recipe, false) });
            if let Some(preference) = preference {
                node["preference"] = json!({ "is": preference, "files": state(preference, false) });
            }
            node["data"] = json!(data);
            node["gate"] = json!({ "is": gate, "files": state(&gate.record, true) });
        }
        node
    }
}

/// The lines below a model.
fn facts(lineage: &Lineage) -> Vec<String> {
    let Lineage { recipe, preference, data, gate, .. } = lineage;
    let (n, k) = (data.learned.len(), data.kept_out.len());
    let mut facts = vec![format!("data {}: {n} learned, {k} kept out", data.version.short())];
    let recipes = [("recipe", Some(recipe)), ("preference", preference.as_ref())];
    for (name, file) in recipes.iter().filter_map(|(name, file)| Some((name, (*file)?))) {
        facts.push(format!("{name} {} ({})", file.hash.short(), state(file, false)));
    }
    let state = state(&gate.record, true);
    facts.push(format!("gate {}: {} ({state})", gate.record.hash.short(), gate.decision));
    facts
}

/// Whether files are still what their hash says. A record carries its hash inside.
fn state(files: &Artefact, is_record: bool) -> &'static str {
    if !files.path.exists() {
        return "gone";
    }
    let now: Option<ContentHash> = match is_record {
        true => psi_eval::gate::Record::read(&files.path).ok().map(|record| record.hash),
        false => ContentHash::of_artefact(&files.path).ok(),
    };
    if now == Some(files.hash) { "as it was" } else { "changed" }
}

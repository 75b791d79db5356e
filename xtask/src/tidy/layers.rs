//! The layer table of ARCHITECTURE.md, held against every manifest.

use super::{Finding, Tree};

/// Layer of every crate under `crates/`; a crate may use lower layers only, so siblings never use each other.
const LAYERS: &[(&str, u8)] = &[
    ("psi-kernels", 0),
    ("psi-tokenizer", 0),
    ("psi-store", 0),
    ("psi-tools", 0),
    ("psi-sandbox", 0),
    ("psi-vault", 0),
    ("psi-tensor", 1),
    ("psi-model", 2),
    ("psi-infer", 3),
    ("psi-eval", 4),
    ("psi-agent", 4),
    ("psi-train", 5),
    ("psi-server", 5),
    ("psi", 6),
];

/// Fixtures: any crate may use it in tests, none in its own code; it uses layer 0 only.
const TESTKIT: &str = "psi-testkit";

fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(n, _)| *n == name).map(|&(_, layer)| layer)
}

/// One `name = ...` line of a dependency table.
struct Dependency<'a> {
    name: &'a str,
    line: usize,
    dev: bool,
}

/// The psi crates that a manifest names as dependencies, in any of its dependency tables.
fn psi_dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut out = Vec::new();
    let mut table = "";
    for (i, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']');
            continue;
        }
        let name = line.split(['=', '.', ' ']).next().unwrap_or("");
        let ours = name == "psi" || name.starts_with("psi-");
        if table.ends_with("dependencies") && ours {
            out.push(Dependency { name, line: i + 1, dev: table.ends_with("dev-dependencies") });
        }
    }
    out
}

/// `crates/NAME/Cargo.toml` to NAME.
fn crate_of(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml").filter(|n| !n.contains('/'))
}

pub(super) fn check_layers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let Some(name) = crate_of(&file.path) else { continue };
        let own = if name == TESTKIT { Some(1) } else { layer(name) };
        let Some(own) = own else {
            let what = format!("{name} is not in the layer table (xtask/src/tidy/layers.rs)");
            findings.push(Finding::new(&file.path, 0, what));
            continue;
        };
        for d in psi_dependencies(&file.text) {
            let problem = match layer(d.name) {
                _ if d.name == TESTKIT && d.dev => None,
                None if d.name == TESTKIT => Some("psi-testkit is for [dev-dependencies]".into()),
                None => Some(format!("{} is not in the layer table", d.name)),
                Some(theirs) if theirs < own => None,
                Some(theirs) => {
                    Some(format!("{name} (layer {own}) may not use {} (layer {theirs})", d.name))
                }
            };
            findings.extend(problem.map(|what| Finding::new(&file.path, d.line, what)));
        }
    }
    findings
}

pub(super) fn check_manifests(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in
        tree.files.iter().filter(|f| crate_of(&f.path).is_some() || f.path == "xtask/Cargo.toml")
    {
        let described = file.text.lines().any(|l| {
            l.strip_prefix("description = \"").is_some_and(|d| d.trim_end_matches('"').len() > 10)
        });
        if !described {
            let what = "a crate says what it is: description = \"...\"";
            findings.push(Finding::new(&file.path, 0, what));
        }
        if !file.text.contains("[lints]\nworkspace = true") {
            let what = "add [lints] workspace = true";
            findings.push(Finding::new(&file.path, 0, what));
        }
    }
    findings
}

//! The tidy rules hold over the repository, and each catches the snippet that breaks it.

use std::path::Path;

use xtask::tidy::{RULES, Tree, unsafe_tokens};

fn repository() -> Tree {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository");
    Tree::load(root).expect("the repository is readable")
}

#[test]
fn the_repository_keeps_every_rule() {
    let tree = repository();
    assert!(tree.files.len() > 20, "found {} files: wrong folder?", tree.files.len());
    let mut report = String::new();
    for rule in RULES {
        for finding in (rule.check)(&tree) {
            report += &format!("\n[{}] {finding}", rule.name);
        }
    }
    assert!(report.is_empty(), "tidy: {report}");
    for (name, count) in unsafe_tokens(&tree).into_iter().filter(|(_, n)| *n > 0) {
        println!("unsafe: {name} {count}");
    }
}

/// The lines that rule `name` reports for one file.
fn lines(name: &str, path: &str, text: &str) -> Vec<usize> {
    let rule = RULES.iter().find(|r| r.name == name).expect("the rule is listed");
    (rule.check)(&Tree::from_snippets(&[(path, text)])).iter().map(|f| f.line).collect()
}

const LIB: &str = "crates/psi-model/src/lib.rs";

#[test]
fn a_dependency_on_the_same_or_a_higher_layer_is_caught() {
    let manifest = "crates/psi-store/Cargo.toml";
    let check = |text: &str| lines("layers", manifest, text);
    assert_eq!(check("[dependencies]\npsi-tensor.workspace = true\n"), [2]);
    assert_eq!(check("[dependencies]\npsi-kernels = { path = \"../psi-kernels\" }\n"), [2]);
    assert_eq!(check("[target.'cfg(unix)'.dependencies]\npsi-model.workspace = true\n"), [2]);
    assert_eq!(check("[build-dependencies]\npsi.workspace = true\n"), [2]);
    assert_eq!(check("[dependencies]\npsi-testkit.workspace = true\n"), [2]);
    assert_eq!(check("[dependencies]\npsi-unheard-of.workspace = true\n"), [2]);
    assert_eq!(check("[dev-dependencies]\npsi-testkit.workspace = true\n"), [0; 0]);
    let infer = "crates/psi-infer/Cargo.toml";
    assert_eq!(lines("layers", infer, "[dependencies]\npsi-model.workspace = true\n"), [0; 0]);
}

#[test]
fn a_crate_outside_the_table_is_caught() {
    assert_eq!(lines("layers", "crates/psi-stuff/Cargo.toml", "[package]\n"), [0]);
}

#[test]
fn a_manifest_without_description_or_lints_is_caught() {
    let path = "crates/psi-model/Cargo.toml";
    assert_eq!(lines("manifest", path, "[package]\nname = \"psi-model\"\n"), [0, 0]);
    let good =
        "[package]\ndescription = \"The decoder and its names.\"\n[lints]\nworkspace = true\n";
    assert_eq!(lines("manifest", path, good), [0; 0]);
}

#[test]
fn unsafe_outside_its_crates_is_caught() {
    let check = |text: &str| lines("unsafe_budget", LIB, text);
    assert_eq!(check("//! x\nfn f() { unsafe { g() } }"), [2]);
    assert_eq!(check("//! unsafe\n#![expect(unsafe_code)]\nlet s = \"unsafe\";"), [0; 0]);
    let kernels = "crates/psi-kernels/src/lib.rs";
    assert_eq!(lines("unsafe_budget", kernels, "unsafe { g() }"), [0; 0]);
    assert_eq!(lines("unsafe_budget", kernels, &"unsafe { g() }\n".repeat(10_000)), [0]);
}

#[test]
fn a_file_over_800_lines_is_caught() {
    assert_eq!(lines("file_size", LIB, &"x\n".repeat(801)), [0]);
    assert_eq!(lines("file_size", LIB, &"x\n".repeat(800)), [0; 0]);
    assert_eq!(lines("file_size", "docs/log/long.md", &"x\n".repeat(801)), [0; 0]);
}

#[test]
fn empty_file_names_are_caught() {
    let check = |path: &str| lines("file_name", path, "");
    assert_eq!(check("crates/psi-model/src/config/mod.rs"), [0]);
    assert_eq!(check("crates/psi-model/src/utils.rs"), [0]);
    assert_eq!(check("crates/psi-model/src/common/x.rs"), [0]);
    assert_eq!(check("crates/psi-model/tests/helpers.rs"), [0]);
    assert_eq!(check("crates/psi-model/src/config.rs"), [0; 0]);
}

#[test]
fn a_type_parameter_at_a_crate_border_is_caught() {
    let check = |text: &str| lines("crate_border", LIB, text);
    assert_eq!(check("pub fn f<T: Copy>(x: T) {}"), [1]);
    assert_eq!(check("\npub struct S<'a, T>(&'a T);"), [2]);
    assert_eq!(check("pub const fn f<const N: usize, F>(x: F) {}"), [1]);
    assert_eq!(check("pub enum E<T> { A(T) }"), [1]);
    assert_eq!(check("pub trait Device<B> {}"), [1]);
    assert_eq!(check("pub fn run(f: impl FnMut(u32)) {}"), [1]);
    assert_eq!(check("pub fn f<'a, const N: usize>(x: &'a [f32; N]) -> Vec<f32> {}"), [0; 0]);
    assert_eq!(check("pub fn it(&self) -> impl Iterator<Item = u32> {}"), [0; 0]);
    assert_eq!(check("fn f<T>(x: T) {}\npub(crate) fn g<T>(x: T) {}"), [0; 0]);
    assert_eq!(lines("crate_border", "crates/psi-store/src/a.rs", "pub fn f<T>(x: T) {}"), [0; 0]);
    assert_eq!(lines("crate_border", "crates/psi-model/tests/a.rs", "pub fn f<T>() {}"), [0; 0]);
}

#[test]
fn a_file_without_its_first_sentence_is_caught() {
    assert_eq!(lines("first_line", LIB, "use std::fs;\n"), [1]);
    assert_eq!(lines("first_line", LIB, "//! (see elsewhere)\n"), [1]);
    assert_eq!(lines("first_line", LIB, ""), [1]);
    assert_eq!(lines("first_line", LIB, "//! The decoder, written once.\n"), [0; 0]);
}

#[test]
fn machine_paths_registries_and_notes_on_authorship_are_caught() {
    let check = |text: &str| lines("words", "docs/a.md", text);
    assert_eq!(check(concat!("see /ro", "ot/x")), [1]);
    assert_eq!(check(concat!("a\nfrom https://pypi", ".org/simple")), [2]);
    assert_eq!(check(concat!("Co-Auth", "ored-By: someone")), [1]);
    assert_eq!(check("a network path, the root of a tree"), [0; 0]);
}

#[test]
fn ignored_panicking_and_timed_tests_are_caught() {
    let check = |text: &str| lines("test_attributes", LIB, text);
    assert_eq!(check("#[test]\n#[ignore]\nfn f() {}"), [2]);
    assert_eq!(check("#[ignore = \"slow\"]"), [1]);
    assert_eq!(check("#[cfg_attr(miri, ignore)]"), [1]);
    assert_eq!(check("#[should_panic(expected = \"x\")]"), [1]);
    assert_eq!(check("assert!(start.elapsed() < LIMIT);"), [1]);
    assert_eq!(check("// #[ignore]\nlet ignore = ignore(x);"), [0; 0]);
}

#[test]
fn reading_the_environment_elsewhere_is_caught() {
    let check = |path: &str| lines("environment", path, "let x = std::env::var_os(\"PSI_ISA\");");
    assert_eq!(check(LIB), [1]);
    assert_eq!(check("crates/psi/src/env.rs"), [0; 0]);
    assert_eq!(lines("environment", LIB, "env!(\"CARGO_MANIFEST_DIR\"); env::args()"), [0; 0]);
}

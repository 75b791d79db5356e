//! Whether the model that comes with psi is in the tree: where it is, it becomes part of the program.
#![allow(clippy::print_stdout, reason = "how a build script speaks")]

use std::path::Path;

fn main() {
    let model = Path::new("../../assets/psi-nano");
    println!("cargo::rerun-if-changed=../../assets");
    println!("cargo::rustc-check-cfg=cfg(bundled)");
    if model.join("config.json").exists() {
        println!("cargo::rustc-cfg=bundled");
    }
}

//! Where test data lies, and the Python that some of it is compared with.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's `golden/` folder: reference outputs that are committed, so always there.
///
/// # Panics
/// When it is not: the checkout is incomplete.
#[track_caller]
pub fn golden_dir() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|dir| dir.join("golden")).find(|dir| dir.is_dir());
    found.unwrap_or_else(|| panic!("no golden/ above {}", here.display()))
}

/// The folder of data that is shared between checkouts and not part of the repository: `PSI_SHARED`, or
/// `shared/data` beside a folder above this one. `None`, with a line on stdout that says so, where there
/// is none; a test then returns.
///
/// # Panics
/// When there is none and `PSI_REQUIRE_SHARED` is 1 (CI, so that nothing is skipped unnoticed).
#[track_caller]
pub fn shared_data() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("PSI_SHARED").map(PathBuf::from);
    let beside = || here.ancestors().map(|dir| dir.join("shared/data")).find(|dir| dir.is_dir());
    let found = named.or_else(beside).filter(|dir| dir.is_dir());
    if found.is_none() {
        skipped("no shared data (set PSI_SHARED to its folder)");
    }
    found
}

/// The `python3` on the path, if it has the packages; else `None`, as for [`shared_data`].
///
/// # Panics
/// When it has not and `PSI_REQUIRE_SHARED` is 1.
#[track_caller]
pub fn python(packages: &[&str]) -> Option<&'static str> {
    let packages = packages.join(", ");
    let import = Command::new("python3").args(["-c", &format!("import {packages}")]).output();
    if !import.is_ok_and(|out| out.status.success()) {
        skipped(&format!("no python3 with {packages} on the path"));
        return None;
    }
    Some("python3")
}

/// For tests that take minutes: how often they repeat what happens at random, as `PSI_TEST_LONG` says. `None`,
/// with a line on stdout, where it says nothing; the test then returns.
///
/// # Panics
/// When it is no number.
#[expect(clippy::disallowed_methods, reason = "the one home of the tests' variables")]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub fn long_test() -> Option<u64> {
    let Ok(n) = std::env::var("PSI_TEST_LONG") else {
        println!("skipped: takes minutes (set PSI_TEST_LONG to a number of repetitions)");
        return None;
    };
    Some(n.parse().expect("PSI_TEST_LONG is a number"))
}

#[track_caller]
#[expect(clippy::disallowed_methods, reason = "the one home of the tests' variables")]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn skipped(why: &str) {
    let required = std::env::var("PSI_REQUIRE_SHARED").is_ok_and(|v| v == "1");
    assert!(!required, "PSI_REQUIRE_SHARED is 1, but there is {why}");
    println!("skipped: {why}");
}

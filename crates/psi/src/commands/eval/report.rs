//! `psi eval report`: the page about a run, a comparison or a gate.

use std::path::Path;

use psi_eval::report::Page;
use psi_store::write_atomic;

use crate::{
    cli::EvalReport,
    error::{Failure, Outcome, unusable},
    out::outln,
};

pub(crate) fn run(args: &EvalReport) -> Outcome {
    let page = Page::read(&args.dir).map_err(unusable)?;
    write(args.out.as_ref().unwrap_or(&args.dir), &page)
}

/// Writes the three forms of a page.
pub(crate) fn write(dir: &Path, page: &Page) -> Outcome {
    std::fs::create_dir_all(dir)
        .map_err(|e| Failure::input(format!("{}: cannot be made", dir.display())).because(e))?;
    let forms = [("html", page.html()), ("md", page.markdown()), ("json", page.json())];
    for (form, text) in forms {
        let path = dir.join(format!("report.{form}"));
        write_atomic(&path, text.as_bytes()).map_err(unusable)?;
        if form == "html" {
            outln!("{}", path.display());
        }
    }
    Ok(())
}

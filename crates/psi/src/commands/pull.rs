//! `psi pull`: a model from a Hugging Face Hub into PSI_HOME, resumable and verified.
//!
//! Nothing takes its name in the model's folder before everything is there and matches its checksum; a model
//! that is half downloaded is never listed as one.

mod choose;
mod fetch;
mod hub;
mod listing;
mod trouble;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use psi_store::{Home, ModelName, gguf::shard_of, write_atomic};
use serde_json::json;

use self::{
    fetch::{Fetcher, Wanted, storage},
    hub::{Hub, Settings},
    listing::RemoteFile,
    trouble::{Patience, Trouble},
};
use crate::{
    cli::Pull,
    env,
    error::{Failure, Outcome, unusable},
    out::outln,
    progress::Progress,
    table::bytes,
};

/// Where the Hub is if nobody says otherwise.
const HUB: &str = "https://huggingface.co";
/// In the model's folder: where it came from. Hidden, like all that psi adds to a folder.
const RECORD: &str = ".pull.json";
/// In the model's folder: held while a pull runs.
const LOCK: &str = ".pull.lock";
/// Disk to leave free.
const SPARE: u64 = 64 << 20;

pub(crate) fn run(args: &Pull) -> Outcome {
    let name: ModelName = args.model.parse().map_err(unusable)?;
    let Some(home) = env::home() else {
        return Err(Failure::input("there is no home folder").hint("set PSI_HOME"));
    };
    let dir = Home::at(&home).model_dir().path_of(&name);
    let endpoint = args.endpoint.clone().or_else(env::hub).unwrap_or_else(|| HUB.to_owned());
    let timeout = Duration::from_secs(args.timeout);
    let (token, certificates) = (env::hub_token(), env::certificates());
    let settings = Settings { endpoint: endpoint.clone(), token, certificates, timeout };
    let hub = Hub::new(settings, name.clone())?;

    let listing = persist(args.retries, || hub.listing())?;
    let mut choice = choose::choose(listing.files, &args.include)?;
    for note in &choice.notes {
        eprintln!("psi: note: {note}");
    }
    fs::create_dir_all(&dir).map_err(|e| storage(&dir, e))?;
    let _lock = lock(&dir, &name)?;
    for file in &mut choice.files {
        complete_description(&hub, &listing.commit, args.retries, file)?;
    }
    let wanted: Vec<Wanted> =
        choice.files.iter().map(|f| Wanted::new(f, &dir)).collect::<Outcome<_>>()?;
    prepare_folders(&wanted)?;
    check_disk(&dir, wanted.iter().map(Wanted::missing).fold(0, u64::saturating_add))?;

    let total = wanted.iter().map(|w| w.size).fold(0, u64::saturating_add);
    let bar = Progress::bytes(&name.to_string(), total).reported(args.progress);
    let (commit, retries) = (listing.commit.as_str(), args.retries);
    let mut fetcher = Fetcher { hub: &hub, commit, retries, bar: &bar, before: 0 };
    let mut parts = Vec::new();
    for file in &wanted {
        if fetcher.complete(file)? {
            parts.push(file);
        }
    }
    drop(bar);
    let n_new = parts.len();
    publish(parts)?;
    record(&dir, &endpoint, &name, commit, &wanted)?;
    let verified = wanted.iter().filter(|w| w.checksum.is_some()).count();
    eprintln!(
        "[{name} at {}: {} files, {}, {n_new} new; {verified} match their checksums]",
        &commit[..12],
        wanted.len(),
        bytes(total),
    );
    outln!("{}", result(&dir, &wanted).display());
    Ok(())
}

/// Asks until there is an answer, for as long as failures may pass.
fn persist<T>(retries: u32, mut ask: impl FnMut() -> Result<T, Trouble>) -> Outcome<T> {
    let mut patience = Patience::new(retries);
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(trouble) => patience.wait(trouble)?,
        }
    }
}

/// Adds what the listing did not say about a file.
fn complete_description(hub: &Hub, commit: &str, retries: u32, file: &mut RemoteFile) -> Outcome {
    if file.size.is_none() || file.checksum.is_none() {
        let (size, checksum) = persist(retries, || hub.metadata(commit, &file.path))?;
        file.size = file.size.or(size);
        file.checksum = file.checksum.or(checksum);
    }
    if file.checksum.is_none() {
        let path = &file.path;
        eprintln!("psi: note: {path}: the server gives no checksum, only its length is verified");
    }
    Ok(())
}

/// Keeps other pulls of the same model out until the file is closed.
fn lock(dir: &Path, name: &ModelName) -> Outcome<fs::File> {
    let path = dir.join(LOCK);
    let file = fs::File::create(&path).map_err(|e| storage(&path, e))?;
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => {
            Err(Failure::failed(format!("{name} is being pulled by another psi"))
                .hint("wait until it is done"))
        }
        // Where there are no locks, the user is trusted not to start two.
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(file),
    }
}

/// Makes the folders of the files, and removes the parts of versions that are no longer wanted.
fn prepare_folders(wanted: &[Wanted]) -> Outcome {
    for file in wanted {
        let Some(folder) = file.target.parent() else { continue };
        fs::create_dir_all(folder).map_err(|e| storage(folder, e))?;
        let name = file.target.file_name().unwrap_or_default().to_string_lossy();
        let old = format!(".{name}.");
        for entry in fs::read_dir(folder).map_err(|e| storage(folder, e))?.flatten() {
            let other = entry.file_name();
            let other = other.to_string_lossy();
            let is_tag = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_hexdigit());
            let tag = other.strip_prefix(&*old).and_then(|t| t.strip_suffix(".part"));
            if tag.is_some_and(is_tag) && entry.path() != file.part {
                fs::remove_file(entry.path()).map_err(|e| storage(&entry.path(), e))?;
            }
        }
    }
    Ok(())
}

fn check_disk(dir: &Path, missing: u64) -> Outcome {
    match free_bytes(dir) {
        Some(free) if missing > 0 && free < missing.saturating_add(SPARE) => {
            let (missing, free) = (bytes(missing), bytes(free));
            let place = dir.display();
            Err(Failure::failed(format!("{place}: {missing} are to come, {free} are free"))
                .hint("make room, or set PSI_HOME to a folder on a larger disk"))
        }
        _ => Ok(()),
    }
}

/// Bytes that a user may still write at `dir`.
#[cfg(unix)]
fn free_bytes(dir: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

#[cfg(not(unix))]
fn free_bytes(_dir: &Path) -> Option<u64> {
    None
}

/// Gives the complete parts their names, `config.json` last: a folder without it is no model.
fn publish(mut parts: Vec<&Wanted>) -> Outcome {
    parts.sort_by_key(|f| f.path == "config.json");
    for file in parts {
        fs::rename(&file.part, &file.target).map_err(|e| storage(&file.target, e))?;
    }
    Ok(())
}

/// Writes down where the files came from.
fn record(dir: &Path, endpoint: &str, name: &ModelName, commit: &str, files: &[Wanted]) -> Outcome {
    let files: BTreeMap<&str, _> = files
        .iter()
        .map(|f| {
            let checksum = f.checksum.map(|c| c.to_string());
            (f.path.as_str(), json!({"bytes": f.size, "checksum": checksum}))
        })
        .collect();
    let record = json!({
        "endpoint": endpoint,
        "repository": name.repository(),
        "revision": name.revision,
        "commit": commit,
        "files": files,
    });
    write_atomic(&dir.join(RECORD), format!("{record:#}\n").as_bytes())
        .map_err(|e| Failure::failed("where the model came from cannot be written down").because(e))
}

/// What to give to --model: the folder, or the only GGUF model among the files (its first file).
fn result(dir: &Path, wanted: &[Wanted]) -> PathBuf {
    let later = |w: &&Wanted| psi_store::gguf::is_later_shard(&w.target);
    let mut models = wanted.iter().filter(|w| w.path.ends_with(".gguf") && !later(w));
    match (models.next(), models.next()) {
        (Some(only), None) if shard_of(&only.target).is_none_or(|(_, n, _)| n == 1) => {
            only.target.clone()
        }
        _ => dir.to_owned(),
    }
}

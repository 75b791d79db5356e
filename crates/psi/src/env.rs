//! The environment: every variable psi reads, with its help, read here and nowhere else.

use std::{collections::BTreeMap, path::PathBuf};

/// A variable and what it does.
pub(crate) struct EnvVar {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
}

/// Every variable, sorted by name. `psi help environment` prints this list.
pub(crate) const ENV_VARS: &[EnvVar] = &[
    EnvVar {
        name: "HF_ENDPOINT",
        help: "Address of the Hub that models are pulled from (default: https://huggingface.co).",
    },
    EnvVar {
        name: "HF_TOKEN",
        help: "Token of a Hugging Face account, for gated and private models; sent to the Hub only.",
    },
    EnvVar {
        name: "HTTPS_PROXY",
        help: "Proxy for downloads; also ALL_PROXY, and NO_PROXY for hosts reached without.",
    },
    EnvVar {
        name: "OPENAI_API_KEY",
        help: "Key of the server that psi eval run --model URL asks; sent to that server only.",
    },
    EnvVar {
        name: "PSI_HOME",
        help: "Folder for models, runs and the database (default: the platform's data folder).",
    },
    EnvVar {
        name: "PSI_ISA",
        help: "Highest instruction-set tier to use: portable, neon, avx2, avx512, avx512vnni or amx.",
    },
    EnvVar {
        name: "PSI_LOG",
        help: "What to log on standard error: error, warn, info (default), debug.",
    },
    EnvVar {
        name: "PSI_PASSPHRASE_FILE",
        help: "File whose first line is the passphrase of an encrypted database (see psi vault).",
    },
    EnvVar {
        name: "PSI_PASSWORD",
        help: "Password of the assistant's page, set when `psi up` starts; needed with --host.",
    },
    EnvVar { name: "PSI_THREADS", help: "Number of threads (default: the number of cores)." },
    EnvVar {
        name: "SSL_CERT_FILE",
        help: "Certificates (PEM) to trust when pulling models, instead of the built-in ones.",
    },
];

/// Reads one variable of the list; an empty one counts as absent.
#[expect(clippy::disallowed_methods, reason = "the one home of the environment")]
fn read(name: &'static str) -> Option<String> {
    debug_assert!(
        ENV_VARS.iter().any(|v| v.name == name)
            || PLATFORM.contains(&name)
            || PLAIN.contains(&name),
        "{name} is not in ENV_VARS"
    );
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// The platform's own variables that say where a user's data lives.
const PLATFORM: [&str; 3] = ["HOME", "XDG_DATA_HOME", "LOCALAPPDATA"];

/// The variables that every program needs and no secret is in: what servers of other programs find.
const PLAIN: [&str; 12] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SystemRoot",
    "PATHEXT",
    "APPDATA",
    "LOCALAPPDATA",
    "TEMP",
];

/// Those of [`PLAIN`] that are set.
pub(crate) fn plain() -> BTreeMap<String, String> {
    PLAIN.iter().filter_map(|&name| Some((name.to_owned(), read(name)?))).collect()
}

/// `PSI_HOME`, or the platform's data folder: `$XDG_DATA_HOME/psi` or `~/.local/share/psi` on Linux,
/// `~/Library/Application Support/psi` on macOS, `%LOCALAPPDATA%\psi` on Windows.
pub(crate) fn home() -> Option<PathBuf> {
    if let Some(home) = read("PSI_HOME") {
        return Some(home.into());
    }
    let user = || read("HOME").map(PathBuf::from);
    let data = if cfg!(windows) {
        read("LOCALAPPDATA").map(PathBuf::from)
    } else if cfg!(target_os = "macos") {
        user().map(|h| h.join("Library/Application Support"))
    } else {
        let xdg = read("XDG_DATA_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
        xdg.or_else(|| user().map(|h| h.join(".local/share")))
    };
    data.map(|d| d.join("psi"))
}

/// `HF_ENDPOINT`, if set: the convention of the Hub's own tools.
pub(crate) fn hub() -> Option<String> {
    read("HF_ENDPOINT")
}

/// `HF_TOKEN`, if set, without the line's end that a file may have left.
pub(crate) fn hub_token() -> Option<String> {
    read("HF_TOKEN").map(|t| t.trim().to_owned()).filter(|t| !t.is_empty())
}

/// `OPENAI_API_KEY`, if set: the convention of clients of such servers.
pub(crate) fn server_key() -> Option<String> {
    read("OPENAI_API_KEY").map(|t| t.trim().to_owned()).filter(|t| !t.is_empty())
}

/// `SSL_CERT_FILE`, if set: the convention of OpenSSL and most clients.
pub(crate) fn certificates() -> Option<PathBuf> {
    read("SSL_CERT_FILE").map(PathBuf::from)
}

/// `PSI_PASSWORD`, if set.
pub(crate) fn password() -> Option<String> {
    read("PSI_PASSWORD")
}

/// `PSI_PASSPHRASE_FILE`, if set.
pub(crate) fn passphrase_file() -> Option<PathBuf> {
    read("PSI_PASSPHRASE_FILE").map(PathBuf::from)
}

/// `PSI_THREADS`, if set.
pub(crate) fn threads() -> Option<String> {
    read("PSI_THREADS")
}

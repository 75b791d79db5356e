//! Opening the page: the platform's own way, with the address as one argument and no shell in between.

use std::process::{Command, Stdio};

/// Asks the platform to show an address; whether it could be asked.
pub(super) fn browser(address: &str) -> bool {
    let (program, before): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    let mut command = Command::new(program);
    command.args(before).arg(address);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    // It may stay for as long as the browser: somebody must take note of its end.
    let reaper = std::thread::Builder::new().name("psi-browser".to_owned());
    reaper.spawn(move || child.wait()).is_ok()
}

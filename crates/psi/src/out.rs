//! Standard output: written in one place, so that a reader that goes away (`psi models | head`) ends
//! the program instead of making it panic.

use std::{
    fmt,
    io::{ErrorKind, Write},
};

/// Writes to standard output. When nobody reads it any more the program ends well; when it cannot be
/// written for another reason (a full disk) the program says so and fails.
#[expect(clippy::exit, reason = "there is nothing left to do without standard output")]
pub(crate) fn write(text: fmt::Arguments<'_>) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        if error.kind() == ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        eprintln!("psi: standard output cannot be written: {error}");
        std::process::exit(1);
    }
}

/// `print!` through [`write()`].
macro_rules! out {
    ($($text:tt)*) => { $crate::out::write(format_args!($($text)*)) };
}

/// `println!` through [`write()`].
macro_rules! outln {
    ($($text:tt)*) => { $crate::out::write(format_args!("{}\n", format_args!($($text)*))) };
}

pub(crate) use {out, outln};

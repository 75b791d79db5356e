//! Where the units of SQLite's two files lie once each of them is longer by its nonce and tag.
//!
//! The database is pages (SQLite's file format, section 1.2), the log a header of 32 bytes and frames of 24 bytes and a page
//! (section 4.1). SQLite writes exactly these; it reads any part of them. Every unit is sealed about its kind and
//! number, so that none passes for another.

use crate::{header::HEADER_BYTES, seal::OVERHEAD};

/// Bytes of a page: SQLite's default, the only size here.
pub(crate) const PAGE_BYTES: usize = 4096;
/// Longest unit on the disk.
pub(crate) const MAX_SEALED: usize = PAGE_BYTES + OVERHEAD;

const WAL_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;
const PAGE: u64 = PAGE_BYTES as u64;
const EXTRA: u64 = OVERHEAD as u64;
const FRAME: u64 = FRAME_HEADER + PAGE;
const SEALED_FRAME: u64 = FRAME + 2 * EXTRA;

/// Which of SQLite's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Database = b'd',
    Log = b'w',
}

/// What is sealed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) kind: Kind,
    pub(crate) index: u64,
    /// Where SQLite thinks it begins, and how long it is.
    pub(crate) start: u64,
    pub(crate) len: usize,
    /// Where it lies sealed.
    pub(crate) at: u64,
}

impl Unit {
    /// The unit that holds the byte at `offset`.
    pub(crate) fn holding(kind: Kind, offset: u64) -> Self {
        match kind {
            Kind::Database => {
                let index = offset / PAGE;
                let at = HEADER_BYTES as u64 + index * (PAGE + EXTRA);
                Self { kind, index, start: index * PAGE, len: PAGE_BYTES, at }
            }
            Kind::Log if offset < WAL_HEADER => {
                Self { kind, index: 0, start: 0, len: WAL_HEADER as usize, at: 0 }
            }
            Kind::Log => {
                let frame = (offset - WAL_HEADER) / FRAME;
                let start = WAL_HEADER + frame * FRAME;
                let at = WAL_HEADER + EXTRA + frame * SEALED_FRAME;
                if offset < start + FRAME_HEADER {
                    let len = FRAME_HEADER as usize;
                    return Self { kind, index: 1 + 2 * frame, start, len, at };
                }
                let (start, at) = (start + FRAME_HEADER, at + FRAME_HEADER + EXTRA);
                Self { kind, index: 2 + 2 * frame, start, len: PAGE_BYTES, at }
            }
        }
    }

    /// What it is sealed about.
    pub(crate) fn about(&self) -> [u8; 9] {
        let mut about = [self.kind as u8; 9];
        about[1..].copy_from_slice(&self.index.to_le_bytes());
        about
    }

    /// Whether it is the header of the log or of a frame: what SQLite decides by whether the rest is valid.
    pub(crate) fn is_log_header(&self) -> bool {
        self.kind == Kind::Log && self.len < PAGE_BYTES
    }

    /// Bytes on the disk.
    pub(crate) fn sealed_len(&self) -> usize {
        self.len + OVERHEAD
    }
}

/// How long SQLite thinks a file of `sealed` bytes is: whole units only.
pub(crate) fn plain_len(kind: Kind, sealed: u64) -> u64 {
    match kind {
        Kind::Database => sealed.saturating_sub(HEADER_BYTES as u64) / (PAGE + EXTRA) * PAGE,
        Kind::Log if sealed < WAL_HEADER + EXTRA => 0,
        Kind::Log => {
            let frames = sealed - (WAL_HEADER + EXTRA);
            let rest = match frames % SEALED_FRAME >= FRAME_HEADER + EXTRA {
                true => FRAME_HEADER,
                false => 0,
            };
            WAL_HEADER + frames / SEALED_FRAME * FRAME + rest
        }
    }
}

/// How long a file must be on the disk for SQLite to find `plain` bytes; `None` within a unit.
pub(crate) fn sealed_len(kind: Kind, plain: u64) -> Option<u64> {
    if plain == 0 && kind == Kind::Log {
        return Some(0);
    }
    let next = Unit::holding(kind, plain);
    (next.start == plain).then_some(next.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_follow_each_other_without_gaps_in_both_views() {
        for kind in [Kind::Database, Kind::Log] {
            let mut unit = Unit::holding(kind, 0);
            assert_eq!(unit.start, 0);
            for _ in 0..20 {
                for inside in [unit.start, unit.start + unit.len as u64 - 1] {
                    assert_eq!(Unit::holding(kind, inside), unit);
                }
                let (end, at) = (unit.start + unit.len as u64, unit.at + unit.sealed_len() as u64);
                let next = Unit::holding(kind, end);
                assert_eq!((next.start, next.at, next.index), (end, at, unit.index + 1));
                assert_eq!(plain_len(kind, at), end);
                assert_eq!(plain_len(kind, at - 1), unit.start, "an unfinished unit is not there");
                assert_eq!(sealed_len(kind, end), Some(at));
                assert_eq!(sealed_len(kind, end - 1), None);
                unit = next;
            }
        }
        assert_eq!(sealed_len(Kind::Database, 0), Some(HEADER_BYTES as u64));
        assert_eq!(sealed_len(Kind::Log, 0), Some(0));
        assert_eq!((plain_len(Kind::Database, 100), plain_len(Kind::Log, 71)), (0, 0));
    }
}

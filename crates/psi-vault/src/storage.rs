//! Reading and writing through the seals, over any file: what the virtual file system does, without the C of it.

use crate::{
    layout::{self, Kind, MAX_SEALED, PAGE_BYTES, Unit},
    seal::Key,
};

/// A file as SQLite's own file system gives it. Errors are SQLite's codes.
pub(crate) trait RawFile {
    /// Fills all of `to`; `false` if the file ends before.
    fn read(&mut self, at: u64, to: &mut [u8]) -> Result<bool, i32>;
    fn write(&mut self, at: u64, from: &[u8]) -> Result<(), i32>;
    fn truncate(&mut self, len: u64) -> Result<(), i32>;
    fn len(&mut self) -> Result<u64, i32>;
}

/// What became of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Whole,
    /// The file ends within the range; the rest is zeros.
    Short,
    /// A unit is not what was written there.
    Forged,
}

/// Reads `to.len()` bytes at `offset`, as SQLite sees the file.
///
/// A unit that does not open is an error, with two exceptions, both after a power cut in the middle of a
/// write, and both found by SQLite itself when it gets zeros. A frame of the log that is read from its header on
/// (recovery does that) ends the log there, as a wrong checksum would. A part of the first page (read before the
/// log is known) is not there yet: the log has the whole of it.
pub(crate) fn read(
    file: &mut impl RawFile,
    key: &Key,
    kind: Kind,
    offset: u64,
    to: &mut [u8],
) -> Result<Read, i32> {
    to.fill(0);
    let mut buffer = [0; MAX_SEALED];
    let mut is_recovery = false;
    let mut done = 0;
    while done < to.len() {
        let unit = Unit::holding(kind, offset + done as u64);
        let skip = (offset + done as u64 - unit.start) as usize;
        let n = (unit.len - skip).min(to.len() - done);
        is_recovery |= unit.is_log_header();
        let sealed = &mut buffer[..unit.sealed_len()];
        if !file.read(unit.at, sealed)? {
            return Ok(Read::Short);
        }
        match key.open_in_place(&unit.about(), sealed) {
            Some(plain) => to[done..done + n].copy_from_slice(&plain[skip..skip + n]),
            None if is_recovery => {}
            None if kind == Kind::Database && offset == 0 && to.len() < PAGE_BYTES => {
                return Ok(Read::Short);
            }
            None => return Ok(Read::Forged),
        }
        done += n;
    }
    Ok(Read::Whole)
}

/// Writes whole units at `offset`; `false` if they are not whole.
pub(crate) fn write(
    file: &mut impl RawFile,
    key: &Key,
    kind: Kind,
    offset: u64,
    from: &[u8],
) -> Result<bool, i32> {
    let mut buffer = [0; MAX_SEALED];
    let mut done = 0;
    while done < from.len() {
        let unit = Unit::holding(kind, offset + done as u64);
        if unit.start != offset + done as u64 || from.len() - done < unit.len {
            return Ok(false);
        }
        let sealed = &mut buffer[..unit.sealed_len()];
        if key.seal_into(&unit.about(), &from[done..done + unit.len], sealed).is_err() {
            return Ok(false);
        }
        file.write(unit.at, sealed)?;
        done += unit.len;
    }
    Ok(true)
}

/// Shortens the file to `plain` bytes; `false` if that is within a unit.
pub(crate) fn truncate(file: &mut impl RawFile, kind: Kind, plain: u64) -> Result<bool, i32> {
    match layout::sealed_len(kind, plain) {
        Some(sealed) => file.truncate(sealed).map(|()| true),
        None => Ok(false),
    }
}

/// The file's length, as SQLite sees it.
pub(crate) fn len(file: &mut impl RawFile, kind: Kind) -> Result<u64, i32> {
    Ok(layout::plain_len(kind, file.len()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file in memory.
    #[derive(Default)]
    struct Memory(Vec<u8>);

    impl RawFile for Memory {
        fn read(&mut self, at: u64, to: &mut [u8]) -> Result<bool, i32> {
            let Some(bytes) = self.0.get(at as usize..at as usize + to.len()) else {
                return Ok(false);
            };
            to.copy_from_slice(bytes);
            Ok(true)
        }
        fn write(&mut self, at: u64, from: &[u8]) -> Result<(), i32> {
            let end = at as usize + from.len();
            self.0.resize(self.0.len().max(end), 0);
            self.0[at as usize..end].copy_from_slice(from);
            Ok(())
        }
        fn truncate(&mut self, len: u64) -> Result<(), i32> {
            self.0.resize(len as usize, 0);
            Ok(())
        }
        fn len(&mut self) -> Result<u64, i32> {
            Ok(self.0.len() as u64)
        }
    }

    const FRAME: usize = 24 + PAGE_BYTES;

    fn filled(kind: Kind, n_units: usize) -> (Memory, Vec<u8>, Key) {
        let key = Key::random().unwrap();
        let (mut file, mut plain) = (Memory::default(), Vec::new());
        for _ in 0..n_units {
            let unit = Unit::holding(kind, plain.len() as u64);
            let bytes: Vec<u8> = (0..unit.len).map(|i| (i as u64 * 7 + unit.index) as u8).collect();
            assert!(write(&mut file, &key, kind, unit.start, &bytes).unwrap());
            plain.extend(bytes);
        }
        (file, plain, key)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_range_reads_as_it_was_written(is_log: bool, offset in 0_u64..20_000, n in 1_usize..9_000) {
            let kind = if is_log { Kind::Log } else { Kind::Database };
            let (mut file, plain, key) = filled(kind, 7);
            let mut got = vec![9; n];
            let whole = read(&mut file, &key, kind, offset, &mut got).unwrap();
            let end = plain.len().min(offset as usize + n);
            let want = plain.get(offset as usize..end).unwrap_or_default();
            prop_assert_eq!(&got[..want.len()], want);
            prop_assert!(got[want.len()..].iter().all(|&b| b == 0));
            prop_assert_eq!(whole == Read::Whole, want.len() == n);
        }
    }

    #[test]
    fn parts_of_units_are_not_written() {
        let (mut file, _, key) = filled(Kind::Log, 3);
        for (kind, offset, n) in [
            (Kind::Database, 1, PAGE_BYTES),
            (Kind::Database, 0, PAGE_BYTES - 1),
            (Kind::Log, 32, 25),
            (Kind::Log, 33, 24),
        ] {
            assert!(!write(&mut file, &key, kind, offset, &vec![0; n]).unwrap());
        }
        assert!(!truncate(&mut file, Kind::Log, 100).unwrap());
        assert!(truncate(&mut file, Kind::Log, 32).unwrap());
        assert_eq!(len(&mut file, Kind::Log).unwrap(), 32);
    }

    #[test]
    fn a_moved_or_changed_page_is_an_error_and_a_torn_frame_ends_the_log() {
        let (mut file, _, key) = filled(Kind::Database, 3);
        let mut page = [0; PAGE_BYTES];
        let at = |i: u64| Unit::holding(Kind::Database, i * PAGE_BYTES as u64);
        let second = at(1).at as usize..at(1).at as usize + at(1).sealed_len();
        file.0.copy_within(second, at(2).at as usize);
        let get = |file: &mut Memory, kind, offset, to: &mut [u8]| {
            read(file, &key, kind, offset, to).unwrap()
        };
        assert_eq!(get(&mut file, Kind::Database, 4096, &mut page), Read::Whole);
        assert_eq!(get(&mut file, Kind::Database, 8192, &mut page), Read::Forged);
        file.0[at(0).at as usize + 100] ^= 1;
        assert_eq!(get(&mut file, Kind::Database, 0, &mut page), Read::Forged);
        assert_eq!(get(&mut file, Kind::Database, 0, &mut page[..100]), Read::Short);

        let (mut log, plain, key) = filled(Kind::Log, 5);
        let page_of_second = Unit::holding(Kind::Log, 32 + FRAME as u64 + 24);
        log.0[page_of_second.at as usize + 1000] ^= 1;
        let mut frame = [1; FRAME];
        let second = 32 + FRAME as u64;
        assert_eq!(read(&mut log, &key, Kind::Log, second, &mut frame).unwrap(), Read::Whole);
        assert_eq!(frame[..24], plain[second as usize..second as usize + 24]);
        assert!(frame[24..].iter().all(|&b| b == 0), "SQLite's checksum finds the zeros");
        let read_page = read(&mut log, &key, Kind::Log, second + 24, &mut page).unwrap();
        assert_eq!(read_page, Read::Forged);
    }
}

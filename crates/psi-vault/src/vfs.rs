//! The virtual file system (<https://sqlite.org/c3ref/vfs.html>): SQLite's own one, with every read and write of the
//! database and its log going through [`storage`](crate::storage).
//!
//! Locks, shared memory, syncs and names stay the system's, so several processes work on one file as ever. Files of
//! other kinds (journals, temporary ones) are refused: nothing is written in plain, whatever SQLite is told to do.
#![expect(
    unsafe_code,
    reason = "SQLite's file systems are tables of C functions; each is a few lines that make references of pointers"
)]

use std::{
    ffi::{CString, c_char, c_int, c_void},
    ptr, slice,
    sync::atomic::{AtomicU64, Ordering},
};

use rusqlite::ffi::{
    self, SQLITE_CANTOPEN, SQLITE_FCNTL_CHUNK_SIZE, SQLITE_FCNTL_MMAP_SIZE, SQLITE_FCNTL_SIZE_HINT,
    SQLITE_IOCAP_POWERSAFE_OVERWRITE, SQLITE_IOCAP_SAFE_APPEND, SQLITE_IOCAP_SEQUENTIAL,
    SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN, SQLITE_IOERR, SQLITE_IOERR_DATA, SQLITE_IOERR_SHORT_READ,
    SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE, SQLITE_NOTFOUND, SQLITE_OK, SQLITE_OPEN_MAIN_DB,
    SQLITE_OPEN_WAL, sqlite3_file, sqlite3_io_methods, sqlite3_vfs,
};

use crate::{
    error::Result,
    layout::Kind,
    seal::{self, Key},
    storage::{self, RawFile, Read},
};

/// What a registered file system needs: the system's own, and the key. Never freed: SQLite may hold it.
struct Shared {
    system: *mut sqlite3_vfs,
    key: Key,
}

/// An open file. SQLite makes room for it, and for the system's own one right behind it.
#[repr(C)]
struct File {
    base: sqlite3_file,
    shared: *const Shared,
    kind: Kind,
}

/// The system's file behind one of ours.
struct System(*mut sqlite3_file);

/// A method of the system's file.
macro_rules! call {
    ($file:expr, $method:ident($($arg:expr),*)) => {{
        let file: *mut sqlite3_file = $file;
        match (*(*file).pMethods).$method {
            Some(method) => method(file $(, $arg)*),
            None => SQLITE_IOERR,
        }
    }};
}

/// Methods of a file that are the system's.
macro_rules! files_own {
    ($($name:ident => $method:ident($($arg:ident: $kind:ty),*);)*) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $arg: $kind)*) -> c_int {
            // SAFETY: SQLite passes an open file of ours, and what the method asks for.
            unsafe { call!(File::system(file).0, $method($($arg),*)) }
        }
    )*};
}

/// Methods of the file system that are the system's.
macro_rules! systems_own {
    ($($name:ident => $method:ident($($arg:ident: $kind:ty),*) -> $result:ty = $default:expr;)*) => {$(
        unsafe extern "C" fn $name(vfs: *mut sqlite3_vfs $(, $arg: $kind)*) -> $result {
            // SAFETY: SQLite passes our file system, whose data is a `Shared` that is never freed.
            unsafe {
                let system = (*(*vfs).pAppData.cast::<Shared>()).system;
                (*system).$method.map_or($default, |method| method(system $(, $arg)*))
            }
        }
    )*};
}

type Symbol = Option<unsafe extern "C" fn(*mut sqlite3_vfs, *mut c_void, *const c_char)>;

systems_own! {
    delete => xDelete(name: *const c_char, sync: c_int) -> c_int = SQLITE_IOERR;
    access => xAccess(name: *const c_char, flags: c_int, is: *mut c_int) -> c_int = SQLITE_IOERR;
    full_path => xFullPathname(name: *const c_char, n: c_int, to: *mut c_char) -> c_int = SQLITE_CANTOPEN;
    load => xDlOpen(name: *const c_char) -> *mut c_void = ptr::null_mut();
    load_error => xDlError(n: c_int, to: *mut c_char) -> () = ();
    load_symbol => xDlSym(library: *mut c_void, name: *const c_char) -> Symbol = None;
    unload => xDlClose(library: *mut c_void) -> () = ();
    randomness => xRandomness(n: c_int, to: *mut c_char) -> c_int = 0;
    sleep => xSleep(microseconds: c_int) -> c_int = 0;
    time => xCurrentTime(to: *mut f64) -> c_int = SQLITE_IOERR;
    last_error => xGetLastError(n: c_int, to: *mut c_char) -> c_int = 0;
    time_ms => xCurrentTimeInt64(to: *mut i64) -> c_int = SQLITE_IOERR;
}

files_own! {
    sync => xSync(flags: c_int);
    lock => xLock(level: c_int);
    unlock => xUnlock(level: c_int);
    check_lock => xCheckReservedLock(is: *mut c_int);
    sector_size => xSectorSize();
    shm_map => xShmMap(region: c_int, n: c_int, extend: c_int, to: *mut *mut c_void);
    shm_lock => xShmLock(offset: c_int, n: c_int, flags: c_int);
    shm_unmap => xShmUnmap(delete: c_int);
}

/// Version 2: without the methods that map the file into memory.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_lock),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Makes a file system for a key known to SQLite, under a name of its own.
pub(crate) fn register(key: &Key) -> Result<String> {
    static N_REGISTERED: AtomicU64 = AtomicU64::new(0);
    let name = format!("psi-vault-{}", N_REGISTERED.fetch_add(1, Ordering::Relaxed));
    let c_name = CString::new(name.as_str()).map_err(|e| seal::system(e.to_string()))?;
    // SAFETY: null asks for the default one, which lives as long as the process, or is null.
    let system = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    // SAFETY: as above.
    let Some(own) = (unsafe { system.as_ref() }) else {
        return Err(seal::system("SQLite has no file system"));
    };
    let shared = Box::leak(Box::new(Shared { system, key: key.clone() }));
    let vfs = Box::leak(Box::new(sqlite3_vfs {
        iVersion: own.iVersion.min(2),
        szOsFile: own.szOsFile + size_of::<File>() as c_int,
        mxPathname: own.mxPathname,
        pNext: ptr::null_mut(),
        zName: c_name.into_raw(),
        pAppData: ptr::from_mut(shared).cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_path),
        xDlOpen: Some(load),
        xDlError: Some(load_error),
        xDlSym: Some(load_symbol),
        xDlClose: Some(unload),
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(time_ms),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }));
    // SAFETY: it is complete and never freed.
    match unsafe { ffi::sqlite3_vfs_register(vfs, 0) } {
        SQLITE_OK => Ok(name),
        code => Err(seal::system(format!("SQLite takes no file system (error {code})"))),
    }
}

impl File {
    /// # Safety
    /// `file` must be one of ours, open, and used by nobody else.
    unsafe fn of<'f>(file: *mut sqlite3_file) -> (&'f Key, Kind, System) {
        // SAFETY: as asked; a `Shared` is never freed.
        unsafe {
            let own = &*file.cast::<Self>();
            (&(*own.shared).key, own.kind, Self::system(file))
        }
    }

    /// # Safety
    /// `file` must point to room for one of ours.
    unsafe fn system(file: *mut sqlite3_file) -> System {
        // SAFETY: `szOsFile` asks for room for both.
        System(unsafe { file.cast::<Self>().add(1).cast() })
    }
}

impl RawFile for System {
    fn read(&mut self, at: u64, to: &mut [u8]) -> Result<bool, i32> {
        let (n, at) = (to.len() as c_int, at as i64);
        // SAFETY: the system's file is open as long as ours is; the buffer has `n` bytes.
        match unsafe { call!(self.0, xRead(to.as_mut_ptr().cast(), n, at)) } {
            SQLITE_OK => Ok(true),
            SQLITE_IOERR_SHORT_READ => Ok(false),
            code => Err(code),
        }
    }

    fn write(&mut self, at: u64, from: &[u8]) -> Result<(), i32> {
        let (n, at) = (from.len() as c_int, at as i64);
        // SAFETY: as for reading.
        ok(unsafe { call!(self.0, xWrite(from.as_ptr().cast(), n, at)) })
    }

    fn truncate(&mut self, len: u64) -> Result<(), i32> {
        // SAFETY: as for reading.
        ok(unsafe { call!(self.0, xTruncate(len as i64)) })
    }

    fn len(&mut self) -> Result<u64, i32> {
        let mut len = 0;
        // SAFETY: as for reading.
        ok(unsafe { call!(self.0, xFileSize(&raw mut len)) })?;
        Ok(len.max(0) as u64)
    }
}

fn ok(code: c_int) -> Result<(), i32> {
    if code == SQLITE_OK { Ok(()) } else { Err(code) }
}

fn code(result: Result<bool, i32>, refused: c_int) -> c_int {
    match result {
        Ok(true) => SQLITE_OK,
        Ok(false) => refused,
        Err(code) => code,
    }
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let kind = match () {
        () if flags & SQLITE_OPEN_MAIN_DB != 0 => Some(Kind::Database),
        () if flags & SQLITE_OPEN_WAL != 0 => Some(Kind::Log),
        () => None,
    };
    // SAFETY: SQLite passes our file system and room for a file; a file without methods is closed.
    unsafe {
        (*file).pMethods = ptr::null();
        let Some(kind) = kind else { return SQLITE_CANTOPEN };
        let shared = (*vfs).pAppData.cast::<Shared>();
        let (system, own) = ((*shared).system, File::system(file).0);
        (*own).pMethods = ptr::null();
        let Some(open) = (*system).xOpen else { return SQLITE_CANTOPEN };
        let code = open(system, name, own, flags, out_flags);
        if code == SQLITE_OK {
            file.cast::<File>().write(File {
                base: sqlite3_file { pMethods: &raw const METHODS },
                shared,
                kind,
            });
        } else if !(*own).pMethods.is_null() {
            call!(own, xClose());
        }
        code
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite passes an open file of ours, for the last time.
    unsafe {
        let code = call!(File::system(file).0, xClose());
        (*file).pMethods = ptr::null();
        code
    }
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    to: *mut c_void,
    n: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: SQLite passes an open file of ours and room for `n` bytes, which are set before they are a slice.
    let ((key, kind, mut system), to) = unsafe {
        to.cast::<u8>().write_bytes(0, n as usize);
        (File::of(file), slice::from_raw_parts_mut(to.cast(), n as usize))
    };
    match storage::read(&mut system, key, kind, offset as u64, to) {
        Ok(Read::Whole) => SQLITE_OK,
        Ok(Read::Short) => SQLITE_IOERR_SHORT_READ,
        Ok(Read::Forged) => SQLITE_IOERR_DATA,
        Err(code) => code,
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    n: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: SQLite passes an open file of ours and `n` bytes.
    let ((key, kind, mut system), from) =
        unsafe { (File::of(file), slice::from_raw_parts(from.cast(), n as usize)) };
    code(storage::write(&mut system, key, kind, offset as u64, from), SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, len: i64) -> c_int {
    // SAFETY: SQLite passes an open file of ours.
    let (_, kind, mut system) = unsafe { File::of(file) };
    code(storage::truncate(&mut system, kind, len as u64), SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, to: *mut i64) -> c_int {
    // SAFETY: SQLite passes an open file of ours and room for a number.
    let ((_, kind, mut system), to) = unsafe { (File::of(file), &mut *to) };
    let len = storage::len(&mut system, kind).map(|len| *to = len as i64);
    code(len.map(|()| true), SQLITE_IOERR)
}

/// What is about sizes on the disk or about mapping the file is not passed on: both would be wrong.
unsafe extern "C" fn control(file: *mut sqlite3_file, what: c_int, with: *mut c_void) -> c_int {
    match what {
        SQLITE_FCNTL_SIZE_HINT | SQLITE_FCNTL_CHUNK_SIZE => SQLITE_OK,
        SQLITE_FCNTL_MMAP_SIZE => SQLITE_NOTFOUND,
        // SAFETY: SQLite passes an open file of ours and what the request asks for.
        _ => unsafe { call!(File::system(file).0, xFileControl(what, with)) },
    }
}

/// Nothing is atomic that is written longer than it is given. Writes do not reach beyond their bytes (SQLite's
/// own default), on which whole frames of the log depend here.
unsafe extern "C" fn characteristics(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite passes an open file of ours.
    let own = unsafe { call!(File::system(file).0, xDeviceCharacteristics()) };
    let kept =
        SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_SEQUENTIAL | SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN;
    (own & kept) | SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: SQLite passes an open file of ours.
    unsafe {
        let system = File::system(file).0;
        if let Some(barrier) = (*(*system).pMethods).xShmBarrier {
            barrier(system);
        }
    }
}

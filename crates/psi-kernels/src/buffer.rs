//! Memory for panels and caches: 64-byte aligned, zeroed, on huge pages where the kernel allows.
#![expect(unsafe_code, reason = "aligned allocation and reinterpretation of plain bytes")]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    fmt,
    ptr::NonNull,
    slice,
};

/// A zeroed, owned byte buffer aligned to a cache line (2 MiB when it is large, so that the kernel
/// can back it with huge pages: panels are streamed once per token and TLB misses show).
///
/// Large buffers cost nothing until they are written: the system's own zero pages are taken as they come, and only
/// after the advice about their size. (An allocation aligned to more than 16 bytes would be filled with zeros by hand.)
pub struct AlignedBuf {
    /// What was allocated: the buffer begins at its first aligned byte.
    start: NonNull<u8>,
    layout: Layout,
    ptr: NonNull<u8>,
    len: usize,
}

const LINE: usize = 64;
const HUGE: usize = 2 << 20;
/// The alignment up to which allocators give zeroed memory as the system does.
const PLAIN: usize = 16;

impl AlignedBuf {
    /// `len` zero bytes.
    ///
    /// # Panics
    /// When `len` overflows the address space.
    pub fn zeroed(len: usize) -> Self {
        let align = if len >= HUGE { HUGE } else { LINE };
        let size = len.checked_next_multiple_of(align).and_then(|size| size.checked_add(align));
        let layout = size.and_then(|size| Layout::from_size_align(size, PLAIN).ok());
        let layout = layout
            .unwrap_or_else(|| panic!("a buffer of {len} bytes does not fit the address space"));
        // SAFETY: the size is at least one cache line, never zero.
        let raw = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(raw) else { handle_alloc_error(layout) };
        // SAFETY: the first multiple of `align` lies less than `align` bytes after the start, of which there are `align`
        // more than the buffer has.
        let ptr = unsafe { start.add(start.align_offset(align)) };
        if len >= HUGE {
            advise_huge(ptr, len);
        }
        Self { start, layout, ptr, len }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the buffer holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `ptr` owns `len` initialised (zeroed) bytes.
        unsafe { slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }

    /// The bytes, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `ptr` owns `len` initialised bytes and `self` is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }

    /// The buffer seen as f32 (whole elements).
    pub fn f32s(&self) -> &[f32] {
        // SAFETY: aligned to 64, every bit pattern is an f32, length rounded down.
        unsafe { slice::from_raw_parts(self.ptr.as_ptr().cast(), self.len / 4) }
    }

    /// The buffer seen as f32, to write.
    pub fn f32s_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `f32s`, borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.ptr.as_ptr().cast(), self.len / 4) }
    }

    /// The buffer seen as u16 (bf16 or f16 bits).
    pub fn u16s(&self) -> &[u16] {
        // SAFETY: aligned to 64, every bit pattern is a u16, length rounded down.
        unsafe { slice::from_raw_parts(self.ptr.as_ptr().cast(), self.len / 2) }
    }

    /// The buffer seen as u16, to write.
    pub fn u16s_mut(&mut self) -> &mut [u16] {
        // SAFETY: as in `u16s`, borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.ptr.as_ptr().cast(), self.len / 2) }
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with this very layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

impl Clone for AlignedBuf {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len);
        copy.bytes_mut().copy_from_slice(self.bytes());
        copy
    }
}

impl fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedBuf({} bytes)", self.len)
    }
}

// SAFETY: the buffer owns plain bytes; nothing about it is tied to a thread.
unsafe impl Send for AlignedBuf {}
// SAFETY: shared access only reads.
unsafe impl Sync for AlignedBuf {}

#[cfg(target_os = "linux")]
fn advise_huge(ptr: NonNull<u8>, size: usize) {
    // SAFETY: advice on memory this buffer owns; a refusal is harmless and ignored.
    let _ = unsafe { libc::madvise(ptr.as_ptr().cast(), size, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise_huge(_ptr: NonNull<u8>, _size: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_zeroed_aligned_and_keeps_its_length() {
        for len in [0, 1, 63, 64, 65, 4096, HUGE + 1] {
            let mut buf = AlignedBuf::zeroed(len);
            assert_eq!(buf.len(), len);
            assert_eq!(buf.bytes().as_ptr() as usize % LINE, 0);
            assert!(buf.bytes().iter().all(|&b| b == 0));
            buf.bytes_mut().fill(7);
            assert_eq!(buf.clone().bytes(), buf.bytes());
        }
    }
}

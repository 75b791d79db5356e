//! Memory that products reuse from call to call: fresh pages would cost more than the packing.

use std::cell::Cell;

use crate::AlignedBuf;

/// Scratch kept by a thread between calls; larger requests are given back.
const KEEP: usize = 64 << 20;

thread_local! {
    static KEPT: Cell<[Option<AlignedBuf>; 2]> = const { Cell::new([None, None]) };
}

/// Runs `work` on two buffers of at least the given sizes with unspecified contents. They belong to
/// the calling thread; a nested call gets fresh ones.
pub(super) fn with_scratch<R>(
    sizes: [usize; 2],
    work: impl FnOnce(&mut [u8], &mut [u8]) -> R,
) -> R {
    let kept = KEPT.take();
    let mut index = 0;
    let mut buffers = kept.map(|buf| {
        let size = sizes[index];
        index += 1;
        match buf {
            Some(buf) if buf.len() >= size => buf,
            _ => AlignedBuf::zeroed(size.next_power_of_two()),
        }
    });
    let [a, b] = &mut buffers;
    let result = work(a.bytes_mut(), b.bytes_mut());
    KEPT.set(buffers.map(|buf| (buf.len() <= KEEP).then_some(buf)));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_grows_is_reused_and_may_nest() {
        with_scratch([100, 10], |a, b| {
            assert!(a.len() >= 100 && b.len() >= 10);
            a.fill(1);
            with_scratch([200, 0], |a, _| a.fill(2));
            assert!(a.iter().all(|&x| x == 1));
        });
        let at = with_scratch([4000, 0], |a, _| a.as_ptr() as usize);
        assert_eq!(with_scratch([3000, 0], |a, _| a.as_ptr() as usize), at);
    }
}

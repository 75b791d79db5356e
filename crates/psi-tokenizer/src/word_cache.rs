//! A direct-mapped cache from short pieces to their ids. Words repeat; merging them again does not pay.

use std::hash::{BuildHasher, RandomState};

use crate::TokenId;

/// Longest piece and most ids of an entry, chosen so that it fills half a cache line.
const MAX_BYTES: usize = 15;
const MAX_IDS: usize = 4;
/// 1 MiB: stays in a core's second-level cache on most machines.
const N_SLOTS: usize = 1 << 15;

#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
struct Slot {
    /// the piece, padded with zeros, as two words; the last byte is `len | n_ids << 4`
    key: [u64; 2],
    ids: [TokenId; MAX_IDS],
}

/// The cache of one encoding thread.
#[derive(Debug)]
pub(crate) struct WordCache {
    slots: Box<[Slot]>,
    /// odd and secret
    multiplier: u64,
}

/// Where a piece that was not found goes once its ids are known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vacancy {
    slot: usize,
    key: [u64; 2],
}

const ID_COUNT_SHIFT: u32 = 60;
const KEY_MASK: u64 = (1 << ID_COUNT_SHIFT) - 1;

impl WordCache {
    pub(crate) fn new() -> Self {
        let empty = Slot { key: [0; 2], ids: [0; MAX_IDS] };
        Self {
            slots: vec![empty; N_SLOTS].into_boxed_slice(),
            multiplier: RandomState::new().hash_one(1u64) | 1,
        }
    }

    /// Appends the ids of `piece` if they are known; else says where to put them, if it is short enough.
    #[inline]
    pub(crate) fn get(&self, piece: &[u8], out: &mut Vec<TokenId>) -> Result<(), Option<Vacancy>> {
        if piece.is_empty() || piece.len() > MAX_BYTES {
            return Err(None);
        }
        let mut bytes = [0u8; 16];
        bytes[..piece.len()].copy_from_slice(piece);
        bytes[15] = piece.len() as u8;
        let low = u64::from_le_bytes(bytes[..8].try_into().unwrap_or_default());
        let high = u64::from_le_bytes(bytes[8..].try_into().unwrap_or_default());
        let mixed = (low ^ high.rotate_left(29)).wrapping_mul(self.multiplier);
        let mixed = (mixed ^ (mixed >> 32) ^ high).wrapping_mul(self.multiplier);
        let slot = (mixed >> (64 - N_SLOTS.trailing_zeros())) as usize;
        let found = &self.slots[slot];
        if found.key[0] == low && found.key[1] & KEY_MASK == high {
            let n = (found.key[1] >> ID_COUNT_SHIFT) as usize;
            out.extend_from_slice(&found.ids[..n.min(MAX_IDS)]);
            Ok(())
        } else {
            Err(Some(Vacancy { slot, key: [low, high] }))
        }
    }

    /// Remembers the ids of a piece, if they are few enough.
    #[inline]
    pub(crate) fn put(&mut self, vacancy: Vacancy, ids: &[TokenId]) {
        if ids.len() > MAX_IDS {
            return;
        }
        let slot = &mut self.slots[vacancy.slot];
        slot.key = [vacancy.key[0], vacancy.key[1] | (ids.len() as u64) << ID_COUNT_SHIFT];
        slot.ids[..ids.len()].copy_from_slice(ids);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_short_pieces_and_tells_similar_ones_apart() {
        let mut cache = WordCache::new();
        let mut out = Vec::new();
        let pieces: [&[u8]; 6] =
            [b"a", b"a\0", b"\0a", b"abcdefghijklmno", b"abcdefghijklmn", b"\0"];
        for (i, piece) in (0u32..).zip(pieces) {
            let Err(Some(vacancy)) = cache.get(piece, &mut out) else { panic!("{piece:?} known") };
            cache.put(vacancy, &vec![i; i as usize % 5]);
        }
        assert!(out.is_empty());
        for (i, piece) in (0u32..).zip(pieces) {
            out.clear();
            // Two of the six could share a slot; then the later one stays.
            if cache.get(piece, &mut out).is_ok() {
                assert_eq!(out, vec![i; i as usize % 5], "{piece:?}");
            }
        }
        assert!(matches!(cache.get(b"", &mut out), Err(None)));
        assert!(matches!(cache.get(b"sixteen bytes ..", &mut out), Err(None)));
    }
}

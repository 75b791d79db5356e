//! The hash table from a pair of token ids to its merge: one probe in one cache line for nearly every look-up.

use std::hash::{BuildHasher, RandomState};

use crate::TokenId;
use crate::merge::NO_MERGE;

/// Merges by pair.
#[derive(Debug)]
pub(crate) struct PairTable {
    slots: Vec<Slot>,
    /// odd and secret, so that a file cannot choose colliding pairs
    multiplier: u64,
    shift: u32,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
#[repr(align(16))]
struct Slot {
    key: u64,
    rank: u32,
    product: TokenId,
}

/// No pair has this key: it would need the id 2^32 - 1 twice.
const EMPTY: u64 = u64::MAX;

impl PairTable {
    pub(crate) fn with_capacity(pairs: usize) -> Self {
        let n_slots = (pairs.max(8) * 2).next_power_of_two();
        Self {
            slots: vec![Slot { key: EMPTY, rank: NO_MERGE, product: 0 }; n_slots],
            multiplier: RandomState::new().hash_one(0u64) | 1,
            shift: 64 - n_slots.trailing_zeros(),
            len: 0,
        }
    }

    #[inline]
    fn first_slot(&self, key: u64) -> usize {
        (key.wrapping_mul(self.multiplier) >> self.shift) as usize
    }

    /// Adds a pair; the first rank given to a pair wins. Returns whether it was new.
    pub(crate) fn insert(
        &mut self,
        left: TokenId,
        right: TokenId,
        rank: u32,
        product: TokenId,
    ) -> bool {
        if (self.len + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let key = u64::from(left) << 32 | u64::from(right);
        let mask = self.slots.len() - 1;
        let mut at = self.first_slot(key);
        while self.slots[at].key != EMPTY {
            if self.slots[at].key == key {
                return false;
            }
            at = (at + 1) & mask;
        }
        self.slots[at] = Slot { key, rank, product };
        self.len += 1;
        true
    }

    /// (rank, product) of a pair, with rank [`NO_MERGE`] if it does not merge.
    #[inline]
    pub(crate) fn get(&self, left: TokenId, right: TokenId) -> (u32, TokenId) {
        let key = u64::from(left) << 32 | u64::from(right);
        let mask = self.slots.len() - 1;
        let mut at = self.first_slot(key);
        loop {
            let slot = self.slots[at & mask];
            if slot.key == key || slot.key == EMPTY {
                return (slot.rank, slot.product);
            }
            at += 1;
        }
    }

    fn grow(&mut self) {
        let mut larger = Self::with_capacity(self.slots.len());
        for slot in self.slots.iter().filter(|s| s.key != EMPTY) {
            let (left, right) = ((slot.key >> 32) as TokenId, slot.key as TokenId);
            larger.insert(left, right, slot.rank, slot.product);
        }
        *self = larger;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in_and_nothing_else() {
        let mut table = PairTable::with_capacity(0);
        for i in 0..5000u32 {
            assert!(table.insert(i % 71, i, i, i + 1));
        }
        assert!(!table.insert(0, 0, 9, 9));
        for i in 0..5000u32 {
            assert_eq!(table.get(i % 71, i), (i, i + 1));
            assert_eq!(table.get(72, i).0, NO_MERGE);
        }
    }
}

//! Which block holds what: blocks in use, blocks kept because a later prompt may begin alike, free ones.

use std::collections::{BTreeSet, HashMap};

use psi_kernels::kv::KV_BLOCK;
use psi_tokenizer::TokenId;

/// What the first token of a prefix comes after: prefixes of different roots are never the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Root {
    /// The adapter that computed it; 0: none.
    pub(crate) adapter: u64,
    /// The RoPE frequencies, where they depend on a sequence's length.
    pub(crate) rope: usize,
}

/// What a block continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Parent {
    Root(Root),
    Block(u32),
}

/// What a kept block holds: these tokens after that block. The tokens themselves and not a hash of them,
/// so that two prefixes are never confused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    parent: Parent,
    tokens: Box<[TokenId]>,
}

/// The blocks of an arena. Those that are whole can be published; sequences that begin with the same
/// tokens then share them. A published block that no sequence uses is kept until its memory is needed;
/// the one unused for longest goes first, and none before those that continue it.
#[derive(Debug)]
pub(crate) struct Blocks {
    slots: Vec<Slot>,
    free: Vec<u32>,
    published: HashMap<Key, u32>,
    /// Published, not used and not continued: (when last used, block).
    idle: BTreeSet<(u64, u32)>,
    /// Published and not used.
    n_kept: usize,
    clock: u64,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    n_users: u32,
    /// Published blocks that continue this one.
    n_children: u32,
    /// What it holds, if it is published.
    key: Option<Key>,
    last_used: u64,
}

impl Blocks {
    pub(crate) fn new(n_blocks: usize) -> Self {
        Self {
            slots: vec![Slot::default(); n_blocks],
            free: (0..n_blocks as u32).rev().collect(),
            published: HashMap::new(),
            idle: BTreeSet::new(),
            n_kept: 0,
            clock: 0,
        }
    }

    /// Blocks that can be taken, kept ones included.
    pub(crate) fn n_free(&self) -> usize {
        self.free.len() + self.n_kept
    }

    /// Blocks that hold a prefix nobody uses.
    pub(crate) fn n_kept(&self) -> usize {
        self.n_kept
    }

    /// Takes a block, if need be from the prefix that was unused for longest.
    pub(crate) fn take(&mut self) -> Option<u32> {
        let block = self.free.pop().or_else(|| self.evict())?;
        self.slots[block as usize].n_users = 1;
        Some(block)
    }

    /// Ends one use of a block.
    pub(crate) fn release(&mut self, block: u32) {
        self.clock += 1;
        let slot = &mut self.slots[block as usize];
        slot.n_users -= 1;
        slot.last_used = self.clock;
        if slot.n_users > 0 {
            return;
        }
        match slot.key {
            None => self.free.push(block),
            Some(_) => {
                self.n_kept += 1;
                self.settle(block);
            }
        }
    }

    /// The block that holds `tokens` (a whole block's) after `parent`, in use once more.
    pub(crate) fn find(
        &mut self,
        root: Root,
        parent: Option<u32>,
        tokens: &[TokenId],
    ) -> Option<u32> {
        let block = *self.published.get(&key(root, parent, tokens))?;
        let slot = &mut self.slots[block as usize];
        if slot.n_users == 0 {
            self.n_kept -= 1;
            self.idle.remove(&(slot.last_used, block));
        }
        slot.n_users += 1;
        Some(block)
    }

    /// Publishes a block in use, which holds `tokens` after the published `parent`. If another one holds
    /// the same, `block` is given back and the other one returned, in use.
    pub(crate) fn publish(
        &mut self,
        root: Root,
        parent: Option<u32>,
        tokens: &[TokenId],
        block: u32,
    ) -> u32 {
        if let Some(same) = self.find(root, parent, tokens) {
            self.release(block);
            return same;
        }
        let key = key(root, parent, tokens);
        self.slots[block as usize].key = Some(key.clone());
        self.published.insert(key, block);
        if let Some(parent) = parent {
            self.slots[parent as usize].n_children += 1;
        }
        block
    }

    fn evict(&mut self) -> Option<u32> {
        let (_, block) = self.idle.pop_first()?;
        let key = self.slots[block as usize].key.take()?;
        self.published.remove(&key);
        self.n_kept -= 1;
        if let Parent::Block(parent) = key.parent {
            self.slots[parent as usize].n_children -= 1;
            self.settle(parent);
        }
        Some(block)
    }

    /// Makes a published block ready to go, if nothing uses or continues it.
    fn settle(&mut self, block: u32) {
        let slot = &self.slots[block as usize];
        if slot.n_users == 0 && slot.n_children == 0 {
            self.idle.insert((slot.last_used, block));
        }
    }
}

fn key(root: Root, parent: Option<u32>, tokens: &[TokenId]) -> Key {
    debug_assert_eq!(tokens.len(), KV_BLOCK, "a whole block");
    Key { parent: parent.map_or(Parent::Root(root), Parent::Block), tokens: tokens.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Root = Root { adapter: 0, rope: 0 };

    fn tokens(token: u32) -> Vec<u32> {
        vec![token; KV_BLOCK]
    }

    /// Takes and publishes a chain of blocks.
    fn chain(blocks: &mut Blocks, root: Root, contents: &[u32]) -> Vec<u32> {
        let mut chain = Vec::new();
        for &token in contents {
            let block = blocks.take().expect("a block");
            chain.push(blocks.publish(root, chain.last().copied(), &tokens(token), block));
        }
        chain
    }

    fn release(blocks: &mut Blocks, chain: &[u32]) {
        chain.iter().for_each(|&b| blocks.release(b));
    }

    #[test]
    fn a_published_block_is_found_after_the_same_tokens_only() {
        let mut blocks = Blocks::new(8);
        let ab = chain(&mut blocks, ROOT, &[1, 2]);
        release(&mut blocks, &ab);
        assert_eq!((blocks.n_free(), blocks.n_kept()), (8, 2));
        assert_eq!(blocks.find(ROOT, None, &tokens(2)), None);
        assert_eq!(blocks.find(Root { adapter: 1, rope: 0 }, None, &tokens(1)), None);
        assert_eq!(blocks.find(Root { adapter: 0, rope: 9 }, None, &tokens(1)), None);
        assert_eq!(blocks.find(ROOT, None, &tokens(1)), Some(ab[0]));
        assert_eq!(blocks.find(ROOT, Some(ab[0]), &tokens(2)), Some(ab[1]));
        assert_eq!((blocks.n_free(), blocks.n_kept()), (6, 0));
    }

    #[test]
    fn a_block_computed_twice_is_kept_once() {
        let mut blocks = Blocks::new(4);
        let first = chain(&mut blocks, ROOT, &[1, 2]);
        let second = chain(&mut blocks, ROOT, &[1, 2]);
        assert_eq!(first, second);
        assert_eq!(blocks.n_free(), 2);
        release(&mut blocks, &first);
        assert_eq!(blocks.n_free(), 2, "the second still uses them");
        release(&mut blocks, &second);
        assert_eq!(blocks.n_free(), 4);
    }

    #[test]
    fn the_longest_unused_goes_first_and_never_before_what_continues_it() {
        let mut blocks = Blocks::new(4);
        let old = chain(&mut blocks, ROOT, &[1, 2]);
        let new = chain(&mut blocks, ROOT, &[3, 4]);
        release(&mut blocks, &old);
        release(&mut blocks, &new);
        let taken: Vec<u32> = (0..4).map_while(|_| blocks.take()).collect();
        assert_eq!(taken, [old[1], old[0], new[1], new[0]]);
        assert_eq!(blocks.take(), None);
        assert_eq!(blocks.find(ROOT, None, &tokens(1)), None);
    }

    #[test]
    fn a_block_in_use_is_never_taken() {
        let mut blocks = Blocks::new(3);
        let used = chain(&mut blocks, ROOT, &[1, 2]);
        assert!(blocks.take().is_some_and(|b| !used.contains(&b)));
        assert_eq!(blocks.take(), None);
    }
}

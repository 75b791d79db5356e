//! From files to batches: readers, token shards, packing, mixing, and a position that can be saved.

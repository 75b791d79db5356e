//! Reasoning problems generated from a seed, each with a strict verifier.

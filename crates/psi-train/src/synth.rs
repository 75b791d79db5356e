//! Conversations generated from a seed, for the skills of the bundled checkpoint.

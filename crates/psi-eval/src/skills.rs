//! The skills the bundled checkpoint must have, generated with a held-out split, and their scores.

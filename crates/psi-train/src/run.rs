//! A run on disk: configuration, metrics, checkpoints.

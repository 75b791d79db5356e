//! The loop: forward, backward, clip, step, evaluate, save.

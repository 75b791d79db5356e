//! The API over real sockets, on a tiny model with random weights.

mod answers;
mod batches;
mod conversations;
mod crowd;
mod hostile;
mod keys;
mod lab;
mod transport;

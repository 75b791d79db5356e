//! The service's thread: takes commands, runs steps, and outlives whatever panics in one.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc::Receiver},
};

use psi_kernels::Cpu;
use psi_model::Decoder;

use super::{Door, ServiceOptions, embed::Embedding, scheduler::Scheduler, stream::Stream};

/// What a handle asks of the thread.
pub(super) enum Command {
    Submit(Box<Stream>),
    Embed(Embedding),
}

/// What the thread starts with.
pub(super) struct Setup {
    pub(super) cpu: Arc<Cpu>,
    pub(super) model: Arc<Decoder>,
    pub(super) n_blocks: usize,
    pub(super) options: ServiceOptions,
    pub(super) door: Arc<Door>,
}

pub(super) fn run(setup: &Setup, commands: &Receiver<Command>) {
    let mut scheduler = Scheduler::new(setup);
    loop {
        if scheduler.is_idle() {
            let Ok(command) = commands.recv() else { return };
            take(&mut scheduler, command);
        }
        while let Ok(command) = commands.try_recv() {
            take(&mut scheduler, command);
        }
        if catch_unwind(AssertUnwindSafe(|| scheduler.step())).is_err() {
            // A bug. What was half computed is not to be trusted; who waits keeps waiting.
            scheduler.restart(setup, "the model stopped with an internal error");
        }
    }
}

fn take(scheduler: &mut Scheduler, command: Command) {
    match command {
        Command::Submit(stream) => scheduler.push(*stream),
        Command::Embed(embedding) => scheduler.embed(embedding),
    }
}

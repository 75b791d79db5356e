//! Requests that wait: clients take turns by the tokens they ask for, not by the number of requests.

use std::collections::VecDeque;

use super::stream::Stream;

/// Tokens that a client may ask for per turn.
const QUANTUM: usize = 512;

/// Deficit round robin over clients; each client's requests run in order.
/// Shreedhar and Varghese 1995, section 3.
#[derive(Debug, Default)]
pub(super) struct FairQueue {
    clients: VecDeque<Client>,
}

#[derive(Debug)]
struct Client {
    name: String,
    /// Tokens it may ask for before the others' turn comes.
    deficit: usize,
    waiting: VecDeque<Stream>,
}

impl FairQueue {
    pub(super) fn len(&self) -> usize {
        self.clients.iter().map(|c| c.waiting.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    pub(super) fn push(&mut self, stream: Stream) {
        match self.clients.iter_mut().find(|c| c.name == stream.client()) {
            Some(client) => client.waiting.push_back(stream),
            None => {
                let name = stream.client().to_owned();
                let waiting = VecDeque::from([stream]);
                self.clients.push_back(Client { name, deficit: 0, waiting });
            }
        }
    }

    /// The request whose turn it is; it stays so until [`FairQueue::pop`] takes it.
    pub(super) fn peek(&mut self) -> Option<&Stream> {
        loop {
            let client = self.clients.front_mut()?;
            if client.waiting.front()?.cost() <= client.deficit {
                break;
            }
            client.deficit += QUANTUM;
            self.clients.rotate_left(1);
        }
        self.clients.front()?.waiting.front()
    }

    /// Takes the request that [`FairQueue::peek`] shows.
    pub(super) fn pop(&mut self) -> Option<Stream> {
        self.peek()?;
        let client = self.clients.front_mut()?;
        let stream = client.waiting.pop_front()?;
        client.deficit -= stream.cost();
        if client.waiting.is_empty() {
            self.clients.pop_front();
        }
        Some(stream)
    }

    /// Takes every request for which `wanted` is false.
    pub(super) fn remove(&mut self, wanted: &dyn Fn(&Stream) -> bool) -> Vec<Stream> {
        let mut removed = Vec::new();
        for client in &mut self.clients {
            let (keep, out): (VecDeque<_>, VecDeque<_>) =
                std::mem::take(&mut client.waiting).into_iter().partition(|s| wanted(s));
            client.waiting = keep;
            removed.extend(out);
        }
        self.clients.retain(|c| !c.waiting.is_empty());
        removed
    }
}

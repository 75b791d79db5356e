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

#[cfg(test)]
mod tests {
    use psi_model::Config;

    use super::*;
    use crate::service::Request;

    /// A request of `cost` tokens, named by its seed.
    fn stream(client: &str, cost: usize, name: u64) -> Stream {
        let client = client.to_owned();
        let mut request =
            Request { tokens: vec![1], max_tokens: cost - 1, client, ..Request::default() };
        request.sampling.seed = name;
        let config = Config::llama(64, 1, 1, 96);
        let limits = (&config, usize::MAX);
        Stream::new(request, Box::new(|_| {}), &std::sync::Arc::default(), None, limits)
            .expect("a request")
    }

    fn order(queue: &mut FairQueue) -> Vec<u64> {
        std::iter::from_fn(|| queue.pop()).map(|s| s.seed()).collect()
    }

    #[test]
    fn a_client_with_many_requests_does_not_hold_up_one_with_few() {
        let mut queue = FairQueue::default();
        (0..6).for_each(|name| queue.push(stream("many", QUANTUM, name)));
        queue.push(stream("few", QUANTUM, 10));
        queue.push(stream("few", QUANTUM, 11));
        assert_eq!(queue.len(), 8);
        assert_eq!(order(&mut queue), [0, 10, 1, 11, 2, 3, 4, 5]);
        assert!(queue.is_empty() && queue.pop().is_none());
    }

    #[test]
    fn shares_are_of_tokens_and_not_of_requests() {
        let mut queue = FairQueue::default();
        (0..4).for_each(|name| queue.push(stream("long", 2 * QUANTUM, name)));
        (10..18).for_each(|name| queue.push(stream("short", QUANTUM / 2, name)));
        let order = order(&mut queue);
        // Until the short ones are through, both get the same number of tokens within a turn.
        let short_before = |n: usize| order[..n].iter().filter(|&&name| name >= 10).count();
        let long_before = |n: usize| n - short_before(n);
        for n in 1..=10 {
            let [long, short] = [long_before(n) * 2 * QUANTUM, short_before(n) * QUANTUM / 2];
            assert!(long.abs_diff(short) <= 3 * QUANTUM, "{n} of {order:?}");
        }
    }

    #[test]
    fn requests_that_are_gone_leave_no_gap() {
        let mut queue = FairQueue::default();
        (0..6).for_each(|name| queue.push(stream(["a", "b"][name as usize % 2], 10, name)));
        let gone = queue.remove(&|stream| [1, 3, 5].contains(&stream.seed()));
        assert_eq!(gone.iter().map(Stream::seed).collect::<Vec<_>>(), [0, 2, 4]);
        assert_eq!(order(&mut queue), [1, 3, 5]);
    }
}

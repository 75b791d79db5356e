//! Failures that pass and failures that stay: what is tried again, and after how long.

use std::time::Duration;

use crate::error::{Failure, Outcome};

/// Why a request did not succeed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The same request may succeed later.
    Passing {
        failure: Failure,
        /// What the server asks to wait.
        wait: Option<Duration>,
    },
    /// Asking again is of no use.
    Final(Failure),
}

impl Trouble {
    pub(super) fn passing(failure: Failure) -> Self {
        Self::Passing { failure, wait: None }
    }
}

/// A server that asks for more patience than this gets a failure instead.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Counts failed attempts in a row.
#[derive(Debug)]
pub(super) struct Patience {
    retries: u32,
    failed: u32,
}

impl Patience {
    /// Allows `retries` attempts after a failed one.
    pub(super) fn new(retries: u32) -> Self {
        Self { retries, failed: 0 }
    }

    /// Something arrived: the count starts anew.
    pub(super) fn renew(&mut self) {
        self.failed = 0;
    }

    /// Sleeps before the next attempt, or returns the failure if there is to be none.
    ///
    /// The pauses are 0.2 s, 0.8 s, 3.2 s and then 10 s, or what the server asks for, at most a minute.
    pub(super) fn wait(&mut self, trouble: Trouble) -> Outcome {
        let (failure, asked) = match trouble {
            Trouble::Final(failure) => return Err(failure),
            Trouble::Passing { failure, wait } => (failure, wait),
        };
        let pause = asked.unwrap_or_else(|| {
            Duration::from_millis(200 << (2 * self.failed.min(8))).min(Duration::from_secs(10))
        });
        if self.failed >= self.retries || pause > LONGEST_WAIT {
            return Err(failure);
        }
        self.failed += 1;
        std::thread::sleep(pause);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_after_the_retries_and_is_renewed_by_progress() {
        let passing = |ms| Trouble::Passing {
            failure: Failure::failed("x"),
            wait: Some(Duration::from_millis(ms)),
        };
        let mut patience = Patience::new(2);
        assert!(patience.wait(passing(0)).is_ok());
        assert!(patience.wait(passing(0)).is_ok());
        assert!(patience.wait(passing(0)).is_err());
        patience.renew();
        assert!(patience.wait(passing(1)).is_ok());
        assert!(patience.wait(passing(61_000)).is_err(), "no endless sleep at a server's wish");
        assert!(patience.wait(Trouble::Final(Failure::failed("x"))).is_err());
    }
}

//! Time and waiting, real or virtual.

use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;

/// A future on the heap, as the traits of this crate pass them.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Waits for `duration` of this clock's time.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;

    /// Runs `work` to its end. A virtual clock moves its time forward whenever `work` does nothing but wait; a
    /// real clock moves by itself.
    fn drive<'a>(&'a self, work: BoxFuture<'a, ()>) -> BoxFuture<'a, ()> {
        work
    }
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where real time comes in"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where real waiting happens"
    )]
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

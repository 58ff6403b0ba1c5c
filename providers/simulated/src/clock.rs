//! Virtual time: it stands still while there is work to do and jumps to the next sleeper when there is none.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::{BoxFuture, Clock};

use crate::random::later;

/// How often in a row the runtime gets a turn without anything waking the work, before time moves on. Each turn
/// lets tasks, timers and signals of the runtime have their say.
const QUIET_TURNS: u32 = 4;

/// After so many polls time moves on even if the work keeps waking itself, so that a busy loop that waits for a
/// moment of virtual time gets there.
const MOST_POLLS: u32 = 10_000;

/// A clock whose time moves only when [`Clock::drive`] finds that all work waits for it.
///
/// Anything that waits for real time or for real input while [`Clock::drive`] runs simply stays pending as long as
/// nobody sleeps on this clock; while somebody does, virtual time runs ahead of it.
#[derive(Debug)]
pub struct VirtualClock {
    state: Mutex<State>,
    speed: u32,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    sequence: u64,
    /// Who sleeps, by deadline and then by who lay down first.
    sleepers: BTreeMap<(Timestamp, u64), Waker>,
    /// Those who move time, to be told when somebody lies down.
    drivers: Vec<Waker>,
}

impl VirtualClock {
    /// A clock that begins at `start` and runs `speed` virtual seconds in a real second; 0 takes no real time at
    /// all. Any other speed needs a tokio runtime with its timer enabled.
    pub fn new(start: Timestamp, speed: u32) -> Self {
        let state = State {
            now: start,
            sequence: 0,
            sleepers: BTreeMap::new(),
            drivers: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            speed,
        }
    }

    /// Moves time forward to `moment` and wakes everyone whose time has come, in the order of their deadlines.
    /// Time never goes back: an earlier moment changes nothing.
    pub fn advance_to(&self, moment: Timestamp) {
        let woken: Vec<Waker> = {
            let mut state = self.lock();
            let now = state.now.max(moment);
            state.now = now;
            let still_asleep = state.sleepers.split_off(&(now, u64::MAX));
            let due = std::mem::replace(&mut state.sleepers, still_asleep);
            due.into_values().collect()
        };
        for waker in woken {
            waker.wake();
        }
    }

    /// How many sleep at this moment.
    pub fn sleepers(&self) -> usize {
        self.lock().sleepers.len()
    }

    fn earliest(&self) -> Option<Timestamp> {
        let state = self.lock();
        state.sleepers.keys().next().map(|&(deadline, _)| deadline)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held, so a poisoned one still holds a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the work is woken or somebody lies down who wakes before `until`.
    async fn interruption(&self, signal: &Signal, until: Option<Timestamp>) {
        std::future::poll_fn(|context| {
            signal.forward_to(context.waker());
            self.lock().drivers.push(context.waker().clone());
            let earlier = match (self.earliest(), until) {
                (Some(earliest), Some(until)) => earliest < until,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if signal.is_raised() || earlier {
                self.lock().drivers.clear();
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Lets real time pass for the stretch up to `deadline`, unless the work has something to do before that.
    #[expect(
        clippy::disallowed_methods,
        reason = "the virtual clock is where virtual time meets real time"
    )]
    async fn pass_time_until(&self, deadline: Timestamp, signal: &Signal) {
        let begun = self.now();
        let stretch = Duration::try_from(deadline.duration_since(begun)).unwrap_or_default();
        if self.speed == 0 || stretch.is_zero() {
            self.advance_to(deadline);
            return;
        }
        let started = tokio::time::Instant::now();
        tokio::select! {
            () = tokio::time::sleep(stretch / self.speed) => self.advance_to(deadline),
            () = self.interruption(signal, Some(deadline)) => {
                let passed = started.elapsed().saturating_mul(self.speed);
                self.advance_to(later(begun, passed).min(deadline));
            }
        }
    }

    async fn drive_to_end(&self, mut work: BoxFuture<'_, ()>) {
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(Arc::clone(&signal));
        loop {
            let (mut quiet, mut polls) = (0, 0);
            while quiet < QUIET_TURNS && polls < MOST_POLLS {
                if signal.lower() {
                    (quiet, polls) = (0, polls + 1);
                    let done = std::future::poll_fn(|context| {
                        signal.forward_to(context.waker());
                        Poll::Ready(work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready())
                    });
                    if done.await {
                        return;
                    }
                } else {
                    quiet += 1;
                }
                tokio::task::yield_now().await;
            }
            match self.earliest() {
                Some(deadline) => self.pass_time_until(deadline, &signal).await,
                None => self.interruption(&signal, None).await,
            }
        }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        let deadline = later(self.now(), duration);
        Box::pin(Sleep {
            clock: self,
            deadline,
            place: None,
        })
    }

    fn drive<'a>(&'a self, work: BoxFuture<'a, ()>) -> BoxFuture<'a, ()> {
        Box::pin(self.drive_to_end(work))
    }
}

/// Somebody who sleeps. Gives its place up when it is dropped.
struct Sleep<'a> {
    clock: &'a VirtualClock,
    deadline: Timestamp,
    place: Option<(Timestamp, u64)>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.now >= self.deadline {
            return Poll::Ready(());
        }
        let (place, drivers) = if let Some(place) = self.place {
            (place, Vec::new())
        } else {
            state.sequence += 1;
            (
                (self.deadline, state.sequence),
                std::mem::take(&mut state.drivers),
            )
        };
        state.sleepers.insert(place, context.waker().clone());
        drop(state);
        self.place = Some(place);
        for driver in drivers {
            driver.wake();
        }
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.clock.lock().sleepers.remove(&place);
        }
    }
}

/// Tells whether the driven work was woken, and passes the waking on to the task that drives it.
#[derive(Debug)]
struct Signal {
    raised: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Default for Signal {
    /// Raised, so that the work is polled a first time.
    fn default() -> Self {
        Self {
            raised: AtomicBool::new(true),
            outer: Mutex::new(None),
        }
    }
}

impl Signal {
    fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }

    /// Lowers the signal and tells whether it was raised.
    fn lower(&self) -> bool {
        self.raised.swap(false, Ordering::SeqCst)
    }

    fn forward_to(&self, waker: &Waker) {
        let mut outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner);
        match outer.as_ref() {
            Some(known) if known.will_wake(waker) => {}
            _ => *outer = Some(waker.clone()),
        }
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.raised.store(true, Ordering::SeqCst);
        let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}

#[cfg(test)]
mod tests;

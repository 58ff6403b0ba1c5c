//! A thread of a cloud.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Does the same again and again until it is dropped, which waits for the turn that it is in.
#[derive(Debug)]
pub(super) struct Worker {
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Takes turns, which are short, until one says that it is the last.
    pub(super) fn start(mut turn: impl FnMut() -> ControlFlow<()> + Send + 'static) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let thread =
            std::thread::spawn(move || while !stop.load(Ordering::Relaxed) && turn().is_continue() {});
        Self {
            stopped,
            thread: Some(thread),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

//! Doing something inside of a network namespace that this process is not in. What was opened there stays there.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::LabError;
use crate::error::AboutFile;

/// A network namespace, which stays as long as this value does.
#[derive(Debug)]
pub(crate) struct Namespace {
    file: File,
}

impl Namespace {
    /// The one that is mounted at this path.
    pub(crate) fn open(path: &Path) -> Result<Self, LabError> {
        let file = File::open(path).about("failed to open the network", path)?;
        Ok(Self { file })
    }

    /// Does it on a thread that moves there, and ends.
    pub(crate) fn run<T: Send>(&self, task: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let moved = || {
            move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))?;
            task()
        };
        let ended = std::thread::scope(|scope| scope.spawn(moved).join());
        ended.unwrap_or_else(|_| Err(io::Error::other("the thread in the network ended early")))
    }
}

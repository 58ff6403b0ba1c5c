//! Why the world on disk cannot be used, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use keelson_provider_api::advice;

use crate::options::Like;

/// Why the world on disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorldLogError {
    /// The file system refused.
    #[error("cannot {verb} {}", path.display())]
    Unavailable {
        /// What was tried, for example `append to`.
        verb: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// What is written there cannot be understood. It is left as it is.
    #[error("{}:{line} is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// What says how far the log goes cannot be understood. It is left as it is.
    #[error("{} is damaged: {problem}", path.display())]
    EndDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There was a log, and it is gone.
    #[error("{} is missing, although {} is there", path.display(), end.display())]
    Missing {
        /// The log.
        path: PathBuf,
        /// What says that there was one.
        end: PathBuf,
    },
    /// The world there is like another platform than the one that was asked for.
    #[error("the world in {} is like {is}, not like {asked}", path.display())]
    OtherPlatform {
        /// The file.
        path: PathBuf,
        /// What it is like.
        is: Like,
        /// What was asked for.
        asked: Like,
    },
}

impl WorldLogError {
    /// What a person can do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Unavailable { source, .. } => advice(source)
                .unwrap_or("see to what is named above, then try again")
                .to_owned(),
            Self::Damaged { path, .. } | Self::Missing { path, .. } => format!(
                "it was left as it is; put the whole folder {} back from a copy; where there is none, move it away to begin \
                 with an empty world: what was made in this one is lost then",
                path.parent().unwrap_or(path).display()
            ),
            Self::EndDamaged { path, .. } => format!(
                "put it back from a copy, or remove it: {} is checked line by line without it, and only lines that are \
                 missing at its very end would not be noticed this once",
                path.with_extension("log").display()
            ),
            Self::OtherPlatform { is, .. } => {
                format!("write `like: {is}`, or name another `stateStore`")
            }
        }
    }
}

/// The error of a file system that refused to `verb` what is at `path`.
pub(super) fn unavailable(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WorldLogError {
    let path = path.to_owned();
    move |source| WorldLogError::Unavailable { verb, path, source }
}

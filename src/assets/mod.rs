//! Release files: where they come from, what their digests are, and copying them into a mirror of one's own.
//!
//! What a release consists of says [`node`](crate::node); here it is looked for: upstream, in a mirror that has
//! upstream's `https://HOST/PATH` at `HOST/PATH`, or in a folder of the same layout. A digest that was found once is
//! kept by the caller ([`resolve`] takes what is known), so that what was planned stays what is installed.

mod copy;
mod fetch;
mod resolve;

use std::path::PathBuf;

pub use copy::{Copied, copy};
pub use fetch::{AssetError, Fetcher};
pub use resolve::{Known, resolve, resolve_known, resolve_offline};

/// Where release files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From the hosts that publish them.
    Upstream,
    /// From a mirror at this URL, without a slash at its end.
    Mirror(String),
    /// From this folder, on the machine that runs keelson.
    Folder(PathBuf),
}

impl Origin {
    /// The URL of the file that upstream has at `path`; `None` in a folder.
    fn url(&self, path: &str) -> Option<String> {
        match self {
            Self::Upstream => Some(format!("https://{path}")),
            Self::Mirror(root) => Some(format!("{root}/{path}")),
            Self::Folder(_) => None,
        }
    }
}

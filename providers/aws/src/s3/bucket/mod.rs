//! The bucket that state is kept in, where it is one of AWS.
//!
//! | module | holds |
//! |---|---|
//! | `look` | how a bucket is |
//! | `make` | making it, and putting right what keelson made |
//! | `findings` | what someone should know of it before a run |
//!
//! Whose a bucket is says a tag, which it has from the call on that makes it. One without it is somebody's own: that is looked
//! at, and never changed. None is ever deleted.

mod findings;
mod look;
mod make;

pub use findings::{CHANGED, MISSING};

/// What says that keelson made a bucket.
const MADE: (&str, &str) = ("keelson.dev/made-for", "state-store");

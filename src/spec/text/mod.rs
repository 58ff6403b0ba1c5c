//! Text formats that only the spec knows: places, addresses, schedules, keys.
//!
//! Two kinds stand here. Values with parts of their own ([`StateStore`], [`PortRange`], …) are types. Plain strings
//! with a restricted alphabet are rows of a table, which the structural check applies wherever a field's
//! schema names them. Restricting the alphabet is what keeps shell, YAML and URL metacharacters out of everything
//! that is rendered from a spec.

pub(crate) mod aws;
pub(crate) mod formats;
mod hosts;
mod keys;
mod location;
mod ports;
mod schedule;
mod store;
mod words;

pub use location::{HttpUrl, Location};
pub use ports::PortRange;
pub use schedule::OnCalendar;
pub use store::{Bucket, StateStore};

use keelson_provider_api::values::{TEXT_FORMATS, TextFormat};

/// The format that JSON Schema calls `name`.
pub(crate) fn format_named(name: &str) -> Option<&'static TextFormat> {
    TEXT_FORMATS
        .iter()
        .chain(formats::SPEC_FORMATS)
        .find(|format| format.name == name)
}

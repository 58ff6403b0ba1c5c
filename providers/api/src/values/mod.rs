//! Small values with a text form: names, versions, address ranges, durations, sizes, digests.
//!
//! Each is parsed once, at the edge, into a type that cannot hold a wrong value. All of them share one shape
//! ([`TextValue`]), so that the spec's parser, its JSON Schema and `keelson explain` tell the same story about
//! them, from [`TEXT_FORMATS`].

mod bootstrap_token;
mod cidr;
mod digest;
mod key_algorithm;
mod name;
mod quantity;
mod secret;
mod span;
mod taint;
mod version;

pub use bootstrap_token::BootstrapToken;
pub use cidr::{Cidr, clip};
pub use digest::Digest;
pub use key_algorithm::KeyAlgorithm;
pub use name::{ClusterName, Name};
pub use quantity::Quantity;
pub use secret::Secret;
pub use span::Span;
pub use taint::{Labels, Taint, TaintEffect};
pub use version::Version;

/// A value that is written as one piece of text.
pub trait TextValue: Sized {
    /// The name under which JSON Schema knows the format, for example `cidr`.
    const FORMAT: &'static str;
    /// What a reader should write, for example "an IP address range in CIDR notation".
    const EXPECTED: &'static str;
    /// One valid value.
    const EXAMPLE: &'static str;

    /// Reads the text form.
    ///
    /// # Errors
    /// Says in a few words what is wrong with `text`; the caller adds what was expected and where it stood.
    fn parse_text(text: &str) -> Result<Self, InvalidText>;
}

/// Why a text is not a valid value: a lower-case fragment such as "`10.0.0.0/33` has a prefix over 32".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(pub String);

impl InvalidText {
    /// Wraps a lower-case fragment.
    pub fn new(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

/// One row of [`TEXT_FORMATS`]: a text format as the spec's checker sees it.
#[derive(Debug, Clone, Copy)]
pub struct TextFormat {
    /// The format's name in JSON Schema.
    pub name: &'static str,
    /// What a reader should write.
    pub expected: &'static str,
    /// One valid value.
    pub example: &'static str,
    /// Tells what is wrong with a text, if anything is.
    pub check: fn(&str) -> Result<(), InvalidText>,
}

impl TextFormat {
    /// The format of a text value.
    pub const fn of<T: TextValue>() -> Self {
        Self {
            name: T::FORMAT,
            expected: T::EXPECTED,
            example: T::EXAMPLE,
            check: |text| T::parse_text(text).map(|_| ()),
        }
    }
}

/// Every text format of this crate's values, by the name that JSON Schema gives it.
pub const TEXT_FORMATS: &[TextFormat] = &[
    TextFormat::of::<Cidr>(),
    TextFormat::of::<ClusterName>(),
    TextFormat::of::<Digest>(),
    TextFormat::of::<Name>(),
    TextFormat::of::<Quantity>(),
    TextFormat::of::<Span>(),
    TextFormat::of::<Version>(),
];

/// Gives a [`TextValue`] the traits that go with a text form: `FromStr`, serde and JSON Schema. The crate that uses
/// it depends on `serde` and `schemars`.
#[macro_export]
macro_rules! text_value {
    ($type:ident) => {
        impl std::str::FromStr for $type {
            type Err = $crate::values::InvalidText;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                <Self as $crate::values::TextValue>::parse_text(text)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                <Self as $crate::values::TextValue>::parse_text(&text).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                use $crate::values::TextValue;
                schemars::json_schema!({
                    "type": "string",
                    "format": Self::FORMAT,
                    "examples": [Self::EXAMPLE],
                })
            }
        }
    };
}
pub use text_value;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_accepts_its_own_example_and_refuses_rubbish() {
        for format in TEXT_FORMATS {
            assert_eq!((format.check)(format.example), Ok(()), "{}", format.name);
            for rubbish in ["", " ", "$(reboot)", "a b", "\u{0}", "'", "é"] {
                assert!(
                    (format.check)(rubbish).is_err(),
                    "{} accepts {rubbish:?}",
                    format.name
                );
            }
        }
    }
}

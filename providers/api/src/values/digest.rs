//! SHA-256 digests.

use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::cidr::clip;
use super::{InvalidText, TextValue, text_value};

/// A SHA-256 digest, written as `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// A digest that was computed elsewhere.
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest of `bytes`.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of `value`'s JSON form. Equal values have equal digests as long as their maps are ordered, which
    /// those of this crate are.
    pub fn of_json<T: Serialize + ?Sized>(value: &T) -> Self {
        struct Sink(Sha256);
        impl std::io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.update(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut sink = Sink(Sha256::new());
        // A value that has no JSON form (a map with keys that are no strings) still gets a digest of its own.
        if let Err(problem) = serde_json::to_writer(&mut sink, value) {
            sink.0.update(problem.to_string());
        }
        Self(sink.0.finalize().into())
    }

    /// The first `count` hexadecimal digits: enough to tell two apart for a reader, never to identify one.
    pub fn short(self, count: usize) -> String {
        self.hexadecimal().chars().take(count).collect()
    }

    /// The first eight bytes as a number, for seeding.
    pub fn as_seed(self) -> u64 {
        self.0
            .iter()
            .take(8)
            .fold(0, |seed, &byte| (seed << 8) | u64::from(byte))
    }

    /// Its bytes.
    pub const fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// The 64 hexadecimal digits, as `sha256sum` prints them.
    pub fn hexadecimal(self) -> String {
        use fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.hexadecimal())
    }
}

impl TextValue for Digest {
    const FORMAT: &'static str = "digest";
    const EXPECTED: &'static str = "a SHA-256 digest: sha256: and 64 hexadecimal digits";
    const EXAMPLE: &'static str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parse_text(text: &str) -> Result<Self, InvalidText> {
        let wrong = || InvalidText::new(format!("`{}` is not a SHA-256 digest", clip(text)));
        let is_digits = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_digits(text) {
            return Err(InvalidText::new(format!(
                "`{}` lacks `sha256:` in front",
                clip(text)
            )));
        }
        let digits = text.strip_prefix("sha256:").ok_or_else(wrong)?;
        if !is_digits(digits) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let pair = digits.get(2 * index..2 * index + 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

text_value!(Digest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        assert_eq!(Digest::of_bytes(b"").to_string(), Digest::EXAMPLE);
        assert_eq!(Digest::EXAMPLE.parse::<Digest>().unwrap(), Digest::of_bytes(b""));
    }

    #[test]
    fn json_digest_is_the_digest_of_the_json_text() {
        assert_eq!(Digest::of_json(&[1, 2]), Digest::of_bytes(b"[1,2]"));
    }
}

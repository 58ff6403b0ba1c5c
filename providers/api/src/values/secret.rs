//! Values that nobody is to read by accident.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// A private key, a passphrase, a token. It prints as `[secret]`, has no serialised form, and its memory is
/// overwritten when it is dropped. Who needs the value says so: [`expose`](Self::expose).
///
/// There is no comparison: one that stops at the first difference tells an attacker how far a guess was right.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Keeps `value` secret from here on. Copies that were made before are not reached.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value. What is made from it is the caller's to keep secret.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret))
                .matches("hunter2")
                .count(),
            0
        );
        assert_eq!(secret.expose(), "hunter2");
    }
}

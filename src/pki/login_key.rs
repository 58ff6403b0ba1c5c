//! The key with which keelson logs in on the machines that it makes.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keelson_provider_api::values::{KeyAlgorithm, Secret};

use super::error::PkiError;
use super::keys::PrivateKey;

/// How OpenSSH calls such a key, and the curve that it is on (RFC 5656, 3.1 and 6.2.1).
const KIND: &str = "ecdsa-sha2-nistp256";
const CURVE: &str = "nistp256";

/// A cluster's own key of ssh, for machines that keelson makes. It is one of ECDSA whatever other keys are: OpenSSH reads that
/// in PKCS#8, which it does not for Ed25519.
#[derive(Debug)]
pub struct LoginKey {
    private: PrivateKey,
}

impl LoginKey {
    /// Makes one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn create() -> Result<Self, PkiError> {
        let private = PrivateKey::generate(KeyAlgorithm::EcdsaP256, "logins")?;
        Ok(Self { private })
    }

    /// Reads one.
    ///
    /// # Errors
    /// When there is no private key of ECDSA on P-256 in `pem`.
    pub fn from_pem(pem: &Secret<String>) -> Result<Self, PkiError> {
        let private = PrivateKey::from_pem(pem, "logins")?;
        if !private.is_ecdsa_p256() {
            return Err(PkiError::Key {
                what: "logins".to_owned(),
                problem: "it is no key of ECDSA on P-256".to_owned(),
            });
        }
        Ok(Self { private })
    }

    /// The key as ssh reads it from a file, PKCS#8 in PEM.
    pub fn private_pem(&self) -> &Secret<String> {
        self.private.pem()
    }

    /// The public half, as a line of `authorized_keys` without a comment.
    pub fn authorized_key(&self) -> String {
        let parts = [KIND.as_bytes(), CURVE.as_bytes(), self.private.public_bits()];
        // Each part with its length before it (RFC 4251, 5, "string").
        let mut blob = Vec::new();
        for part in parts {
            blob.extend(u32::try_from(part.len()).unwrap_or_default().to_be_bytes());
            blob.extend(part);
        }
        format!("{KIND} {}", BASE64_STANDARD.encode(blob))
    }
}

//! Private keys.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keelson_provider_api::values::{BootstrapToken, KeyAlgorithm, Secret};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize};
use zeroize::Zeroizing;

use super::error::PkiError;

/// A private key: as the library signs with it, and as its owner wrote it.
pub(super) struct PrivateKey {
    pair: Secret<KeyPair>,
    pem: Secret<String>,
}

impl PrivateKey {
    /// Makes a key.
    pub(super) fn generate(algorithm: KeyAlgorithm, what: &str) -> Result<Self, PkiError> {
        let made = match algorithm {
            KeyAlgorithm::EcdsaP256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            KeyAlgorithm::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
            KeyAlgorithm::Rsa4096 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
        };
        let pair = made.map_err(|source| PkiError::Make {
            what: format!("the private key of {what}"),
            source,
        })?;
        Ok(Self {
            pem: Secret::new(pair.serialize_pem()),
            pair: Secret::new(pair),
        })
    }

    /// Reads a key as kubeadm and openssl write them: PKCS#8, PKCS#1 or SEC 1, in PEM, not encrypted. What stands
    /// beside it, such as the `EC PARAMETERS` of `openssl ecparam`, is passed over.
    pub(super) fn from_pem(pem: &Secret<String>, what: &str) -> Result<Self, PkiError> {
        let unreadable = |problem: &str| PkiError::Key {
            what: what.to_owned(),
            problem: problem.to_owned(),
        };
        let text = pem.expose();
        if text.contains("BEGIN ENCRYPTED") || text.contains("4,ENCRYPTED") {
            return Err(unreadable("it is encrypted; decrypt it first"));
        }
        let blocks = pem::parse_many(text).map_err(|problem| unreadable(&problem.to_string()))?;
        let block = blocks
            .into_iter()
            .find(|block| block.tag().ends_with("PRIVATE KEY"));
        let block = block.ok_or_else(|| unreadable("there is no `PRIVATE KEY` in PEM"))?;
        let contents = Secret::new(block.into_contents());
        let pair = KeyPair::try_from(contents.expose().as_slice())
            .map_err(|_| unreadable("it is no key of ECDSA, RSA or Ed25519"))?;
        Ok(Self {
            pair: Secret::new(pair),
            pem: pem.clone(),
        })
    }

    /// The key as the library knows it.
    pub(super) fn pair(&self) -> &KeyPair {
        self.pair.expose()
    }

    /// The key, PEM.
    pub(super) fn pem(&self) -> &Secret<String> {
        &self.pem
    }

    /// The public half as it stands in certificates.
    pub(super) fn public_bits(&self) -> &[u8] {
        self.pair().der_bytes()
    }

    /// True for a key of ECDSA on P-256.
    pub(super) fn is_ecdsa_p256(&self) -> bool {
        self.pair().is_compatible(&PKCS_ECDSA_P256_SHA256)
    }

    /// The public half, PEM.
    pub(super) fn public_pem(&self) -> String {
        self.pair().public_key_pem()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("PrivateKey").field(&self.pem).finish()
    }
}

/// How many bytes a key of secretbox and of AES-256 has.
const RANDOM_KEY_BYTES: usize = 32;

/// A key of random bytes, in base64.
pub(super) fn random_key(what: &str) -> Result<Secret<String>, PkiError> {
    let mut bytes = Zeroizing::new([0; RANDOM_KEY_BYTES]);
    aws_lc_rs::rand::fill(bytes.as_mut_slice()).map_err(|_| PkiError::Random {
        what: format!("the key of {what}"),
    })?;
    Ok(Secret::new(BASE64_STANDARD.encode(*bytes)))
}

/// A bootstrap token that nobody guesses.
pub(super) fn random_token() -> Result<BootstrapToken, PkiError> {
    let made = BootstrapToken::create(|bytes| aws_lc_rs::rand::fill(bytes).is_ok());
    made.ok_or_else(|| PkiError::Random {
        what: "a bootstrap token".to_owned(),
    })
}

/// True for what [`random_key`] makes.
pub(super) fn is_random_key(key: &Secret<String>) -> bool {
    let bytes = BASE64_STANDARD.decode(key.expose()).map(Zeroizing::new);
    bytes.is_ok_and(|bytes| bytes.len() == RANDOM_KEY_BYTES)
}

/// The key pair that service-account tokens are signed and checked with.
#[derive(Debug)]
pub struct ServiceAccountKey {
    private: PrivateKey,
}

impl ServiceAccountKey {
    /// Makes one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn create(algorithm: KeyAlgorithm) -> Result<Self, PkiError> {
        let private = PrivateKey::generate(algorithm, "service accounts")?;
        Ok(Self { private })
    }

    /// Reads one.
    ///
    /// # Errors
    /// When there is no private key in `pem`.
    pub fn from_pem(pem: &Secret<String>) -> Result<Self, PkiError> {
        let private = PrivateKey::from_pem(pem, "service accounts")?;
        Ok(Self { private })
    }

    /// `sa.key`.
    pub fn private_pem(&self) -> &Secret<String> {
        self.private.pem()
    }

    /// `sa.pub`.
    pub fn public_pem(&self) -> String {
        self.private.public_pem()
    }
}

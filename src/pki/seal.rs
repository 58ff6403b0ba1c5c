//! How what is kept is encrypted, and opened: files of age, <https://age-encryption.org/v1>, which the program `age`
//! opens too.

use std::fmt;
use std::io::{Read, Write};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor, scrypt, x25519};
use keelson_provider_api::StoreError;
use keelson_provider_api::values::Secret;

use super::error::PkiError;

/// How what is kept is encrypted, and what opens it.
pub struct Seal {
    close: Close,
    passphrase: Option<Secret<String>>,
    identities: Vec<x25519::Identity>,
}

enum Close {
    Not,
    ToRecipients(Vec<x25519::Recipient>),
    WithPassphrase,
}

/// The work to try one passphrase: 2^17 blocks of scrypt, 128 MiB, as OWASP's cheat sheet for passwords has it. `age`
/// takes as much as a second allows, but keelson opens five objects one after the other.
const WORK_LOG2: u8 = 17;
/// The most work that is done to open something: a gigabyte. More is no file of keelson's or of `age -p`.
pub(super) const WORK_LIMIT_LOG2: u8 = 20;

const BEGINNINGS: [&[u8]; 2] = [b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"];

/// An object in the store, for messages.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) path: &'a str,
    pub(super) location: &'a str,
}

impl Object<'_> {
    pub(super) fn damaged(&self, problem: impl Into<String>) -> PkiError {
        PkiError::Store(StoreError::Damaged {
            path: self.path.to_owned(),
            location: self.location.to_owned(),
            problem: problem.into(),
        })
    }
}

impl Seal {
    /// No encryption.
    pub fn none() -> Self {
        Self {
            close: Close::Not,
            passphrase: None,
            identities: Vec::new(),
        }
    }

    /// Encryption to recipients, `age1…`. To open it, give [identities](Self::with_identities).
    ///
    /// # Errors
    /// When there is none, or one is no recipient of age.
    pub fn to_recipients(recipients: &[String]) -> Result<Self, PkiError> {
        let read = |text: &String| {
            text.parse().map_err(|problem: &str| PkiError::Encrypt {
                problem: format!("`{text}` is not a recipient of age: {problem}"),
            })
        };
        let recipients: Vec<_> = recipients.iter().map(read).collect::<Result<_, _>>()?;
        if recipients.is_empty() {
            return Err(PkiError::Encrypt {
                problem: "there is no recipient".to_owned(),
            });
        }
        Ok(Self {
            close: Close::ToRecipients(recipients),
            passphrase: None,
            identities: Vec::new(),
        })
    }

    /// Encryption with a passphrase. To close and to open, give [one](Self::and_passphrase).
    pub fn with_passphrase() -> Self {
        Self {
            close: Close::WithPassphrase,
            passphrase: None,
            identities: Vec::new(),
        }
    }

    /// The same, with a passphrase: what was closed with it earlier can be opened however things are closed now. An empty one
    /// is none.
    #[must_use]
    pub fn and_passphrase(mut self, passphrase: Option<Secret<String>>) -> Self {
        self.passphrase = passphrase.filter(|passphrase| !passphrase.expose().is_empty());
        self
    }

    /// The same, with the identities in the text of an identity file: a line each, `AGE-SECRET-KEY-1…`, with empty
    /// lines and comments between.
    ///
    /// # Errors
    /// When a line is neither.
    pub fn with_identities(mut self, file: &Secret<String>) -> Result<Self, PkiError> {
        for (number, line) in (1..).zip(file.expose().lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let identity = line.parse().map_err(|problem| PkiError::Identity {
                line: number,
                problem,
            })?;
            self.identities.push(identity);
        }
        Ok(self)
    }

    /// True when nothing may be kept that is not encrypted.
    pub fn is_encrypting(&self) -> bool {
        !matches!(self.close, Close::Not)
    }

    /// Makes sure that what is closed from now on can be opened again.
    ///
    /// # Errors
    /// [`PkiError::NothingOpens`] when what that takes was not given.
    pub fn check_opens(&self) -> Result<(), PkiError> {
        let refused = |with_passphrase, problem| {
            Err(PkiError::NothingOpens {
                with_passphrase,
                problem,
            })
        };
        match &self.close {
            Close::WithPassphrase if self.passphrase.is_none() => refused(true, "no passphrase was given"),
            Close::ToRecipients(_) if self.identities.is_empty() => {
                refused(false, "no age identity of one of the recipients was given")
            }
            Close::ToRecipients(recipients) => {
                let mut own = self
                    .identities
                    .iter()
                    .map(|identity| identity.to_public().to_string());
                if own.any(|own| recipients.iter().any(|recipient| recipient.to_string() == own)) {
                    Ok(())
                } else {
                    refused(false, "none of the given age identities is one of a recipient")
                }
            }
            Close::Not | Close::WithPassphrase => Ok(()),
        }
    }

    /// What encrypts; `None` where nothing is to be encrypted.
    pub(super) fn encryptor(&self) -> Result<Option<Encryptor>, PkiError> {
        let encryptor = match &self.close {
            Close::Not => return Ok(None),
            Close::ToRecipients(recipients) => {
                Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as _))
            }
            Close::WithPassphrase => {
                let passphrase = self.passphrase.as_ref();
                let passphrase =
                    passphrase.ok_or_else(|| not_encrypted("no passphrase was given".to_owned()))?;
                let mut recipient = scrypt::Recipient::new(for_age(passphrase));
                recipient.set_work_factor(WORK_LOG2);
                Encryptor::with_recipients(std::iter::once(&recipient as _))
            }
        };
        encryptor
            .map(Some)
            .map_err(|problem| not_encrypted(problem.to_string()))
    }

    /// The passphrase, where one was given.
    pub(super) fn passphrase(&self) -> Option<&Secret<String>> {
        self.passphrase.as_ref()
    }

    /// The identities that were given.
    pub(super) fn identities(&self) -> &[x25519::Identity] {
        &self.identities
    }

    /// What is to be kept for `content`.
    pub(super) fn close(&self, content: &[u8]) -> Result<Vec<u8>, PkiError> {
        let Some(encryptor) = self.encryptor()? else {
            return Ok(content.to_vec());
        };
        let write = || {
            let armored = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
            let mut writer = encryptor.wrap_output(armored)?;
            writer.write_all(content)?;
            writer.finish()?.finish()
        };
        write().map_err(|problem: std::io::Error| not_encrypted(problem.to_string()))
    }

    /// True for what looks encrypted, by whomever.
    pub(super) fn has_closed(content: &[u8]) -> bool {
        BEGINNINGS.iter().any(|beginning| content.starts_with(beginning))
    }

    /// What was kept. `None` stands for content that is not encrypted.
    pub(super) fn open(
        &self,
        content: &[u8],
        object: Object<'_>,
    ) -> Result<Option<Secret<Vec<u8>>>, PkiError> {
        if !Self::has_closed(content) {
            return Ok(None);
        }
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(content))
            .map_err(|problem| object.damaged(problem.to_string()))?;
        let by_passphrase = decryptor.is_scrypt();
        let refused = |problem| refusal(&problem, by_passphrase, object);
        let mut reader = if by_passphrase {
            let Some(passphrase) = &self.passphrase else {
                return Err(locked(object, "the passphrase that it was encrypted with"));
            };
            let mut identity = scrypt::Identity::new(for_age(passphrase));
            identity.set_max_work_factor(WORK_LIMIT_LOG2);
            decryptor
                .decrypt(std::iter::once(&identity as _))
                .map_err(refused)?
        } else {
            if self.identities.is_empty() {
                return Err(locked(object, "an age identity of one of its recipients"));
            }
            decryptor
                .decrypt(self.identities.iter().map(|identity| identity as _))
                .map_err(refused)?
        };
        let mut opened = Vec::with_capacity(content.len());
        let read = reader.read_to_end(&mut opened);
        let opened = Secret::new(opened);
        read.map_err(|problem| object.damaged(problem.to_string()))?;
        Ok(Some(opened))
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let close = match &self.close {
            Close::Not => "none",
            Close::ToRecipients(_) => "to recipients",
            Close::WithPassphrase => "with a passphrase",
        };
        write!(formatter, "Seal({close}, {} identities)", self.identities.len())
    }
}

fn not_encrypted(problem: String) -> PkiError {
    PkiError::Encrypt { problem }
}

pub(super) fn for_age(passphrase: &Secret<String>) -> SecretString {
    SecretString::from(passphrase.expose().clone())
}

pub(super) fn locked(object: Object<'_>, needed: &'static str) -> PkiError {
    PkiError::Locked {
        path: object.path.to_owned(),
        location: object.location.to_owned(),
        needed,
    }
}

/// A file that was damaged where it holds the wrapped key looks like one for somebody else; both leave it alone.
pub(super) fn refusal(problem: &DecryptError, by_passphrase: bool, object: Object<'_>) -> PkiError {
    let is_wrong_key = match problem {
        DecryptError::NoMatchingKeys => true,
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => by_passphrase,
        _ => false,
    };
    if !is_wrong_key {
        return object.damaged(problem.to_string());
    }
    PkiError::WrongKey {
        path: object.path.to_owned(),
        location: object.location.to_owned(),
        given: if by_passphrase {
            "the given passphrase"
        } else {
            "any of the given age identities"
        },
    }
}

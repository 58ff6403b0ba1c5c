//! Encryption of what is too large to hold as a whole: the same files of age, in binary, piece by piece.

use std::io::{self, Write};

use age::stream::{StreamReader, StreamWriter};
use age::{Decryptor, scrypt};
use futures_util::io::{AsyncRead, AsyncReadExt};

use super::error::PkiError;
use super::seal::{Object, Seal, WORK_LIMIT_LOG2, for_age, locked, refusal};

/// Encrypts what is written to it, or passes it on where nothing is to be encrypted.
pub enum SealingWriter<W: Write> {
    /// As it is.
    Plain(W),
    /// Encrypted.
    Sealed(StreamWriter<W>),
}

impl<W: Write> SealingWriter<W> {
    /// Ends it. What is not ended this way cannot be opened.
    ///
    /// # Errors
    /// When the last of it cannot be written.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(output) => Ok(output),
            Self::Sealed(writer) => writer.finish(),
        }
    }
}

impl<W: Write> Write for SealingWriter<W> {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(output) => output.write(content),
            Self::Sealed(writer) => writer.write(content),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.flush(),
            Self::Sealed(writer) => writer.flush(),
        }
    }
}

/// Reads what a [`SealingWriter`] has written.
pub enum OpeningReader<R: AsyncRead + Unpin> {
    /// As it is.
    Plain(R),
    /// Encrypted.
    Sealed(StreamReader<R>),
}

impl<R: AsyncRead + Unpin> OpeningReader<R> {
    /// Reads some bytes; 0 at the end. What was cut off before its end, or altered, is an error.
    ///
    /// # Errors
    /// When it cannot be read, or is not what was written.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(input) => input.read(buffer).await,
            Self::Sealed(reader) => reader.read(buffer).await,
        }
    }
}

impl Seal {
    /// Encrypts what is written to it, as everything is encrypted, and writes that to `output`.
    ///
    /// # Errors
    /// When it takes a passphrase that was not given, or `output` cannot be written.
    pub fn writer<W: Write>(&self, output: W) -> Result<SealingWriter<W>, PkiError> {
        let Some(encryptor) = self.encryptor()? else {
            return Ok(SealingWriter::Plain(output));
        };
        let writer = encryptor
            .wrap_output(output)
            .map_err(|problem| PkiError::Encrypt {
                problem: problem.to_string(),
            })?;
        Ok(SealingWriter::Sealed(writer))
    }

    /// Opens what is read from `input`, which was encrypted as `is_sealed` says. `path` and `location` say where it lies.
    ///
    /// # Errors
    /// [`PkiError`] when what opens it was not given, or it is no such file.
    pub async fn reader<R: AsyncRead + Unpin>(
        &self,
        input: R,
        is_sealed: bool,
        path: &str,
        location: &str,
    ) -> Result<OpeningReader<R>, PkiError> {
        if !is_sealed {
            return Ok(OpeningReader::Plain(input));
        }
        let object = Object { path, location };
        let decryptor = Decryptor::new_async(input)
            .await
            .map_err(|problem| object.damaged(problem.to_string()))?;
        let by_passphrase = decryptor.is_scrypt();
        let refused = |problem| refusal(&problem, by_passphrase, object);
        let reader = if by_passphrase {
            let passphrase = self
                .passphrase()
                .ok_or_else(|| locked(object, "the passphrase that it was encrypted with"))?;
            let mut identity = scrypt::Identity::new(for_age(passphrase));
            identity.set_max_work_factor(WORK_LIMIT_LOG2);
            decryptor
                .decrypt_async(std::iter::once(&identity as _))
                .map_err(refused)?
        } else {
            if self.identities().is_empty() {
                return Err(locked(object, "an age identity of one of its recipients"));
            }
            decryptor
                .decrypt_async(self.identities().iter().map(|identity| identity as _))
                .map_err(refused)?
        };
        Ok(OpeningReader::Sealed(reader))
    }
}

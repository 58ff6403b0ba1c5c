//! Where state is kept: small objects under slash-separated paths, with compare-and-swap.

use async_trait::async_trait;

use crate::Finding;

/// A place for state: a directory, a bucket, memory.
#[async_trait]
pub trait Store: Send + Sync {
    /// Where the store is, for messages, for example `s3://example-clusters`.
    fn location(&self) -> String;

    /// Reads the object at `path`; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn read(&self, path: &str) -> Result<Option<Versioned>, StoreError>;

    /// Writes `content` at `path` if `precondition` holds, and gives the object's new version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the precondition does not hold; nothing was written then.
    async fn write(
        &self,
        path: &str,
        content: &[u8],
        precondition: Precondition,
    ) -> Result<ObjectVersion, StoreError>;

    /// Deletes the object at `path` if `precondition` holds. What is not there has no version: deleting it succeeds without
    /// a precondition and when it is to be absent, and is a conflict when it is to have a version. What was deleted stays
    /// away, also after a power cut.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the precondition does not hold; nothing was deleted then.
    async fn delete(&self, path: &str, precondition: Precondition) -> Result<(), StoreError>;

    /// Makes what the store is in, if that is the store's to make: a bucket that is not there, which until then is empty. Asked by
    /// a run that is going to build, before it writes anything; done twice it changes nothing.
    ///
    /// # Errors
    /// When it cannot be made.
    async fn prepare(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Looks for what someone should know of the store before it is written to, or what stands in the way of that. Nothing is
    /// touched. These findings name no machine.
    async fn preflight(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// Makes sure that the store keeps what it is asked for by a [`Precondition`]: where two runs could both take a lease, no
    /// cluster may begin. Asked once in the life of a cluster, before anything of it is written.
    ///
    /// # Errors
    /// When it does not, or that cannot be tried out.
    async fn check_conditions(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The paths of all objects that begin with `prefix`, in order. What cannot be read elsewhere in the store is no matter.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;
}

/// The version of an object: changes with every write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion(pub String);

/// An object's content and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The content.
    pub content: Vec<u8>,
    /// The version, for the precondition of the next write.
    pub version: ObjectVersion,
}

/// What must hold for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// There is no object yet.
    Absent,
    /// The object is still the one that was read.
    Version(ObjectVersion),
    /// Nothing: the last writer wins.
    None,
}

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Someone else wrote in between, or the object exists already.
    #[error("{path} in {location} was changed by someone else")]
    Conflict {
        /// The object.
        path: String,
        /// The store.
        location: String,
    },
    /// The store could not be reached, read or written.
    #[error("cannot {verb} {} in {location}", if path.is_empty() { "what lies" } else { path.as_str() })]
    Unavailable {
        /// `read`, `write`, `delete` or `list`.
        verb: &'static str,
        /// The object.
        path: String,
        /// The store.
        location: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored cannot be understood. It is left as it is.
    #[error("{path} in {location} is damaged: {problem}")]
    Damaged {
        /// The object.
        path: String,
        /// The store.
        location: String,
        /// What is wrong with it.
        problem: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_done_with_all_of_a_store_is_told_in_words() {
        for (path, told) in [
            ("", "cannot list what lies in c:/var/lib/keelson/backups"),
            ("x/y", "cannot list x/y in c:/var/lib/keelson/backups"),
        ] {
            let error = StoreError::Unavailable {
                verb: "list",
                path: path.to_owned(),
                location: "c:/var/lib/keelson/backups".to_owned(),
                source: "it does not answer".into(),
            };
            assert_eq!(error.to_string(), told);
        }
    }
}

//! Why something about certificates did not work.

use jiff::Timestamp;
use keelson_provider_api::StoreError;

use super::table::AuthorityName;

/// Why something about certificates did not work.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A certificate cannot be read.
    #[error("cannot read the certificate of {what}: {problem}")]
    Certificate {
        /// Whose certificate it is.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A private key cannot be read.
    #[error("cannot read the private key of {what}: {problem}")]
    Key {
        /// Whose key it is.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A key or a certificate could not be made.
    #[error("cannot make {what}")]
    Make {
        /// What was to be made.
        what: String,
        /// Why not.
        source: rcgen::Error,
    },
    /// Random numbers could not be had.
    #[error("cannot make {what}: the system gives no random numbers")]
    Random {
        /// What was to be made.
        what: String,
    },
    /// The certificate that was given for an authority is none of an authority, or not of one that works.
    #[error("`{subject}` cannot be the {authority} authority: {problem}")]
    Unsuitable {
        /// Which authority it was given for.
        authority: AuthorityName,
        /// The certificate's subject.
        subject: String,
        /// What keeps it from being one.
        problem: String,
    },
    /// An authority's time is over, or nearly over for a new cluster.
    #[error("the {authority} authority ends at {end}: give it a certificate that lasts longer")]
    Ends {
        /// The authority.
        authority: AuthorityName,
        /// When it ends, or ended.
        end: Timestamp,
    },
    /// The key of an authority is not known, so it cannot sign.
    #[error(
        "keelson has no key of the {authority} authority, so it cannot issue {}: have its owner issue them and put \
         them there, or give keelson the key",
        files.join(", ")
    )]
    NoKey {
        /// The authority.
        authority: AuthorityName,
        /// The missing certificates: what, on which machine, in which files.
        files: Vec<String>,
    },
    /// A certificate is to be signed by another authority than the one that was given.
    #[error("{certificate} is signed by the {wanted} authority, not by {given}")]
    OtherSigner {
        /// The certificate.
        certificate: String,
        /// Who signs it.
        wanted: AuthorityName,
        /// Who was to sign it.
        given: AuthorityName,
    },
    /// The cluster has another authority than the one that was given.
    #[error(
        "the cluster's {authority} authority has the key {kept}, the one that was given has {given}: an authority is \
         not replaced by naming another, because every machine still trusts the first; give that one"
    )]
    OtherAuthority {
        /// Which authority it is.
        authority: AuthorityName,
        /// The fingerprint of the cluster's.
        kept: String,
        /// The fingerprint of the given one.
        given: String,
    },
    /// The cluster has an authority that its owner brought, and the spec does not name it.
    #[error(
        "the cluster began with a {authority} authority that its owner brought, and the spec does not name that any more: no \
         other takes its place, because every machine still trusts it; its key is {kept}"
    )]
    NotNamed {
        /// Which authority it is.
        authority: AuthorityName,
        /// The fingerprint of the cluster's.
        kept: String,
    },
    /// What is to be kept from now on could not be opened again.
    #[error("the spec asks to encrypt the cluster's keys, and {problem}")]
    NothingOpens {
        /// True where a passphrase opens them, false where an age identity does.
        with_passphrase: bool,
        /// What keeps them from being opened.
        problem: &'static str,
    },
    /// What is kept is encrypted and should not be.
    #[error(
        "{path} in {location} is encrypted, although the spec asks for none: what a cluster began with stays as it is"
    )]
    StaysEncrypted {
        /// The object.
        path: String,
        /// The store.
        location: String,
    },
    /// What is kept is encrypted and nothing was given that opens it.
    #[error("{path} in {location} is encrypted: give {needed}")]
    Locked {
        /// The object.
        path: String,
        /// The store.
        location: String,
        /// What opens it.
        needed: &'static str,
    },
    /// What is kept is encrypted and what was given does not open it.
    #[error("{path} in {location} is encrypted, and not for {given}")]
    WrongKey {
        /// The object.
        path: String,
        /// The store.
        location: String,
        /// What was given.
        given: &'static str,
    },
    /// What is kept should be encrypted and is not.
    #[error(
        "{path} in {location} is not encrypted, although the spec asks for encryption: whoever could read it so far \
         may have a copy; encrypt what is kept before going on, or take the encryption out of the spec"
    )]
    NotEncrypted {
        /// The object.
        path: String,
        /// The store.
        location: String,
    },
    /// Something cannot be written in the form that it is to be kept in.
    #[error("cannot encrypt the cluster's keys: {problem}")]
    Encrypt {
        /// Why not.
        problem: String,
    },
    /// What was given to open keys with cannot be read.
    #[error("line {line} of the given age identities is none: {problem}")]
    Identity {
        /// Which line it is, from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A kubeconfig has no YAML form.
    #[error("cannot write the kubeconfig of {user}: {problem}")]
    Kubeconfig {
        /// Whose it is.
        user: String,
        /// Why not.
        problem: String,
    },
    /// The state store did not do what was asked, or what it holds is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

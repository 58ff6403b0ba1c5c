//! keelson's certificates: authorities, the table of all certificates, issuing, inspecting, keeping.
//!
//! ```text
//!  table (rows) + ClusterFacts + MachineFacts --> Requirement --issue--> IssuedCertificate --> a machine
//!                                                     |                                          |
//!                                                     +----------------- judge <-----------------+
//!                                                                          |
//!                                                                       Verdict
//! ```
//!
//! A [`Requirement`] is a value: what a certificate is to be. [`issue()`] makes one, [`judge`] tells whether one that
//! was found is it. Time comes in as an argument; nothing here reads a clock, the environment or a file. Random numbers
//! come from the system, for keys, serial numbers and encryption alone.
//!
//! [`ClusterPki`] keeps a cluster's authorities, its service-account key, the key that Secrets are encrypted with, the one that
//! keelson logs in with on machines that it makes, and the token that machines of groups join with, in the state store, each made
//! once.

mod authority;
mod certificate;
mod check;
mod der;
mod error;
mod facts;
mod issue;
mod kept;
mod keys;
mod kubeconfig;
mod login_key;
mod opened;
mod requirement;
mod seal;
mod sealed_stream;
pub mod table;
mod verdict;

pub use authority::Authority;
pub use certificate::Certificate;
pub use check::{CertificateRecord, LookedFor, Renewals, check_certificates};
pub use error::PkiError;
pub use facts::{ClusterFacts, Layout, MachineFacts, SubjectName, Terms};
pub use issue::{IssuedCertificate, check_can_issue, issue};
pub use kept::{ClusterPki, ENCRYPTION, JOINING, LOGIN, SERVICE_ACCOUNT, kept_paths, object_path};
pub use keys::ServiceAccountKey;
pub use kubeconfig::Kubeconfig;
pub use login_key::LoginKey;
pub use opened::Opened;
pub use requirement::{Place, Requirement};
pub use seal::Seal;
pub use sealed_stream::{OpeningReader, SealingWriter};
pub use table::{AuthorityName, Usage};
pub use verdict::{Renewal, Verdict, judge};

/// The group of keelson's administrators. What it may do is a binding's, so it can be taken away again.
pub const ADMINISTRATORS_GROUP: &str = "keelson:cluster-admins";

/// The group of those who keep routes between nodes: they may see nodes and nothing else.
pub const ROUTES_GROUP: &str = "keelson:routes";

/// The group of those who approve what machines ask for that join by themselves.
pub const APPROVERS_GROUP: &str = "keelson:approvers";

/// The group that the API server lets do everything, before and without any binding: for repairs when bindings are
/// broken. <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings>
pub const BREAK_GLASS_GROUP: &str = "system:masters";

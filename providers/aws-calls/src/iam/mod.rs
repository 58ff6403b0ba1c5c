//! Roles, instance profiles, policies, providers of OpenID Connect.
//!
//! IAM is the same in all regions, and what was changed shows everywhere only after a while
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>); nothing waits
//! here. Everything of a cluster has a path of its own, `/keelson/UID/`, by which it is listed ([`path_of`]); providers of
//! OpenID Connect have none, and are found by their mark.

mod document;
mod oidc;
mod policies;
mod profiles;
mod roles;

use aws_sdk_iam::Client;
use aws_sdk_iam::types::Tag;

use crate::failure::CallError;
use crate::mark::Tags;
use crate::settings::Clients;

pub use oidc::{NewOidcProvider, OidcProvider};
pub use profiles::{InstanceProfile, NewInstanceProfile};
pub use roles::{NewRole, Role};

/// Roles, instance profiles, policies, providers of OpenID Connect.
#[derive(Debug, Clone)]
pub struct Iam {
    clients: Clients<Client>,
}

impl Iam {
    pub(crate) fn new(clients: Clients<Client>) -> Self {
        Self { clients }
    }
}

/// What is listed of a role or an instance profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name, one in the account.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
}

/// The path of everything that belongs to the cluster `uid`.
pub fn path_of(uid: &str) -> String {
    format!("/keelson/{uid}/")
}

/// Says no to what is no whole path: a part of one would find what belongs to others.
fn check_path(action: &'static str, path: &str) -> Result<(), CallError> {
    if path.len() > 1 && path.starts_with('/') && path.ends_with('/') {
        return Ok(());
    }
    let problem = format!("`{path}` is no path: it begins and ends with a slash, and has a name between");
    Err(CallError::unsent(action, problem))
}

/// Tags as IAM takes them.
fn written(action: &'static str, tags: &Tags) -> Result<Option<Vec<Tag>>, CallError> {
    let one = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    let all = tags.iter().map(one).collect::<Result<Vec<_>, _>>();
    all.map(Some).map_err(|error| CallError::unsent(action, error))
}

fn read(tags: Option<Vec<Tag>>) -> Tags {
    let tags = tags.unwrap_or_default();
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_paths_are_listed() {
        let cases = [
            (path_of("u1"), true),
            ("/keelson/u1".to_owned(), false),
            ("keelson/u1/".to_owned(), false),
            ("/".to_owned(), false),
            (String::new(), false),
        ];
        for (path, is_whole) in cases {
            assert_eq!(check_path("ListRoles", &path).is_ok(), is_whole, "{path}");
        }
    }
}

//! What whoever runs keelson must be allowed in the account: the least policy of IAM for given changes.
//!
//! | module | holds |
//! |---|---|
//! | `table` | for each kind, the actions that looking, creating, updating and deleting call, and on what; `edge_table` those of the edge, `groups_table` those of groups, `leftover_table` those of what controllers made |
//! | `row` | what a row of the tables is made of |
//! | `scope` | from what a row says to ARNs and conditions of one cluster |
//! | `store` | the bucket of the state store |
//! | `document` | statements, put together |
//!
//! Which types of resources an action is asked about, and which conditions it takes, is of AWS's Service Authorization Reference
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>),
//! at the page of each service; `facts.txt` keeps what is used of it, and a test compares. An action of which nothing finer can be said
//! is allowed on `*`.
//!
//! What is made has to bear the cluster's mark in the very call, and what is changed or deleted has to bear it already. The mark
//! is the cluster's uid; before the first apply nobody knows that, and the cluster's name stands for it, beside any uid.

mod document;
mod edge_table;
mod groups_table;
mod leftover_table;
mod row;
mod scope;
mod store;
mod table;

use keelson_provider_api::kinds::{Leftover, LeftoverSort};
use keelson_provider_api::{Action, Change, Kind, Resource, ResourceKey};
use serde_json::Value;

use self::document::Document;
use self::row::Verb;
pub use self::scope::{Scope, StateFolder};

/// The kinds that AWS is asked about.
const KINDS: [Kind; 15] = [
    Kind::Network,
    Kind::Subnet,
    Kind::NatGateway,
    Kind::WayOut,
    Kind::Firewall,
    Kind::LoadBalancer,
    Kind::DnsRecord,
    Kind::Role,
    Kind::Volume,
    Kind::NetworkInterface,
    Kind::Machine,
    Kind::LoadBalancerTarget,
    Kind::NodeGroup,
    Kind::GroupMachine,
    Kind::Leftover,
];

/// The policy for whoever looks at the cluster of `scope` and carries `changes` out: equal input, equal policy, byte for byte.
pub fn policy_of_changes<'a>(scope: &Scope<'_>, changes: impl IntoIterator<Item = &'a Change>) -> Value {
    let mut document = looks(scope);
    for change in changes {
        let key = &change.key;
        match &change.action {
            Action::Create { resource, .. } => {
                allow(&mut document, scope, Verb::Preflight, key, resource);
                allow(&mut document, scope, Verb::Create, key, resource);
            }
            Action::Update { resource, .. } => allow(&mut document, scope, Verb::Update, key, resource),
            Action::Delete { existing } => {
                allow(&mut document, scope, Verb::Delete, key, &existing.resource);
            }
        }
    }
    document.written()
}

/// The policy for whoever makes all that is wanted of the cluster of `scope`, changes it, and takes it away.
pub fn policy_of_life(scope: &Scope<'_>) -> Value {
    let mut document = looks(&Scope { ends: true, ..*scope });
    for (key, resource) in leftovers() {
        allow(&mut document, scope, Verb::Delete, &key, &resource);
    }
    for (key, resource) in scope.wanted {
        for verb in [Verb::Preflight, Verb::Create, Verb::Update, Verb::Delete] {
            allow(&mut document, scope, verb, key, resource);
        }
        if key.kind() == Kind::NodeGroup {
            allow_machines(&mut document, scope);
        }
    }
    document.written()
}

/// Nobody wants one of a group's machines by its name; all of them are let go and ended one day.
fn allow_machines(document: &mut Document, scope: &Scope<'_>) {
    for row in table::rows(Kind::GroupMachine) {
        document.allow_all(scope.grants(row, None));
    }
}

/// One of all that controllers make: nobody wants it, and each of it may be there at the end.
fn leftovers() -> impl Iterator<Item = (ResourceKey, Resource)> {
    let sorts = [
        LeftoverSort::LoadBalancer,
        LeftoverSort::TargetGroup,
        LeftoverSort::SecurityGroup,
        LeftoverSort::Volume,
        LeftoverSort::Snapshot,
    ];
    sorts.into_iter().map(|sort| {
        let leftover = Leftover {
            sort,
            made_for: None,
            size: None,
        };
        (
            ResourceKey::new(Kind::Leftover, sort.to_string()),
            leftover.into(),
        )
    })
}

/// Every run looks at all kinds, and holds the lease.
fn looks(scope: &Scope<'_>) -> Document {
    let mut document = Document::default();
    store::allow(&mut document, scope);
    let is_asked_about = |kind: &Kind| scope.ends || *kind != Kind::Leftover;
    for kind in KINDS.into_iter().filter(is_asked_about) {
        for row in table::rows(kind).iter().filter(|row| row.is_of(Verb::Look)) {
            document.allow_all(scope.grants(row, None));
        }
    }
    document
}

fn allow(document: &mut Document, scope: &Scope<'_>, verb: Verb, key: &ResourceKey, resource: &Resource) {
    for row in table::rows(key.kind()).iter().filter(|row| row.is_of(verb)) {
        if row.applies_to(resource) {
            document.allow_all(scope.grants(row, Some((key, resource))));
        }
    }
}

#[cfg(test)]
mod tests;

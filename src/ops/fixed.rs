//! What of a spec cannot change while its cluster lives: where its machines are, the ranges that every certificate, node and
//! Service was made for, and whether API servers keep events in an etcd of their own: they do not start before that is there,
//! which does not begin before all of them have been restarted.

use std::collections::BTreeMap;

use super::error::OperationError;
use super::identity::ClusterRecord;
use crate::spec::{EventsPlacement, Provider, ValidSpec};

/// The field that says where machines are.
const PROVIDER: &str = "spec.provider";

/// What `spec` says of the fields that stay as they are, by the fields' names.
fn fields(spec: &ValidSpec) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::from([(PROVIDER.to_owned(), place(&spec.spec().provider))]);
    if !spec.is_etcd_alone() {
        let network = &spec.spec().network;
        fields.extend([
            ("spec.network.podCIDR".to_owned(), network.pod_cidr.to_string()),
            (
                "spec.network.serviceCIDR".to_owned(),
                network.service_cidr.to_string(),
            ),
            ("spec.network.dnsDomain".to_owned(), network.dns_domain.clone()),
            ("spec.etcd.events".to_owned(), events(spec).to_owned()),
        ]);
    }
    fields
}

/// Writes down in `record` what its cluster is made with, where that does not stand there yet.
pub(super) fn fix(record: &mut ClusterRecord, spec: &ValidSpec) {
    for (field, value) in fields(spec) {
        record.fixed.entry(field).or_insert(value);
    }
}

fn place(provider: &Provider) -> String {
    match provider {
        Provider::Simulated(simulated) => format!("simulated, like {}", simulated.like.name()),
        other => other.field().to_owned(),
    }
}

fn events(spec: &ValidSpec) -> &'static str {
    match spec.spec().etcd.events {
        EventsPlacement::Shared => "shared",
        EventsPlacement::Separate => "separate",
    }
}

/// Makes sure that `spec` looks for the cluster of `record` where it is.
///
/// # Errors
/// [`OperationError::Fixed`] when its machines are elsewhere: nothing of it would be found there, and to find nothing must
/// not be taken for its end.
pub(super) fn check_place(record: &ClusterRecord, spec: &ValidSpec) -> Result<(), OperationError> {
    check(record, spec, |field| field == PROVIDER)
}

/// Makes sure that `spec` changes nothing of what the cluster of `record` was made for.
///
/// # Errors
/// [`OperationError::Fixed`] with the first field that differs.
pub(super) fn check_all(record: &ClusterRecord, spec: &ValidSpec) -> Result<(), OperationError> {
    check(record, spec, |_| true)
}

fn check(
    record: &ClusterRecord,
    spec: &ValidSpec,
    matters: impl Fn(&str) -> bool,
) -> Result<(), OperationError> {
    for (field, wanted) in fields(spec) {
        if let Some(made_with) = record.fixed.get(&field)
            && *made_with != wanted
            && matters(&field)
        {
            return Err(OperationError::Fixed {
                name: record.name.clone(),
                made_with: made_with.clone(),
                field,
                wanted,
            });
        }
    }
    Ok(())
}

//! What whoever runs keelson must be allowed in the account.

use std::collections::BTreeMap;

use keelson_provider_api::{ClusterIdentity, Kind, Resource, ResourceKey, with_causes};
use keelson_provider_aws::permissions::{self, Scope, StateFolder};
use keelson_provider_aws::{BUCKET_CHANGED, BUCKET_MISSING, EdgeZone};

use super::zone;
use crate::model::ground;
use crate::ops::Planned;
use crate::registry::ConnectError;
use crate::spec::{AwsProvider, StateStore, ValidSpec};

/// The policy by which `planned` can be carried out.
pub(in crate::registry) fn policy_of_plan(
    spec: &ValidSpec,
    aws: &AwsProvider,
    planned: &Planned,
) -> Result<String, ConnectError> {
    let wanted = wanted(spec)?;
    let zone = zone(aws);
    let scope = scope(spec, aws, planned.plan.cluster(), zone.as_ref(), &wanted);
    // The id of a name is that of its zone, and the name.
    let mut names = planned.observation.owned_of(Kind::DnsRecord);
    let zone_id = names.find_map(|(_, name)| Some(name.id.split_once('/')?.0.to_owned()));
    let mut warnings = planned.report.warnings.iter();
    let makes_bucket = warnings.any(|one| [BUCKET_CHANGED, BUCKET_MISSING].contains(&one.name.as_str()));
    let scope = Scope {
        zone_id: zone_id.as_deref(),
        ends: planned.plan.retires_cluster(),
        state: scope.state.map(|state| StateFolder {
            makes_bucket,
            ..state
        }),
        ..scope
    };
    Ok(text(&permissions::policy_of_changes(&scope, planned.changes())))
}

/// The policy by which the cluster of `spec` can be made, changed and taken away, in whichever of its lives.
pub(in crate::registry) fn policy_of_life(
    spec: &ValidSpec,
    aws: &AwsProvider,
) -> Result<String, ConnectError> {
    let wanted = wanted(spec)?;
    let cluster = ClusterIdentity {
        name: spec.name().clone(),
        uid: None,
    };
    let zone = zone(aws);
    let scope = scope(spec, aws, &cluster, zone.as_ref(), &wanted);
    Ok(text(&permissions::policy_of_life(&scope)))
}

fn wanted(spec: &ValidSpec) -> Result<BTreeMap<ResourceKey, Resource>, ConnectError> {
    let ground = ground(spec).map_err(|error| ConnectError::Aws(with_causes(&error)))?;
    let all = ground.resources.into_iter();
    Ok(all.map(|(key, wanted)| (key, wanted.resource)).collect())
}

fn scope<'a>(
    spec: &'a ValidSpec,
    aws: &'a AwsProvider,
    cluster: &'a ClusterIdentity,
    zone: Option<&'a EdgeZone>,
    wanted: &'a BTreeMap<ResourceKey, Resource>,
) -> Scope<'a> {
    let state = match &spec.spec().state_store {
        StateStore::S3(bucket) if bucket.endpoint.is_none() => Some(StateFolder {
            bucket: &bucket.name,
            prefix: &bucket.prefix,
            makes_bucket: true,
        }),
        _ => None,
    };
    Scope {
        cluster,
        region: &aws.region,
        zone,
        zone_id: None,
        state,
        ends: false,
        wanted,
    }
}

fn text(policy: &serde_json::Value) -> String {
    format!("{policy:#}\n")
}

//! When kubelets were last heard of, by the clock of the API server.
//!
//! A node's conditions stay as they are until a controller sees that its kubelet is silent; those that come with the data of a
//! snapshot are as old as that. kubelets renew a Lease each, every ten seconds
//! (<https://kubernetes.io/docs/concepts/architecture/leases/#node-heart-beats>), which is why the age of that tells whether
//! what a node says is true.

use std::collections::BTreeMap;

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node as NodeObject;
use keelson_provider_api::values::Span;
use kube::ResourceExt as _;
use kube::api::{ListParams, ObjectList};
use kube::client::Body;
use kube::core::{Request, Status};

use super::NODES_A_PAGE;
use crate::cluster::connection::Connection;
use crate::cluster::ready::{Readiness, last_heartbeat, readiness};
use crate::cluster::trouble::Trouble;

/// Where the Leases of kubelets are.
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
/// How long a Lease holds that does not say it, the default of kubelets (`nodeLeaseDurationSeconds`).
const LEASE: SignedDuration = SignedDuration::from_secs(40);
/// So much later than a Lease holds may it be renewed: a busy machine, a kubelet that finds its API server again.
const SLACK: SignedDuration = SignedDuration::from_secs(15);
/// A kubelet without a Lease says how it is at least every five minutes, and half as long again (`nodeStatusReportFrequency`).
const WITHOUT_LEASE: SignedDuration = SignedDuration::from_mins(10);

/// A kubelet's last sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Heartbeat {
    at: Timestamp,
    /// How long it counts.
    holds: SignedDuration,
}

/// When each kubelet was last heard of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cluster) struct Heartbeats {
    /// What time the API server says it is, or where it says nothing the newest heartbeat: never what time it is here.
    now: Option<Timestamp>,
    leases: BTreeMap<String, Heartbeat>,
}

impl Heartbeats {
    /// Why a node that says it is Ready is not to be believed, if so: its kubelet has been silent for too long.
    pub(in crate::cluster) fn silence(&self, node: &NodeObject) -> Option<String> {
        if readiness(node) != Readiness::Ready {
            return None;
        }
        let lease = self.leases.get(&node.name_any()).copied();
        let told = || {
            last_heartbeat(node).map(|at| Heartbeat {
                at,
                holds: WITHOUT_LEASE,
            })
        };
        let heartbeat = lease.or_else(told)?;
        let age = self.now?.duration_since(heartbeat.at);
        if age <= heartbeat.holds + SLACK {
            return None;
        }
        let age = Span::from_secs(age.as_secs().unsigned_abs());
        Some(format!(
            "it has not reported for {age}, and said then that the node is Ready"
        ))
    }

    fn add(&mut self, lease: &Lease) {
        let holds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
        let holds = holds.map_or(LEASE, |seconds| SignedDuration::from_secs(seconds.into()));
        if let Some(at) = renewed_at(lease) {
            self.leases.insert(lease.name_any(), Heartbeat { at, holds });
        }
    }
}

/// When a Lease was renewed: by the clock of the API server, which notes when who wrote which field, or else by that of its
/// kubelet.
fn renewed_at(lease: &Lease) -> Option<Timestamp> {
    let noted = lease.managed_fields().iter().filter(|entry| {
        let fields = entry.fields_v1.as_ref();
        fields.is_some_and(|fields| fields.0.pointer("/f:spec/f:renewTime").is_some())
    });
    let noted = noted.filter_map(|entry| entry.time.as_ref()).map(|time| time.0);
    let told = lease.spec.as_ref()?.renew_time.as_ref().map(|time| time.0);
    noted.max().or(told)
}

/// Some Leases, and what time the API server says it is.
async fn page(
    connection: &Connection,
    asked: &ListParams,
) -> Result<(ObjectList<Lease>, Option<Timestamp>), kube::Error> {
    let request = Request::new(LEASES)
        .list(asked)
        .map_err(kube::Error::BuildRequest)?;
    let answer = connection.client.send(request.map(Body::from)).await?;
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
    let code = answer.status();
    let body = answer.into_body().collect_bytes().await?;
    if code.is_success() {
        let leases = serde_json::from_slice(&body).map_err(kube::Error::SerdeError)?;
        return Ok((leases, date));
    }
    let told = serde_json::from_slice(&body).unwrap_or_else(|_| Status {
        code: code.as_u16(),
        ..Status::default()
    });
    Err(kube::Error::Api(Box::new(told)))
}

/// The last sign of life of every kubelet.
pub(in crate::cluster) async fn heartbeats(connection: &Connection) -> Result<Heartbeats, Trouble> {
    let mut asked = ListParams::default().limit(NODES_A_PAGE);
    let mut heartbeats = Heartbeats::default();
    loop {
        let (page, date) = connection.settle(page(connection, &asked).await)?;
        page.items.iter().for_each(|lease| heartbeats.add(lease));
        heartbeats.now = date;
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => asked.continue_token = Some(token),
            None => break,
        }
    }
    let newest = || heartbeats.leases.values().map(|heartbeat| heartbeat.at).max();
    heartbeats.now = heartbeats.now.or_else(newest);
    Ok(heartbeats)
}

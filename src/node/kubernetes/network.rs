//! The routed network, and the address that control planes hold in turn.

use std::net::IpAddr;

use keelson_provider_api::values::{Cidr, Digest};
use serde::Serialize;
use serde_json::json;

use super::super::action::{Access, Action};
use super::super::class::{HostIdentity, OwnFile};
use super::super::contents::{Contents, RenderError};
use super::super::templates;
use super::kubeconfig::{Credentials, Kubeconfig};
use super::{AUTHORITY, KubernetesSettings, PROGRAM_FOLDER};

/// The unit that keeps routes to the pods of other nodes.
pub(super) const ROUTES_UNIT: &str = "keelson-routes.service";
/// The unit that holds the API's address.
pub(super) const KEEPALIVED_UNIT: &str = "keelson-keepalived.service";
/// The user that keepalived looks at the API server as.
const CHECK_USER: &str = "keelson-check";

const ROUTES_ENVIRONMENT: &str = "/etc/keelson/routes.env";
const ROUTES_KUBECONFIG: &str = "/etc/keelson/routes.conf";
const KEEPALIVED_CONFIGURATION: &str = "/etc/keelson/keepalived.conf";

const ROUTES: &str = include_str!("../../../templates/network/routes.sh");
const START_KEEPALIVED: &str = include_str!("../../../templates/network/start-keepalived.sh");
const CHECK_API_SERVER: &str = include_str!("../../../templates/network/check-api-server.sh");

/// A bridge on each node, and routes between nodes.
#[derive(Debug, Clone)]
pub struct RoutedSettings {
    /// The range of all pods.
    pub pod_range: Cidr,
    /// True where the network between nodes drops packets with pods' addresses, so that they go in packets of the nodes' own.
    pub has_overlay: bool,
    /// The URL under which this machine reaches the API.
    pub server: String,
}

/// An address that the control planes hold in turn.
#[derive(Debug, Clone, Serialize)]
pub struct VirtualAddressSettings {
    /// The address.
    pub address: IpAddr,
    /// The addresses of the control planes, the first one first in line.
    pub control_planes: Vec<IpAddr>,
}

/// Adds the routed network to what a machine runs. Its routes are in force from the first boot on.
pub(super) fn add_routed(
    settings: &KubernetesSettings,
    routed: &RoutedSettings,
    contents: &mut Contents,
) -> Result<(), RenderError> {
    let program = format!("{PROGRAM_FOLDER}/keelson-routes");
    contents.file(
        &program,
        Access::of_root(0o755),
        ROUTES.to_owned(),
        &[ROUTES_UNIT],
    );
    Kubeconfig {
        cluster: &settings.cluster,
        server: &routed.server,
        authority: AUTHORITY,
        user: "keelson:routes",
        credentials: Credentials::Certificate(
            "/etc/kubernetes/pki/routes.crt",
            "/etc/kubernetes/pki/routes.key",
        ),
    }
    .add(ROUTES_KUBECONFIG, &[ROUTES_UNIT], contents)?;
    let values = json!({
        "pod_range": routed.pod_range,
        "kubectl": format!("{PROGRAM_FOLDER}/kubectl"),
        "kubeconfig": ROUTES_KUBECONFIG,
        "overlay": if routed.has_overlay { "yes" } else { "no" },
    });
    let environment = templates::render(templates::ROUTES_ENVIRONMENT, &values)?;
    contents.file(ROUTES_ENVIRONMENT, Access::PUBLIC, environment, &[ROUTES_UNIT]);
    let values = json!({ "program": program, "environment": ROUTES_ENVIRONMENT });
    contents.unit(
        ROUTES_UNIT,
        0o644,
        templates::render(templates::ROUTES_UNIT, &values)?,
    );
    contents.act(Action::Start { unit: ROUTES_UNIT });
    Ok(())
}

/// Adds the virtual address to what a control plane runs. Who makes the address starts its unit.
pub(super) fn add_virtual_address(
    settings: &VirtualAddressSettings,
    contents: &mut Contents,
) -> Result<(), RenderError> {
    contents.act(Action::User {
        name: CHECK_USER,
        home: "/nonexistent",
    });
    let units = &[KEEPALIVED_UNIT];
    let start = format!("{PROGRAM_FOLDER}/keelson-keepalived");
    contents.file(&start, Access::of_root(0o755), START_KEEPALIVED.to_owned(), units);
    let check = check_program();
    contents.file(&check, Access::of_root(0o755), CHECK_API_SERVER.to_owned(), units);
    contents.own(
        KEEPALIVED_CONFIGURATION,
        Access::of_root(0o600),
        OwnFile::Keepalived(settings.clone()),
        units,
    );
    let values = json!({ "configuration": KEEPALIVED_CONFIGURATION, "start": start });
    contents.unit(
        KEEPALIVED_UNIT,
        0o644,
        templates::render(templates::KEEPALIVED_UNIT, &values)?,
    );
    Ok(())
}

fn check_program() -> String {
    format!("{PROGRAM_FOLDER}/keelson-check-api-server")
}

/// The configuration of keepalived on `host`.
pub(in super::super) fn keepalived(
    settings: &VirtualAddressSettings,
    host: &HostIdentity,
) -> Result<String, RenderError> {
    let planes = &settings.control_planes;
    let place = planes.iter().position(|address| *address == host.address);
    let priority = 200_usize.saturating_sub(place.unwrap_or(planes.len()));
    let peers: Vec<&IpAddr> = planes
        .iter()
        .filter(|address| **address != host.address)
        .collect();
    let length = if settings.address.is_ipv4() { 32 } else { 128 };
    // Control planes that speak to each other alone hear no others; the number only has to be the same on all of them.
    let router = Digest::of_bytes(settings.address.to_string().as_bytes());
    let router = u8::from_str_radix(&router.hexadecimal()[..2], 16)
        .unwrap_or(1)
        .max(1);
    let values = json!({
        "address": format!("{}/{length}", settings.address),
        "own_address": host.address,
        "peers": peers,
        "priority": priority,
        "router_id": router,
        "check": check_program(),
        "check_user": CHECK_USER,
    });
    Ok(templates::render(templates::KEEPALIVED_CONFIGURATION, &values)?)
}

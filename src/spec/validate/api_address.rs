//! The address under which bare hosts serve the Kubernetes API.

use std::net::IpAddr;

use super::Found;
use super::hosts::base;
use crate::spec::errors::Finding;
use crate::spec::path::{Path, path_of};
use crate::spec::types::{ApiAddress, ClusterSpec, Family, Host, HostRole, LOCAL_ADDRESS};

fn path(spec: &ClusterSpec) -> Path {
    path_of!("spec", "provider", spec.provider.field(), "apiAddress")
}

fn is_control_plane_alone(spec: &ClusterSpec, host: &Host) -> bool {
    host.is(HostRole::ControlPlane) && spec.hosts_with(HostRole::ControlPlane).count() == 1
}

pub(super) fn api_address(spec: &ClusterSpec, found: &mut Found) {
    if spec.provider.family() != Family::Ssh {
        return;
    }
    let Some(address) = spec.provider.api_host() else {
        if spec.hosts_with(HostRole::ControlPlane).count() > 1 {
            found.error(
                Finding::new(
                    path(spec),
                    "several control planes need an address that does not belong to one of them",
                )
                .expected(
                    "a free IP address of their network, or a name or address that you balance yourself",
                )
                .help("for example `apiAddress: 10.0.0.100`")
                .rests_on(base(spec)),
            );
        }
        return;
    };
    if address == LOCAL_ADDRESS {
        found.error(
            Finding::new(
                path(spec),
                "`local` is no address under which others reach the API",
            )
            .help("write an IP address or a DNS name, or leave the field out"),
        );
        return;
    }
    if let Some(ApiAddress::OfHost(host)) = spec.provider.api_address()
        && !is_control_plane_alone(spec, host)
    {
        let help = match spec.provider.keepalived() {
            Some(false) => "write the address of what balances the API",
            Some(true) | None => "choose a free address: it moves between the control planes",
        };
        let problem = format!("`{address}` is the address of the host `{}`", host.name);
        found.error(Finding::new(path(spec), problem).help(help));
    }
    for (field, range) in [
        ("podCIDR", spec.network.pod_cidr),
        ("serviceCIDR", spec.network.service_cidr),
    ] {
        if address
            .parse::<IpAddr>()
            .is_ok_and(|address| range.contains(address.to_canonical()))
        {
            let problem = format!("`{address}` lies in the {field} {range}");
            found.error(Finding::new(path(spec), problem));
        }
    }
}

/// keepalived moves a free IP address and nothing else.
pub(super) fn keepalived(spec: &ClusterSpec, found: &mut Found) {
    if spec.provider.family() != Family::Ssh || spec.provider.keepalived() != Some(true) {
        return;
    }
    let (problem, help) = match spec.provider.api_address() {
        None => (
            "there is no `apiAddress` that keepalived could hold".to_owned(),
            "write a free IP address of the hosts' network, such as `apiAddress: 10.0.0.100`, or remove this field",
        ),
        Some(ApiAddress::Name(name)) if name != LOCAL_ADDRESS => (
            format!("keepalived holds an IP address, and the `apiAddress` `{name}` is a name"),
            "write a free IP address of the hosts' network as `apiAddress`, or remove this field and have the name lead to \
             the control planes yourself",
        ),
        Some(ApiAddress::OfHost(host)) if is_control_plane_alone(spec, host) => (
            format!(
                "the `apiAddress` is the own address of the host `{}`, and nobody may move that",
                host.name
            ),
            "remove this field, or write a free IP address of the hosts' network as `apiAddress`",
        ),
        // What is wrong with `apiAddress` itself is reported there.
        Some(_) => return,
    };
    let path = path_of!("spec", "provider", spec.provider.field(), "keepalived");
    found.error(Finding::new(path, problem).help(help));
}

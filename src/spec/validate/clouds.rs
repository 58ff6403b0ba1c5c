//! Fields that mean something for some providers only.

use keelson_provider_api::values::Quantity;

use super::aws_machines::{VOLUME_MOST, image_and_key};
use super::{Found, for_each_repetition};
use crate::spec::errors::Finding;
use crate::spec::path::{Path, path_of};
use crate::spec::types::{
    ClusterSpec, EtcdPlacement, Family, Machine, Provider, SimulatedProvider, SshAccess,
};

/// Each zone has a private and a public subnet, and the machine network is cut into 16.
pub(super) const ZONE_LIMIT: usize = 8;

pub(super) fn regions_and_zones(spec: &ClusterSpec, found: &mut Found) {
    let provider = path_of!("spec", "provider", spec.provider.field());
    for_each_repetition(spec.provider.zones(), |later, first| {
        let problem = format!("the zone is repeated; the first is zones[{first}]");
        found.error(Finding::new(provider.then("zones").then(later), problem).help("remove one of the two"));
    });
    let zones = spec.provider.zones().len();
    if zones > ZONE_LIMIT {
        let problem = format!("{zones} zones are more than the machine network has subnets for");
        found.error(
            Finding::new(provider.then("zones"), problem).expected(format!("at most {ZONE_LIMIT} zones")),
        );
    }
    match &spec.provider {
        Provider::Aws(aws) => {
            if let Some(region) = region_of_zone(&aws.region) {
                let problem = format!("`{}` is a zone, not a region", aws.region);
                found.error(
                    Finding::new(provider.then("region"), problem).help(format!("did you mean `{region}`?")),
                );
                return;
            }
            for (index, zone) in aws.zones.iter().enumerate() {
                if zone.strip_prefix(aws.region.as_str()).is_none_or(str::is_empty) {
                    let problem = format!("`{zone}` is not a zone of the region {}", aws.region);
                    found.error(
                        Finding::new(provider.then("zones").then(index), problem)
                            .expected(format!("a zone such as {}a", aws.region))
                            .rests_on(provider.then("region")),
                    );
                }
            }
        }
        Provider::Digitalocean(digitalocean) => {
            let region = &digitalocean.region;
            let letters = region.trim_end_matches(|character: char| character.is_ascii_digit());
            let is_region = letters.len() == 3 && letters.len() < region.len();
            if !is_region || !letters.bytes().all(|byte| byte.is_ascii_lowercase()) {
                found.error(
                    Finding::new(
                        provider.then("region"),
                        format!("`{region}` is not a region of DigitalOcean"),
                    )
                    .expected("three letters and a number, such as fra1, nyc3 or sgp1"),
                );
            }
        }
        Provider::Ssh(_) | Provider::Simulated(_) => {}
    }
    let zones = spec.provider.zones().len();
    if spec.control_plane.replicas >= 3 && (1..3).contains(&zones) {
        let problem = format!(
            "{} control planes in {}: the loss of one zone can take the majority",
            spec.control_plane.replicas,
            if zones == 1 { "one zone" } else { "two zones" }
        );
        found.warn(Finding::new(provider.then("zones"), problem).help("name three zones"));
    }
}

/// The region of something that looks like an AWS zone: `eu-west-1` for `eu-west-1a`.
fn region_of_zone(text: &str) -> Option<&str> {
    let region = text.strip_suffix(|character: char| character.is_ascii_lowercase())?;
    region
        .ends_with(|character: char| character.is_ascii_digit())
        .then_some(region)
}

pub(super) fn simulation_fits_its_model(spec: &ClusterSpec, found: &mut Found) {
    let Provider::Simulated(simulated) = &spec.provider else {
        return;
    };
    let base = path_of!("spec", "provider", "simulated");
    let like = simulated.like;
    let default = SimulatedProvider::default();
    let ssh = (like == Family::Ssh, "`like: ssh`");
    let aws = (like == Family::Aws, "`like: aws`");
    let cloud = (like != Family::Ssh, "`like: aws` or `like: digitalocean`");
    let rows = [
        ("hosts", !simulated.hosts.is_empty(), ssh),
        ("apiAddress", simulated.api_address.is_some(), ssh),
        ("keepalived", simulated.keepalived.is_some(), ssh),
        ("zones", simulated.zones != default.zones, aws),
        ("topology", simulated.topology != default.topology, aws),
        ("nat", simulated.nat.is_some(), aws),
        ("domain", simulated.domain.is_some(), cloud),
    ];
    for (field, is_given, (fits, with)) in rows {
        if is_given && !fits {
            let problem = format!("`{field}` has a meaning only with {with}");
            found.error(Finding::new(base.then(field), problem).help("remove it, or change `like`"));
        }
    }
    if like == Family::Aws && simulated.zones.is_empty() {
        found.error(Finding::new(base.then("zones"), "the list is empty").expected("at least 1 zone"));
    }
    if like == Family::Ssh && simulated.hosts.is_empty() {
        found.error(
            Finding::new(base.then("hosts"), "`like: ssh` needs hosts").help(
                "for example `hosts: [{ name: a, address: 10.0.0.11, roles: [control-plane, worker] }]`",
            ),
        );
    }
}

pub(super) fn machines_fit_the_provider(spec: &ClusterSpec, found: &mut Found) {
    let mut machines = vec![(
        path_of!("spec", "controlPlane", "machine"),
        &spec.control_plane.machine,
    )];
    for (index, group) in spec.node_groups.iter().enumerate() {
        machines.push((path_of!("spec", "nodeGroups", index, "machine"), &group.machine));
    }
    if let EtcdPlacement::Dedicated(dedicated) = &spec.etcd.placement {
        let path = path_of!("spec", "etcd", "placement", "dedicated", "machine");
        machines.push((path, &dedicated.machine));
    }
    for (path, machine) in machines {
        machine_fits(spec.provider.family(), &path, machine, found);
        if spec.provider.family() == Family::Aws {
            image_and_key(spec, &path, machine, found);
        }
    }
}

/// The smallest root volume that an operating system, Kubernetes and a few images fit on, and the largest.
const ROOT_VOLUME: (Quantity, Quantity) = (Quantity::from_gibibytes(10), VOLUME_MOST);

fn machine_fits(family: Family, path: &Path, machine: &Machine, found: &mut Found) {
    if family == Family::Ssh {
        let given = [
            ("type", machine.machine_type.is_some()),
            ("image", machine.image.is_some()),
            ("rootVolume", machine.root_volume.is_some()),
            ("kmsKey", machine.kms_key.is_some()),
        ];
        for (field, _) in given.iter().filter(|(_, is_given)| *is_given) {
            found.error(
                Finding::new(
                    path.then(*field),
                    "bare hosts are as they are: keelson does not make them",
                )
                .help("remove the field"),
            );
        }
        return;
    }
    if let Some(size) = machine.root_volume {
        let (least, most) = ROOT_VOLUME;
        if family == Family::Digitalocean {
            found.error(
                Finding::new(path.then("rootVolume"), "a droplet's disk comes with its type")
                    .help("remove the field, and choose a type with a larger disk"),
            );
        } else if size < least || size > most {
            found.error(
                Finding::new(path.then("rootVolume"), format!("`{size}` is out of range"))
                    .expected(format!("between {least} and {most}")),
            );
        }
    }
    if family == Family::Digitalocean && machine.kms_key.is_some() {
        found.error(
            Finding::new(
                path.then("kmsKey"),
                "KMS is a service of AWS, and DigitalOcean knows none of its keys",
            )
            .help("remove the field"),
        );
    }
    let Some(machine_type) = &machine.machine_type else {
        return;
    };
    // AWS: FAMILY.SIZE. DigitalOcean: s-2vcpu-4gb.
    let (fits, cloud, example) = match family {
        Family::Aws => (machine_type.contains('.'), "AWS", "m6i.large"),
        _ => (
            machine_type.contains('-') && !machine_type.contains('.'),
            "DigitalOcean",
            "s-2vcpu-4gb",
        ),
    };
    if !fits {
        found.error(
            Finding::new(
                path.then("type"),
                format!("`{machine_type}` is not a machine type of {cloud}"),
            )
            .expected(format!("a type such as {example}")),
        );
    }
}

pub(super) fn access_fits_the_provider(spec: &ClusterSpec, found: &mut Found) {
    let base = path_of!("spec", "ssh");
    let ssh = &spec.ssh;
    if spec.provider.family() == Family::Ssh {
        if *ssh != SshAccess::default() {
            found.error(
                Finding::new(base, "who may log in to bare hosts is set on the hosts, not here")
                    .help("remove the field; `provider.ssh.user` says whom keelson logs in as"),
            );
        }
        if !spec.api.allowed_cidrs.is_empty() {
            found.error(
                Finding::new(
                    path_of!("spec", "api", "allowedCIDRs"),
                    "keelson sets no firewall on bare hosts",
                )
                .help("remove the field, and limit access in the hosts' own firewall"),
            );
        }
        return;
    }
    if ssh.public_keys.is_empty() {
        for (field, is_given) in [
            ("allowedCIDRs", !ssh.allowed_cidrs.is_empty()),
            ("bastion", ssh.bastion),
        ] {
            if is_given {
                found.error(
                    Finding::new(base.then(field), "no one could log in: there are no public keys")
                        .help("add a key to `spec.ssh.publicKeys`, or remove this field"),
                );
            }
        }
    }
    for_each_repetition(&ssh.public_keys, |later, first| {
        let problem = format!("the key is repeated; the first is publicKeys[{first}]");
        found.error(Finding::new(base.then("publicKeys").then(later), problem).help("remove one of the two"));
    });
    for (index, range) in ssh.allowed_cidrs.iter().enumerate() {
        if range.prefix_length() == 0 {
            let path = base.then("allowedCIDRs").then(index);
            let problem = "SSH is open to the whole internet";
            found.warn(Finding::new(path, problem).help("name the ranges that you log in from"));
        }
    }
}

pub(super) fn life_and_death(spec: &ClusterSpec, found: &mut Found) {
    let path = path_of!("spec", "lifetime");
    let Some(lifetime) = spec.lifetime else {
        return;
    };
    if lifetime.as_millis() == 0 {
        found.error(
            Finding::new(path, "the cluster's life is over before it begins")
                .help("write how long it may live, such as 2h; leave the field out for no limit"),
        );
    } else if spec.deletion_protection {
        let problem = "the lifetime has no effect while `deletionProtection` is true";
        found.warn(Finding::new(path, problem).help("remove one of the two"));
    } else if matches!(spec.provider, Provider::Ssh(_) | Provider::Simulated(_)) {
        let problem = "this version ends no cluster by itself";
        found.warn(Finding::new(path, problem).help("run `keelson destroy` when its time is over"));
    }
}

//! What machines on AWS, their volumes and their groups may ask for, and that others may not.

use keelson_provider_api::values::Quantity;

use super::clouds::ZONE_LIMIT;
use super::etcd::QUOTA;
use super::{Found, for_each_repetition};
use crate::spec::check::nearest;
use crate::spec::errors::Finding;
use crate::spec::path::{Path, path_of};
use crate::spec::text::aws::{is_image_id, region_of_key};
use crate::spec::types::{
    AWS_IMAGES, ClusterSpec, EtcdPlacement, EtcdVolume, Family, Machine, NodeGroup, Provider, Rolling,
};

/// The largest volume of the type gp3 that every region makes
/// (<https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html>).
pub(super) const VOLUME_MOST: Quantity = Quantity::from_gibibytes(16 * 1024);

/// The image and the key of one machine on AWS.
pub(super) fn image_and_key(spec: &ClusterSpec, path: &Path, machine: &Machine, found: &mut Found) {
    if let Some(image) = machine.image.as_deref()
        && !AWS_IMAGES.contains(&image)
        && !is_image_id(image)
    {
        let names: Vec<String> = AWS_IMAGES.iter().map(|name| format!("`{name}`")).collect();
        let finding = Finding::new(
            path.then("image"),
            format!("`{image}` is not an image that is known on AWS"),
        )
        .expected(format!(
            "{} or the id of an image, such as `ami-0a1b2c3d4e5f60718`",
            names.join(", ")
        ));
        found.error(match nearest(image, AWS_IMAGES.iter().copied()) {
            Some(meant) => finding.help(format!("did you mean `{meant}`?")),
            None => finding,
        });
    }
    key_is_of_the_region(spec, path, machine.kms_key.as_deref(), found);
}

/// A volume is encrypted with a key of its own region.
fn key_is_of_the_region(spec: &ClusterSpec, path: &Path, key: Option<&str>, found: &mut Found) {
    let Provider::Aws(aws) = &spec.provider else {
        return;
    };
    if let Some(region) = key.and_then(region_of_key)
        && region != aws.region
    {
        found.error(
            Finding::new(
                path.then("kmsKey"),
                format!("the key is one of the region {region}"),
            )
            .expected(format!("a key of {}", aws.region))
            .rests_on(path_of!("spec", "provider", "aws", "region")),
        );
    }
}

pub(super) fn etcd_volume(spec: &ClusterSpec, found: &mut Found) {
    let path = path_of!("spec", "etcd", "volume");
    let Some(volume) = &spec.etcd.volume else {
        return;
    };
    let misplaced = match (spec.provider.family(), &spec.etcd.placement) {
        (_, EtcdPlacement::External(_)) => "keelson does not run an external etcd",
        (Family::Ssh, _) => "bare hosts are as they are: keelson makes no volumes for them",
        (Family::Digitalocean, _) => "on DigitalOcean, etcd keeps its data on the droplet's own disk",
        (Family::Aws, _) => return volume_suffices(spec, volume, &path, found),
    };
    found.error(Finding::new(path, misplaced).help("remove the field"));
}

fn volume_suffices(spec: &ClusterSpec, volume: &EtcdVolume, path: &Path, found: &mut Found) {
    key_is_of_the_region(spec, path, volume.kms_key.as_deref(), found);
    if spec.etcd.quota > QUOTA.1 {
        // That is an error already; no volume is to be made for it.
        return;
    }
    let etcds = spec.etcd.instances().len() as u64;
    let databases = spec.etcd.quota.bytes().saturating_mul(etcds);
    // The log and its snapshots stand beside the database.
    let least = databases.saturating_add(databases / 4);
    let size = volume.size;
    if size.bytes() < least {
        let gibibytes = least.div_ceil(1 << 30);
        let quota = spec.etcd.quota;
        let what = if etcds == 1 {
            format!("a database of {quota} and its log")
        } else {
            format!("{etcds} databases of {quota} and their logs")
        };
        found.error(
            Finding::new(path.then("size"), format!("`{size}` has no room for {what}"))
                .expected(format!("at least {}", Quantity::from_gibibytes(gibibytes)))
                .help("or lower `spec.etcd.quota`")
                .rests_on(path_of!("spec", "etcd", "quota")),
        );
    } else if size > VOLUME_MOST {
        found.error(
            Finding::new(path.then("size"), format!("`{size}` is out of range"))
                .expected(format!("at most {VOLUME_MOST}")),
        );
    }
}

pub(super) fn groups(spec: &ClusterSpec, found: &mut Found) {
    for (index, group) in spec.node_groups.iter().enumerate() {
        let path = path_of!("spec", "nodeGroups", index);
        if spec.provider.family() == Family::Aws {
            types(group, &path, found);
            zones(spec, group, &path, found);
            spot_share(group, &path, found);
        } else {
            of_aws_alone(spec.provider.family(), group, &path, found);
        }
    }
}

fn of_aws_alone(family: Family, group: &NodeGroup, path: &Path, found: &mut Found) {
    let (machines, zones, share, surge) = match family {
        Family::Ssh => (
            "bare hosts are as they are: keelson does not make them",
            "bare hosts are where they are: keelson knows no zones of them",
            "bare hosts are nobody's spare capacity",
            "bare hosts are changed in place: there are no more of them than the list has",
        ),
        _ => (
            "the machines of a group are of one type on DigitalOcean",
            "DigitalOcean has no zones in a region",
            "DigitalOcean has no spare capacity for a lower price",
            "droplets are changed in place: a group never has more of them than `replicas`",
        ),
    };
    let given = [
        (path.then("types"), !group.types.is_empty(), machines),
        (path.then("zones"), !group.zones.is_empty(), zones),
        // With `spot: true`, that is what has no meaning.
        (
            path.then("spotShare"),
            group.spot_share.is_some() && !group.spot,
            share,
        ),
        (
            path.then("rolling").then("maxSurge"),
            group.rolling.max_surge != Rolling::default().max_surge,
            surge,
        ),
    ];
    for (path, _, problem) in given.into_iter().filter(|(_, is_given, _)| *is_given) {
        found.error(Finding::new(path, problem).help("remove the field"));
    }
}

fn types(group: &NodeGroup, path: &Path, found: &mut Found) {
    let path_of_types = path.then("types");
    if group.types.is_empty() {
        return;
    }
    let Some(first) = &group.machine.machine_type else {
        found.error(
            Finding::new(
                path_of_types,
                "the first choice is missing: these are the further ones",
            )
            .help("name it in `machine.type`"),
        );
        return;
    };
    for_each_repetition(&group.types, |later, first| {
        let problem = format!("the type is repeated; the first is types[{first}]");
        found.error(Finding::new(path_of_types.then(later), problem).help("remove one of the two"));
    });
    for (index, machine_type) in group.types.iter().enumerate() {
        let place = path_of_types.then(index);
        if machine_type == first {
            let problem = format!("`{machine_type}` is the first choice already, in `machine.type`");
            found.error(Finding::new(place, problem).help("remove it here"));
        } else if !machine_type.contains('.') {
            let problem = format!("`{machine_type}` is not a machine type of AWS");
            found.error(Finding::new(place, problem).expected("a type such as m6i.large"));
        }
    }
}

fn zones(spec: &ClusterSpec, group: &NodeGroup, path: &Path, found: &mut Found) {
    let known = spec.provider.zones();
    for_each_repetition(&group.zones, |later, first| {
        let problem = format!("the zone is repeated; the first is zones[{first}]");
        found.error(Finding::new(path.then("zones").then(later), problem).help("remove one of the two"));
    });
    if known.len() > ZONE_LIMIT {
        // That is an error already, and to compare each with each would take long.
        return;
    }
    for (index, zone) in group.zones.iter().enumerate() {
        if !known.contains(zone) {
            let problem = format!("`{zone}` is not a zone of the cluster");
            found.error(
                Finding::new(path.then("zones").then(index), problem)
                    .expected(format!("one of: {}", known.join(", ")))
                    .rests_on(path_of!("spec", "provider", spec.provider.field(), "zones")),
            );
        }
    }
}

fn spot_share(group: &NodeGroup, path: &Path, found: &mut Found) {
    if group.spot_share.is_some() && !group.spot {
        found.error(
            Finding::new(
                path.then("spotShare"),
                "no machine of the group is spare capacity: `spot` is false",
            )
            .help("remove the field, or write `spot: true`")
            .rests_on(path.then("spot")),
        );
    }
}

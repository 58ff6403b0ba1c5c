//! What is kept in the state store for the first boots of machines, and what they are told.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;

use flate2::read::GzDecoder;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use keelson::model::{self, Blueprint, stored};
use keelson::node::AssetIndex;
use keelson::ops::{Authorities, BroughtFiles, FirstBootTerms, FirstBoots, SpecBundles, StoredBundle};
use keelson::pki::{Seal, Terms};
use keelson::spec::{self, ValidSpec};
use keelson_provider_api::archive;
use keelson_provider_api::kinds::{Machine, NodeGroup, Role};
use keelson_provider_api::values::{ClusterName, Digest};
use keelson_provider_api::{
    ClusterIdentity, ClusterUid, FirstBoot, Kind, NewGroup, NewMachine, Precondition, Resource, ResourceKey,
    Store, USER_DATA_LIMIT_BYTES,
};
use keelson_provider_simulated::{Like, MemoryStore, SimulatedOptions, SimulatedWorld};

use super::block_on;
use super::etcd_alone::{NOW, begin};

fn spec(more: &str) -> ValidSpec {
    spec_in("public", more)
}

fn spec_in(topology: &str, more: &str) -> ValidSpec {
    let text = format!(
        "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: prod }}\nspec:\n  \
         kubernetesVersion: 1.36.2\n  stateStore: s3://example-clusters/some/where\n  provider:\n    \
         aws: {{ region: eu-west-1, zones: [eu-west-1a], topology: {topology} }}\n  controlPlane: {{ replicas: 3 }}\n{more}"
    );
    spec::load(text.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"))
}

/// The first boots of a cluster that has begun, as they are seen at `now`.
fn first_boots(spec: &ValidSpec, store: &Arc<MemoryStore>, now: Timestamp) -> FirstBoots {
    block_on(begin(store, spec.name()));
    of_store(spec, store, now)
}

fn authorities(name: &ClusterName, store: &Arc<MemoryStore>, now: Timestamp) -> Authorities {
    let options = SimulatedOptions {
        start: now,
        ..SimulatedOptions::new(Like::Aws, 1)
    };
    let clock = SimulatedWorld::in_memory(options).clock();
    Authorities::new(
        store.clone(),
        name.clone(),
        Seal::none(),
        clock,
        Terms::AUTHORITY,
        Vec::new(),
    )
}

fn of_store(spec: &ValidSpec, store: &Arc<MemoryStore>, now: Timestamp) -> FirstBoots {
    let authorities = authorities(spec.name(), store, now);
    let bundles = SpecBundles::new(
        spec.clone(),
        AssetIndex::Imagined,
        authorities,
        BroughtFiles::new(),
    );
    let terms = FirstBootTerms {
        region: "eu-west-1".to_owned(),
        login_user: "root".to_owned(),
    };
    FirstBoots::new(Arc::new(bundles), store.clone(), terms)
}

fn identity() -> ClusterIdentity {
    ClusterIdentity {
        name: "prod".parse().unwrap(),
        uid: Some(ClusterUid::new("uid")),
    }
}

fn kept(store: &MemoryStore) -> Vec<String> {
    block_on(store.list("prod/bundles/")).unwrap()
}

fn keep(boots: &FirstBoots, name: &str, generation: u32) -> StoredBundle {
    block_on(boots.keep(&identity(), name, generation)).unwrap()
}

#[test]
fn a_bundle_is_kept_once_however_often_it_is_asked_for() {
    let (spec, store) = (spec(""), Arc::new(MemoryStore::new()));
    let boots = first_boots(&spec, &store, NOW);
    let first = keep(&boots, "control-plane-1", 0);
    let prefix = "prod/bundles/control-plane/control-plane-1/";
    assert!(first.path.starts_with(prefix), "{first:?}");
    assert_eq!(keep(&boots, "control-plane-1", 0), first);
    // Who comes later, and remembers nothing, is told the same.
    let later = of_store(&spec, &store, NOW + SignedDuration::from_hours(1));
    assert_eq!(keep(&later, "control-plane-1", 0), first);
    let content = block_on(store.read(&first.path)).unwrap().unwrap().content;
    assert_eq!(Digest::of_bytes(&content), first.digest);
    // Keys are no part of a bundle's digest, and the next incarnation has others.
    let next = keep(&boots, "control-plane-1", 1);
    assert_eq!(next.bundle, first.bundle);
    assert_ne!((next.digest, &next.path), (first.digest, &first.path));
    assert_eq!(kept(&store), [next.path], "the one before is gone");
}

#[test]
fn of_those_that_keep_it_at_the_same_time_all_are_told_one() {
    let (spec, store) = (spec(""), Arc::new(MemoryStore::new()));
    let boots = first_boots(&spec, &store, NOW);
    let identity = identity();
    let all = block_on(join_all(
        (0..8).map(|_| boots.keep(&identity, "control-plane-2", 0)),
    ));
    let all: Vec<StoredBundle> = all.into_iter().map(Result::unwrap).collect();
    assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
    let content = block_on(store.read(&all[0].path)).unwrap().unwrap().content;
    assert_eq!(Digest::of_bytes(&content), all[0].digest);
}

#[test]
fn what_is_no_good_any_more_is_made_anew() {
    let (spec, store) = (spec(""), Arc::new(MemoryStore::new()));
    let first = keep(&first_boots(&spec, &store, NOW), "control-plane-1", 0);
    let in_a_year = of_store(&spec, &store, NOW + SignedDuration::from_hours(24 * 366));
    let renewed = keep(&in_a_year, "control-plane-1", 0);
    assert_eq!(renewed.path, first.path);
    assert_ne!(renewed.digest, first.digest);
    block_on(store.write(&first.path, b"damaged", Precondition::None)).unwrap();
    let again = keep(&in_a_year, "control-plane-1", 0);
    assert_eq!(again.path, first.path);
    assert_ne!(again.digest, Digest::of_bytes(b"damaged"));
}

#[test]
fn what_is_over_is_let_go_of() {
    let (spec, store) = (spec(""), Arc::new(MemoryStore::new()));
    let boots = first_boots(&spec, &store, NOW);
    for number in 1..=3 {
        keep(&boots, &format!("control-plane-{number}"), 0);
    }
    assert_eq!(kept(&store).len(), 3);
    for _ in 0..2 {
        block_on(boots.is_over(&identity(), "control-plane-2")).unwrap();
        let left = kept(&store);
        assert!(
            left.len() == 2 && left.iter().all(|path| !path.contains("control-plane-2")),
            "{left:?}"
        );
    }
}

#[test]
fn a_store_that_fails_now_and_then_keeps_it_in_the_end() {
    let spec = spec("");
    for seed in 0..20 {
        let store = Arc::new(MemoryStore::new());
        let first = keep(&first_boots(&spec, &store, NOW), "control-plane-1", 0);
        let troubled = Arc::new(MemoryStore::with_faults_from(&store, seed, 5));
        let boots = of_store(&spec, &troubled, NOW);
        let ends = (0..40).find_map(|_| block_on(boots.keep(&identity(), "control-plane-1", 0)).ok());
        assert_eq!(ends.as_ref(), Some(&first), "seed {seed}");
    }
}

fn group_of(spec: &ValidSpec, name: &str) -> NodeGroup {
    let desired = model::desired_state(spec, &AssetIndex::Imagined).unwrap();
    match &desired.resources[&ResourceKey::new(Kind::NodeGroup, name)].resource {
        Resource::NodeGroup(group) => group.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

/// The files in the archive at `path`.
fn unpacked(store: &MemoryStore, path: &str) -> BTreeMap<String, Vec<u8>> {
    let packed = block_on(store.read(path)).unwrap().unwrap().content;
    let mut plain = Vec::new();
    GzDecoder::new(&*packed).read_to_end(&mut plain).unwrap();
    let files = archive::files(&plain).unwrap().into_iter();
    files
        .map(|(path, content)| (path, content.expose().clone()))
        .collect()
}

fn machine_of(spec: &ValidSpec, name: &str) -> Machine {
    let desired = model::desired_state(spec, &AssetIndex::Imagined).unwrap();
    match desired
        .resources
        .get(&ResourceKey::new(Kind::Machine, name))
        .map(|wanted| &wanted.resource)
    {
        Some(Resource::Machine(machine)) => machine.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn user_data_is_the_same_each_time_and_says_where_the_bundle_is() {
    let (spec, store) = (spec(""), Arc::new(MemoryStore::new()));
    let boots = first_boots(&spec, &store, NOW);
    let machine = machine_of(&spec, "control-plane-1");
    let new = NewMachine {
        name: "control-plane-1",
        machine: &machine,
        generation: 3,
        volume_devices: vec!["/dev/xvdf".to_owned()],
    };
    let user_data = |boots: &FirstBoots| {
        String::from_utf8(block_on(boots.user_data(&identity(), &new)).unwrap()).unwrap()
    };
    let told = user_data(&boots);
    assert!(told.len() <= USER_DATA_LIMIT_BYTES);
    let later = of_store(&spec, &store, NOW + SignedDuration::from_hours(2));
    assert_eq!(user_data(&later), told);
    let kept = kept(&store);
    let login = block_on(authorities(spec.name(), &store, NOW).existing_login_key()).unwrap();
    let login = login.unwrap().authorized_key();
    for line in [
        "s3_endpoint=https://s3.eu-west-1.amazonaws.com".to_owned(),
        "s3_path_style=no".to_owned(),
        format!("archive_key=some/where/{}", kept[0]),
        "host_keys_folder=some/where/prod/host-keys/".to_owned(),
        "volume_devices='/dev/xvdf '".to_owned(),
        format!("login_keys() {{ printf '%s\\n' '{login}'; }}"),
    ] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    assert!(!told.contains("PRIVATE"), "{told}");
}

/// A bastion has no bundle, and nothing is kept for it; and whoever the spec lets in may log in.
#[test]
fn a_bastion_is_told_who_may_log_in_and_nothing_else() {
    let keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVZkFVOlHv4wCqVRjqYbL2pjtIPGYcvXH9mV8qkGkqI me"];
    let ssh = format!(
        "  ssh: {{ publicKeys: [\"{}\"], allowedCIDRs: [203.0.113.0/24], bastion: true }}\n",
        keys[0]
    );
    let (spec, store) = (spec_in("private", &ssh), Arc::new(MemoryStore::new()));
    let boots = first_boots(&spec, &store, NOW);
    let told = |name: &str| {
        let machine = machine_of(&spec, name);
        let new = NewMachine {
            name,
            machine: &machine,
            generation: 0,
            volume_devices: Vec::new(),
        };
        String::from_utf8(block_on(boots.user_data(&identity(), &new)).unwrap()).unwrap()
    };
    let bastion = told("bastion-1");
    assert!(kept(&store).is_empty());
    assert!(
        bastion.contains("archive_key=''\n") && bastion.contains("\nbundle=''\n"),
        "{bastion}"
    );
    let login = block_on(authorities(spec.name(), &store, NOW).existing_login_key()).unwrap();
    let logins = format!(
        "login_keys() {{ printf '%s\\n' '{}' '{}'; }}",
        login.unwrap().authorized_key(),
        keys[0]
    );
    for told in [bastion, told("control-plane-1")] {
        assert!(told.lines().any(|line| line == logins), "{logins}: {told}");
    }
    assert_eq!(kept(&store).len(), 1);
    block_on(boots.is_over(&identity(), "bastion-1")).unwrap();
    assert_eq!(kept(&store).len(), 1);
}

/// Machines of a group are all told the same, find a bundle without anything of a single machine's, and what they join with.
#[test]
fn machines_of_a_group_are_told_the_same_until_their_group_starts_others() {
    let spec = spec("  nodeGroups: [{ name: workers, replicas: 2, labels: { tier: web } }]\n");
    let store = Arc::new(MemoryStore::new());
    let boots = first_boots(&spec, &store, NOW);
    let group = group_of(&spec, "workers");
    let new = NewGroup {
        name: "workers",
        group: &group,
    };
    let user_data = |boots: &FirstBoots, new: &NewGroup<'_>| {
        String::from_utf8(block_on(boots.user_data_of_group(&identity(), new)).unwrap()).unwrap()
    };
    let told = user_data(&boots, &new);
    let later = of_store(&spec, &store, NOW + SignedDuration::from_hours(24 * 500));
    assert_eq!(user_data(&later, &new), told, "nothing of it expires");
    let first = kept(&store);
    assert_eq!(first.len(), 1);
    for line in [
        "name=''".to_owned(),
        "joins=yes".to_owned(),
        format!("archive_key=some/where/{}", first[0]),
        "node_labels=keelson.dev/cluster-uid=uid,keelson.dev/group=workers,tier=web".to_owned(),
    ] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    let token = block_on(authorities(spec.name(), &store, NOW).existing_joining_token()).unwrap();
    let token = token.unwrap();
    assert!(!told.contains(token.secret().expose().as_str()), "{told}");
    let files = unpacked(&store, &first[0]);
    assert_eq!(
        files["secrets/etc_kubernetes_bootstrap-token"],
        token.text().expose().as_bytes()
    );
    let secrets = files.keys().filter(|path| path.starts_with("secrets/")).count();
    assert_eq!(
        secrets,
        2,
        "the authority's certificate and the token: {:?}",
        files.keys()
    );

    // What is kept for those of before stays until none of them can come any more.
    let other = NodeGroup {
        image: Some("another".to_owned()),
        ..group.clone()
    };
    let new = NewGroup {
        name: "workers",
        group: &other,
    };
    user_data(&boots, &new);
    assert_eq!(kept(&store).len(), 2);
    block_on(boots.group_starts_from(&identity(), "workers", Some(&other.template()))).unwrap();
    let left = kept(&store);
    assert!(left.len() == 1 && left != first, "{left:?}");
    block_on(boots.group_starts_from(&identity(), "workers", None)).unwrap();
    assert!(kept(&store).is_empty());
}

/// What a machine reads and writes is what its role lets it, and nobody else's.
#[test]
fn roles_allow_what_first_boots_do() {
    let spec = spec("  nodeGroups: [{ name: workers, replicas: 1 }]\n");
    let desired = model::desired_state(&spec, &AssetIndex::Imagined).unwrap();
    let blueprint = Blueprint::of(&spec);
    let bucket = "arn:aws:s3:::example-clusters/some/where/";
    let allowed = |role: &str, action: &str| -> Vec<String> {
        let Some(Resource::Role(Role { statements, .. })) = desired
            .resources
            .get(&ResourceKey::new(Kind::Role, role))
            .map(|wanted| &wanted.resource)
        else {
            panic!("there is no role {role}");
        };
        let statements = statements.as_array().unwrap().iter();
        let fit = statements.filter(|statement| {
            statement["Action"]
                .as_array()
                .unwrap()
                .iter()
                .any(|one| one == action)
        });
        let resources = fit.flat_map(|statement| statement["Resource"].as_array().unwrap().clone());
        resources
            .map(|resource| resource.as_str().unwrap().to_owned())
            .collect()
    };
    for (name, role, other) in [
        ("control-plane-1", "control-plane", "node"),
        ("workers", "node", "control-plane"),
    ] {
        let mut machines = blueprint.machines_and_any_of_groups();
        let machine = machines.find(|machine| machine.name == name).unwrap();
        let path = stored::bundle_path(blueprint.name, machine, Digest::of_bytes(b"x"));
        let object = format!("{bucket}{path}");
        let may_read = |role: &str| {
            allowed(role, "s3:GetObject").iter().any(|pattern| {
                pattern
                    .strip_suffix('*')
                    .is_some_and(|prefix| object.starts_with(prefix))
            })
        };
        assert!(may_read(role), "{object}");
        assert!(!may_read(other), "{object}");
        let own_keys = stored::host_keys_path(blueprint.name, "${ec2:SourceInstanceARN}");
        let own_keys = format!("{bucket}{own_keys}");
        assert!(allowed(role, "s3:PutObject").contains(&own_keys), "{own_keys}");
    }
}

#[test]
fn a_machine_whose_address_is_not_known_has_no_bundle_yet() {
    let spec = spec("  nodeGroups: [{ name: workers, replicas: 1 }]\n");
    let store = Arc::new(MemoryStore::new());
    let boots = first_boots(&spec, &store, NOW);
    let refused = block_on(boots.keep(&identity(), "workers-1", 0)).unwrap_err();
    assert!(refused.message.contains("workers-1"), "{refused:?}");
    assert!(kept(&store).is_empty());
}

//! What is written down about the snapshots of a cluster: whose they are, what ran, and with which keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson::execute::{Interrupt, ProviderSet, Silent};
use keelson::model::{Blueprint, Classes};
use keelson::node::{AssetIndex, SNAPSHOT_AUTHORITIES};
use keelson::ops::{
    ApplyOptions, Authorities, AutoApprove, ClusterRecord, SaveRequest, Session, SessionParts, SpecBundles,
};
use keelson::pki::{Authority, AuthorityName, Seal, Terms};
use keelson::{backup::Archive, spec};
use keelson_provider_api::bundle::{BundleSource, FoundOnMachine};
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{ClusterIdentity, Precondition, Progress, Store};
use keelson_provider_simulated::{
    Like, MemoryStore, SimulatedMaintenance, SimulatedOptions, SimulatedWorld, providers,
};

use super::etcd_alone::{NOW, begin};
use super::{backup_parts, block_on, world};

/// What stands in the record of a cluster about its keys.
async fn recorded(store: &MemoryStore, name: &ClusterName) -> BTreeMap<String, String> {
    let path = format!("{name}/cluster.json");
    let record = store.read(&path).await.unwrap().unwrap().content;
    let record: ClusterRecord = serde_json::from_slice(&record).unwrap();
    let keys = record.keys.into_iter();
    keys.map(|(name, digest)| (name, digest.to_string())).collect()
}

#[test]
fn a_save_writes_down_whose_it_is_what_ran_and_with_which_keys() {
    block_on(async {
        let text = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: prod }\nspec:\n  \
                    provider: { simulated: {} }\n  kubernetesVersion: 1.35.6\n  etcd: { events: separate }\n";
        let spec = spec::load(text.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"));
        let world = world();
        let (store, name) = (Arc::new(MemoryStore::new()), spec.name().clone());
        let backups = backup_parts(
            Archive::of_cluster(store.clone(), &name, Arc::new(Seal::none())),
            Arc::new(SimulatedMaintenance::of(&world)),
        );
        let all = ProviderSet::new(providers(&world)).unwrap();
        let session = Session::new(SessionParts {
            backups: Some(backups),
            ..SessionParts::simulated(spec, all, store.clone(), world.clock(), "test")
        });
        let (options, interrupt) = (ApplyOptions::default(), Interrupt::new());
        let applied = session.apply(&options, &AutoApprove, &Silent, &interrupt).await;
        let authorities = Authorities::new(
            store.clone(),
            name.clone(),
            Seal::none(),
            world.clock(),
            Terms::AUTHORITY,
            Vec::new(),
        );
        authorities.digests(false).await.unwrap();
        let (request, progress) = (SaveRequest::default(), Progress::default());
        let saved = session.save_backups(&request, &progress);
        let saved = saved.await.unwrap();
        let status = session.status(&Silent).await.unwrap();
        let report = session.etcd_report(&Silent).await.unwrap();
        let keys = recorded(&store, &name).await;
        assert_eq!(keys.len(), 5, "{keys:?}");
        for (backup, etcd) in saved.iter().zip(["main", "events"]) {
            let manifest = &backup.manifest;
            assert_eq!(manifest.etcd_cluster, etcd);
            assert_eq!(manifest.authorities, keys);
            assert_eq!(
                Some(&manifest.cluster_uid),
                applied.as_ref().unwrap().identity.uid.as_ref()
            );
            assert_eq!(manifest.cluster_name, name);
            let version = status.nodes[0].version.unwrap().to_string();
            assert_eq!(manifest.kubernetes_version.as_ref(), Some(&version));
            let members = &report.clusters[etcd].members;
            let writer = members.iter().find(|member| member.machine == manifest.machine);
            assert_eq!(Some(&manifest.etcd_version), writer.unwrap().version.as_ref());
        }
        assert_eq!(saved.len(), 2);
    });
}

/// The text of the file of digests that a machine gets with its bundle, the names of all that comes beside it, and what is
/// recorded.
async fn brought(hosts: &str, etcd: &str) -> (Option<String>, Vec<String>, BTreeMap<String, String>) {
    let text = format!(
        "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: prod }}\nspec:\n  provider:\n    ssh:\n      \
         hosts: [{hosts}]\n      apiAddress: 10.0.0.100\n  etcd: {{ version: 3.6.8{etcd} }}\n"
    );
    let spec = spec::load(text.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"));
    let clock = SimulatedWorld::in_memory(SimulatedOptions {
        start: NOW,
        ..SimulatedOptions::new(Like::Ssh, 1)
    })
    .clock();
    let (store, name) = (Arc::new(MemoryStore::new()), spec.name().clone());
    begin(&store, &name).await;
    let authorities = Authorities::new(
        store.clone(),
        name.clone(),
        Seal::none(),
        clock,
        Terms::AUTHORITY,
        Vec::new(),
    );
    let bundles = SpecBundles::new(spec.clone(), AssetIndex::Imagined, authorities, BTreeMap::new());
    let blueprint = Blueprint::of(&spec);
    let mut machines = blueprint.machines.iter();
    let machine = machines.find(|machine| machine.name == "a").unwrap();
    let wanted = Classes::new(&blueprint, &AssetIndex::Imagined).bundle(machine);
    let identity = ClusterIdentity {
        name: name.clone(),
        uid: None,
    };
    let found = FoundOnMachine {
        architecture: "x86_64".to_owned(),
        ..FoundOnMachine::default()
    };
    let bundle = bundles.bundle(&identity, &wanted.unwrap(), &found).await.unwrap();
    let file = SNAPSHOT_AUTHORITIES.trim_start_matches('/').replace('/', "_");
    let digests = bundle.secrets.get(&file);
    let digests = digests.map(|digests| String::from_utf8(digests.expose().clone()).unwrap());
    let names = bundle.secrets.into_keys().collect();
    (digests, names, recorded(&store, &name).await)
}

const ALONE: &str = "{ name: a, address: 10.0.0.1, roles: [etcd] }";
const STACKED: &str = "{ name: a, address: 10.0.0.1, roles: [control-plane] }";
const OF_ALL: &str =
    "{ name: a, address: 10.0.0.1, roles: [etcd] }, { name: b, address: 10.0.0.2, roles: [control-plane] }";

#[test]
fn machines_that_take_snapshots_are_brought_the_digests_of_the_cluster_s_keys() {
    block_on(async {
        for (hosts, placement, count) in [
            (ALONE, ", placement: { dedicated: {} }", 1),
            (STACKED, "", 5),
            // A machine of etcd alone, in a cluster with Kubernetes, has nothing else of it.
            (OF_ALL, ", placement: { dedicated: {} }", 5),
        ] {
            let scheduled = format!("{placement}, snapshots: {{ schedule: hourly }}");
            let (digests, names, keys) = brought(hosts, &scheduled).await;
            let digests: BTreeMap<String, String> = serde_json::from_str(&digests.unwrap()).unwrap();
            assert_eq!(keys.len(), count, "{keys:?}");
            assert_eq!(digests, keys);
            let (without, others, _) = brought(hosts, placement).await;
            assert_eq!((without, others.len()), (None, names.len() - 1), "{others:?}");
        }
    });
}

/// Pods of a control plane do not start anew for what only snapshots need.
#[test]
fn a_schedule_changes_nothing_of_a_control_plane() {
    let pods = |etcd: &str| {
        let text = format!(
            "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: prod }}\nspec:\n  provider:\n    ssh:\n      \
             hosts: [{STACKED}]\n      apiAddress: 10.0.0.100\n  etcd: {{ version: 3.6.8{etcd} }}\n"
        );
        let spec = spec::load(text.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"));
        let mut rendered = keelson::ops::render(&spec, &AssetIndex::Imagined).unwrap();
        let mut files = rendered.machines.remove(0).files;
        files.retain(|path, _| path.contains("/kubernetes/manifests/"));
        files
    };
    let before = pods("");
    assert_eq!(before.len(), 3, "{:?}", before.keys());
    assert_eq!(pods(", snapshots: { schedule: hourly }"), before);
}

/// They stay the same as long as the cluster lives, which is why only their file is looked for on machines.
#[test]
fn the_digests_of_a_cluster_s_keys_do_not_change() {
    block_on(async {
        let store = Arc::new(MemoryStore::new());
        let name: ClusterName = "prod".parse().unwrap();
        begin(&store, &name).await;
        let clock = SimulatedWorld::in_memory(SimulatedOptions::new(Like::Ssh, 1)).clock();
        let authorities = |brought: Vec<Authority>| {
            let (store, terms) = (store.clone(), Terms::AUTHORITY);
            Authorities::new(store, name.clone(), Seal::none(), clock.clone(), terms, brought)
        };
        let alone = authorities(Vec::new()).digests(true).await.unwrap();
        assert_eq!(alone.len(), 1);
        let all = authorities(Vec::new()).digests(false).await.unwrap();
        assert_eq!(all["etcd"], alone["etcd"]);
        assert_eq!(authorities(Vec::new()).digests(false).await.unwrap(), all);
        assert_eq!(
            authorities(Vec::new()).digests(true).await.unwrap(),
            all,
            "what the cluster has is told, also where it has become an etcd alone"
        );
        let other = Authority::create(AuthorityName::Etcd, Terms::AUTHORITY, NOW).unwrap();
        authorities(vec![other]).digests(true).await.unwrap_err();
        let path = "prod/pki/encryption";
        store.delete(path, Precondition::None).await.unwrap();
        authorities(Vec::new()).digests(false).await.unwrap_err();
    });
}

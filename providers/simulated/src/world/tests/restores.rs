use std::path::PathBuf;
use std::time::Duration;

use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::kinds::{MemberPhase, MemberStart};
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    BoxFuture, Clock, ErrorClass, EtcdMaintenance, EtcdRestore, Health, Kind, NotedContents, Outcome,
    Progress, ProviderError, Resource, ResourceKey, Restoration, WrittenSnapshot,
};
use tempfile::TempDir;

use crate::testing::Fixture;
use crate::world::{Holder, World};
use crate::{EtcdPlace, Like, SimulatedMaintenance, SimulatedRestore};

const FOUNDERS: [&str; 3] = ["a", "b", "c"];

/// A cluster, and a snapshot of its etcd.
struct Scene {
    fixture: Fixture,
    restore: SimulatedRestore,
    restoration: Restoration,
    _folder: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let fixture = Fixture::with_three(Like::Ssh).await;
        let maintenance = SimulatedMaintenance::of(&fixture.world);
        let (written, bytes) = snapshot(&fixture, &maintenance).await;
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("snapshot.db");
        std::fs::write(&file, &bytes).unwrap();
        let restoration = Restoration {
            id: "one".to_owned(),
            begun_at: fixture.world.clock().now(),
            etcd: &MAIN,
            founders: FOUNDERS.map(str::to_owned).to_vec(),
            file,
            sha256: written.sha256,
            size_bytes: written.size_bytes,
            noted: Some(NotedContents {
                contents: written.contents,
                etcd_version: written.etcd_version,
            }),
            bump_revision: 1000,
            serves_kubernetes: true,
        };
        Self {
            restore: SimulatedRestore::of(&fixture.world),
            fixture,
            restoration,
            _folder: folder,
        }
    }

    /// Carries steps out, by their letters: check, bring, forget, hold, end, place, start, release.
    async fn carry_out(&self, steps: &str) -> Result<(), ProviderError> {
        let context = &self.fixture.context;
        for step in steps.chars() {
            let (restore, restoration) = (&self.restore, &self.restoration);
            let work: BoxFuture<'_, Result<(), ProviderError>> = match step {
                'c' => restore.check(context, restoration),
                'b' => restore.bring_snapshot(context, restoration),
                'f' => Box::pin(async move {
                    restore.forget_snapshot(context, restoration).await;
                    Ok(())
                }),
                'h' => restore.hold_control_planes(context),
                'e' => restore.end_members(context, restoration),
                'p' => restore.place_data(context, restoration),
                's' => restore.start_members(context, restoration),
                _ => restore.release_control_planes(context),
            };
            let mut result = Ok(());
            let clock = self.fixture.world.clock();
            clock.drive(Box::pin(async { result = work.await })).await;
            result?;
        }
        Ok(())
    }

    /// How many copies lie aside on `machine`, and how many of them by restores.
    async fn aside_on(&self, machine: &str) -> (usize, usize) {
        let world = &self.fixture.world;
        let copies = world.etcd_copies(&self.fixture.context.cluster, "main");
        let all = copies
            .iter()
            .filter(|copy| copy.machine == machine && copy.place == EtcdPlace::Aside);
        let by_restores = self
            .restore
            .set_aside(&self.fixture.context, &self.restoration)
            .await
            .unwrap();
        let by_restores = by_restores.iter().filter(|aside| aside.machine == machine);
        (all.count(), by_restores.count())
    }

    /// Takes the member on `machine` away, and has another one join in its place.
    async fn replace(&self, machine: &str) {
        let (key, mut resource) = Fixture::member(machine, MemberStart::Join);
        assert_eq!(self.fixture.delete(&key).await, Outcome::Done);
        if let Resource::EtcdMember(member) = &mut resource {
            member.phase = MemberPhase::Voter;
        }
        self.fixture.done((key, resource)).await;
    }

    async fn health(&self, kind: Kind, name: &str) -> Health {
        self.fixture.existing(&ResourceKey::new(kind, name)).await.health
    }

    /// How many copies of the data there are: served, put there, moved aside.
    fn copies(&self) -> [usize; 3] {
        let copies = self
            .fixture
            .world
            .etcd_copies(&self.fixture.context.cluster, "main");
        [EtcdPlace::Served, EtcdPlace::Placed, EtcdPlace::Aside]
            .map(|place| copies.iter().filter(|copy| copy.place == place).count())
    }
}

async fn snapshot(fixture: &Fixture, maintenance: &SimulatedMaintenance) -> (WrittenSnapshot, Vec<u8>) {
    let mut written = None;
    let cluster = &fixture.context.cluster;
    let clock = fixture.world.clock();
    let work = async {
        let progress = Progress::default();
        let snapshot = maintenance
            .write_snapshot(cluster, &MAIN, &progress)
            .await
            .unwrap();
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1000);
        maintenance
            .read_snapshot(cluster, &snapshot, 0, sender)
            .await
            .unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = receiver.recv().await {
            bytes.extend(piece);
        }
        written = Some((snapshot, bytes));
    };
    clock.drive(Box::pin(work)).await;
    written.unwrap()
}

#[tokio::test]
async fn each_step_is_done_once_and_leaves_all_data_that_there_was() {
    let scene = Scene::new().await;
    let rows = [
        ("c", [3, 0, 0]),
        ("bb", [3, 0, 0]),
        ("hh", [3, 0, 0]),
        ("ee", [0, 0, 3]),
        ("pp", [0, 3, 3]),
        ("ss", [3, 0, 3]),
        ("rr", [3, 0, 3]),
        ("hepsr", [3, 0, 3]),
    ];
    for (steps, copies) in rows {
        scene.carry_out(steps).await.unwrap();
        assert_eq!(scene.copies(), copies, "{steps}");
    }
    scene.fixture.wait(Duration::from_secs(60)).await;
    assert_eq!(scene.health(Kind::ControlPlane, "a").await, Health::Healthy);
    assert_eq!(scene.fixture.world.violations(), []);
}

#[tokio::test]
async fn what_restores_move_aside_nobody_deletes() {
    let mut scene = Scene::new().await;
    for restore in 1..=4 {
        scene.restoration.id = format!("restore-{restore}");
        scene.carry_out("hepsr").await.unwrap();
        scene.fixture.wait(Duration::from_secs(60)).await;
        assert_eq!(scene.aside_on("c").await, (restore, restore));
    }
    // Of what other ends of members leave there the last two stay.
    for replaced in 1..=4 {
        scene.replace("c").await;
        scene.fixture.wait(Duration::from_secs(60)).await;
        assert_eq!(scene.aside_on("c").await, (4 + replaced.min(2), 4));
    }
    assert_eq!(scene.aside_on("a").await, (4, 4));
}

#[tokio::test]
async fn what_machines_were_brought_becomes_data_or_is_taken_away_again() {
    let scene = Scene::new().await;
    let brought = || {
        let cluster = &scene.fixture.context.cluster;
        scene.fixture.world.brought_snapshots(cluster).len()
    };
    for (steps, expected) in [("b", 3), ("b", 3), ("f", 0), ("bhep", 0), ("b", 0), ("sr", 0)] {
        scene.carry_out(steps).await.unwrap();
        assert_eq!(brought(), expected, "{steps}");
    }
}

#[tokio::test]
async fn a_snapshot_that_is_not_what_was_written_down_is_refused() {
    let mut scene = Scene::new().await;
    scene.restoration.noted.as_mut().unwrap().contents.total_keys += 1;
    let error = scene.carry_out("b").await.unwrap_err();
    assert!(
        error.message.contains("it is not what was saved: keys: it has "),
        "{error}"
    );
    scene.restoration.noted = None;
    scene.carry_out("b").await.unwrap();
}

#[tokio::test]
async fn a_step_that_comes_too_early_is_refused() {
    let rows = [
        ("p", "a member of before has come to a meanwhile"),
        (
            "s",
            "a has not been given its data: no member is started before all have theirs",
        ),
        (
            "es",
            "a has not been given its data: no member is started before all have theirs",
        ),
    ];
    for (steps, message) in rows {
        let scene = Scene::new().await;
        let error = scene.carry_out(steps).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent);
        assert_eq!(error.message, message, "{steps}");
    }
}

#[tokio::test]
async fn nothing_serves_until_the_members_have_their_data() {
    let scene = Scene::new().await;
    scene.carry_out("h").await.unwrap();
    let held = Health::Unhealthy("it is stopped until its etcd has been given other data".to_owned());
    assert_eq!(scene.health(Kind::ControlPlane, "a").await, held);
    assert_eq!(scene.health(Kind::EtcdMember, "main:a").await, Health::Healthy);
    scene.carry_out("eps").await.unwrap();
    assert_eq!(scene.health(Kind::EtcdMember, "main:a").await, Health::Healthy);
    assert_eq!(scene.health(Kind::ControlPlane, "a").await, held);
    scene.carry_out("r").await.unwrap();
    assert_ne!(scene.health(Kind::ControlPlane, "a").await, held);
}

#[tokio::test]
async fn a_snapshot_that_is_altered_or_none_is_refused_before_anything_is_touched() {
    let mut scene = Scene::new().await;
    let other = |file: &PathBuf, bytes: &[u8]| std::fs::write(file, bytes).unwrap();
    other(&scene.restoration.file, b"other");
    let error = scene.carry_out("c").await.unwrap_err();
    assert!(error.message.contains("it is not what it was"), "{error:?}");
    scene.restoration.sha256 = Digest::of_bytes(b"other").hexadecimal();
    let error = scene.carry_out("c").await.unwrap_err();
    assert!(error.message.contains("that is not simulated"), "{error:?}");
    assert_eq!(scene.copies(), [3, 0, 0]);
}

#[tokio::test]
async fn data_is_written_down_with_the_world_and_goes_with_its_machine() {
    let mut scene = Scene::new().await;
    scene.carry_out("hep").await.unwrap();
    // Another one, for which they have been brought its snapshot so far.
    scene.restoration.id = "two".to_owned();
    scene.carry_out("b").await.unwrap();
    let cluster = &scene.fixture.context.cluster;
    let copies = scene.fixture.world.etcd_copies(cluster, "main");
    let now = scene.fixture.world.clock().now();
    let effects = scene.fixture.world.lock().world.as_effects();
    let mut again = World::new(Like::Ssh, 7, now);
    again.apply(now, effects);
    let holder = Holder::of(cluster).unwrap();
    assert_eq!(again.etcd_copies(&holder, "main", now), copies);
    assert_eq!(again.brought(&holder).len(), 3);
    let machine = again.machine(&holder, "a").unwrap().clone();
    again.apply(now, again.without_machine(&machine));
    let left = again.etcd_copies(&holder, "main", now);
    let on_others = copies.into_iter().filter(|copy| copy.machine != "a");
    assert_eq!(left, on_others.collect::<Vec<_>>());
    assert_eq!(again.brought(&holder).len(), 2);
    assert!(
        again.etcd_cluster(&holder, "main").is_some(),
        "it waits for its data"
    );
}

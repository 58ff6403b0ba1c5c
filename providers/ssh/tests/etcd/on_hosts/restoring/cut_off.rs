//! What a power cut, a lost connection or the end of a whole cluster in the middle of a restore leaves on a machine is put there by
//! hand: the next run goes on from it, or takes it away.

use keelson_provider_api::{EtcdRestore, Restoration, StepContext};

use super::{ETCDUTL, context, count, value};
use crate::fixture::{Fixture, identity};

const DATA: &str = "/var/lib/etcd";
const MANIFESTS: &str = "/etc/kubernetes/manifests";
const HELD: &str = "/var/lib/keelson/held";

/// Makes `a` a host that the cluster `uid` has claimed.
fn claim(fixture: &Fixture, uid: &str) {
    let mark = format!("{{\"uid\":\"{uid}\",\"name\":\"a\"}}\n");
    let host = fixture.host("a");
    host.write_file("/var/lib/keelson/host.json", mark).unwrap();
}

/// Gives it back, with what the cluster has held there.
fn unclaim(fixture: &Fixture) {
    let unclaim = format!("rm -rf /var/lib/keelson/host.json {HELD} /etc/kubernetes");
    fixture.host("a").run(&unclaim).unwrap();
}

/// Puts a control plane's manifest into `folder`.
fn put_manifest(fixture: &Fixture, folder: &str, name: &str) {
    let put = format!("mkdir -p {folder} && echo {name} >{folder}/kube-{name}.yaml");
    fixture.host("a").run(&put).unwrap();
}

/// The names of the files in `folder`.
fn names(fixture: &Fixture, folder: &str) -> Vec<String> {
    let list = format!("ls {folder} 2>/dev/null; true");
    let names = fixture.host("a").run(&list).unwrap();
    names.lines().map(str::to_owned).collect()
}

/// A host of the spec that no cluster has claimed is nobody's to stop: its control plane may be somebody's who knows nothing of
/// keelson. What this cluster has held comes to its place again all the same, also where the claim has gone.
pub(super) async fn held_of_nobody(fixture: &Fixture) {
    const PROCESS: &str =
        "cp /bin/sleep /opt/kube-scheduler && systemd-run --quiet --unit=scheduler /opt/kube-scheduler 600";
    let (host, provider, context) = (fixture.host("a"), &fixture.provider, context(fixture));
    put_manifest(fixture, MANIFESTS, "scheduler");
    host.run(PROCESS).unwrap();
    provider.hold_control_planes(&context).await.unwrap();
    assert_eq!(names(fixture, MANIFESTS), ["kube-scheduler.yaml"]);
    assert_eq!(names(fixture, HELD), [""; 0]);
    host.run("systemctl is-active scheduler").unwrap();
    // What others hold there is theirs too.
    put_manifest(fixture, HELD, "apiserver");
    for _ in 0..2 {
        provider.release_control_planes(&context).await.unwrap();
        assert_eq!(names(fixture, MANIFESTS), ["kube-scheduler.yaml"]);
        assert_eq!(names(fixture, HELD), ["kube-apiserver.yaml"]);
    }
    host.run(&format!("rm -r {HELD}")).unwrap();

    claim(fixture, "uid-1");
    provider.hold_control_planes(&context).await.unwrap();
    assert_eq!(names(fixture, MANIFESTS), [""; 0]);
    host.run("! systemctl is-active scheduler").unwrap();
    host.run("rm /var/lib/keelson/host.json").unwrap();
    provider.release_control_planes(&context).await.unwrap();
    assert_eq!(names(fixture, MANIFESTS), ["kube-scheduler.yaml"]);
    unclaim(fixture);
}

/// What a restore has held of another cluster's control plane is not this cluster's to let run again: that one was destroyed
/// meanwhile, and its host was not seen.
pub(super) async fn held_of_another_cluster(fixture: &Fixture) {
    let provider = &fixture.provider;
    let ours = context(fixture);
    let theirs = StepContext {
        cluster: identity("uid-2"),
        ..context(fixture)
    };
    for holds_its_own in [false, true] {
        claim(fixture, "uid-2");
        put_manifest(fixture, MANIFESTS, "apiserver");
        provider.hold_control_planes(&theirs).await.unwrap();
        assert_eq!(names(fixture, HELD), ["cluster", "kube-apiserver.yaml"]);
        claim(fixture, "uid-1");
        if holds_its_own {
            put_manifest(fixture, MANIFESTS, "scheduler");
            for _ in 0..2 {
                provider.hold_control_planes(&ours).await.unwrap();
            }
            assert_eq!(names(fixture, HELD), ["cluster", "kube-scheduler.yaml"]);
        }
        assert_eq!(names(fixture, MANIFESTS), [""; 0], "it is held");
        provider.release_control_planes(&ours).await.unwrap();
        let expected: &[&str] = if holds_its_own {
            &["kube-scheduler.yaml"]
        } else {
            &[]
        };
        assert_eq!(names(fixture, MANIFESTS), expected);
        assert_eq!(names(fixture, "-d /var/lib/keelson/held"), [""; 0]);
        unclaim(fixture);
    }
}

/// A keelson of before did not write down of whose control plane the manifests are that it has held. Those of a host that was claimed
/// before are this cluster's, and a restore that is gone on with lets them run; what is older than the claim was left by another.
pub(super) async fn held_by_a_keelson_of_before(fixture: &Fixture) {
    let (host, provider, context) = (fixture.host("a"), &fixture.provider, context(fixture));
    let rows: [(&str, bool, &[&str]); 3] = [
        ("1 hour ago", true, &["kube-apiserver.yaml"]),
        ("1 hour ago", false, &["kube-apiserver.yaml"]),
        ("1 hour", true, &[]),
    ];
    for (claimed, is_held_again, expected) in rows {
        claim(fixture, "uid-1");
        put_manifest(fixture, HELD, "apiserver");
        let age = format!("mkdir -p {MANIFESTS} && touch -d '{claimed}' /var/lib/keelson/host.json");
        host.run(&age).unwrap();
        if is_held_again {
            provider.hold_control_planes(&context).await.unwrap();
        }
        provider.release_control_planes(&context).await.unwrap();
        assert_eq!(names(fixture, MANIFESTS), expected, "{claimed} {is_held_again}");
        assert_eq!(names(fixture, "-d /var/lib/keelson/held"), [""; 0]);
        unclaim(fixture);
    }
}

/// The power went after the end of a member had begun: folders that came to hold nothing, one of them without a mark.
pub(super) async fn folders_that_hold_nothing(fixture: &Fixture, restoration: &Restoration) {
    let (host, provider) = (fixture.host("b"), &fixture.provider);
    host.run(&leave_folders()).unwrap();
    provider
        .end_members(&context(fixture), restoration)
        .await
        .unwrap();
    assert_eq!(count(fixture, &format!("{DATA}/removed-2020*")), 0);
    assert_eq!(count(fixture, &format!("{DATA}/removed-mine/by-hand")), 1);
    let aside = provider.set_aside(&context(fixture), restoration).await.unwrap();
    assert_eq!(aside.len(), restoration.founders.len(), "{aside:?}");
}

/// Two that were begun, and one that somebody has made who is not asked here.
fn leave_folders() -> String {
    format!(
        "cd {DATA} && mkdir removed-20200101T000000Z removed-20200102T000000Z removed-mine && \
         echo one >removed-20200101T000000Z/kept && >removed-20200102T000000Z/mark.json && >removed-mine/by-hand"
    )
}

/// The power went while the data was made: what there is of it takes no room from those who make it anew.
pub(super) async fn made_in_part(fixture: &Fixture, restoration: &Restoration) {
    fixture
        .host("b")
        .run(&format!(
            "mkdir -p {DATA}/restoring/member/snap && free=$(df --output=avail -B1 {DATA} | tail -n 1) && \
             fallocate -l $((free - (100 << 20))) {DATA}/restoring/member/snap/db"
        ))
        .unwrap();
    let checked = fixture.provider.check(&context(fixture), restoration).await;
    checked.unwrap();
}

/// A connection was lost, and what was sent over it goes on while the same is sent again: one of them waits for the other.
pub(super) async fn sent_twice(fixture: &Fixture, restoration: &Restoration) {
    let (host, provider) = (fixture.host("b"), &fixture.provider);
    let slow = format!(
        "#!/bin/sh\ncase \"$*\" in *'snapshot restore'*) sleep 2 ;; esac\nexec {ETCDUTL}.real \"$@\"\n"
    );
    host.run(&format!("mv {ETCDUTL} {ETCDUTL}.real")).unwrap();
    host.write_file(ETCDUTL, slow).unwrap();
    host.run(&format!("chmod 755 {ETCDUTL}")).unwrap();
    let (one, other) = (context(fixture), context(fixture));
    let (one, other) = tokio::join!(
        provider.place_data(&one, restoration),
        provider.place_data(&other, restoration)
    );
    one.unwrap();
    other.unwrap();
    host.run(&format!("mv {ETCDUTL}.real {ETCDUTL}")).unwrap();
    assert_eq!(count(fixture, &format!("{DATA}/restoring")), 0);
    assert_eq!(count(fixture, &format!("{DATA}/member/wal")), 1);
}

/// The power went before the data was on the disk, where its mark was by then; and etcd has been started over nothing. It knows of no
/// fellow that could tell it who it was.
pub(super) async fn lost_with_the_power(fixture: &Fixture, restoration: &Restoration) {
    fixture
        .host("b")
        .run(&format!(
            "rm -r {DATA}/member && systemctl start --no-block etcd && \
             for n in $(seq 100); do ! test -d {DATA}/member || break; sleep 0.1; done; test -d {DATA}/member"
        ))
        .unwrap();
    assert_eq!(count(fixture, &format!("{DATA}/member/wal")), 0, "it is no data");
    let alone = "grep -c '^ETCD_INITIAL_CLUSTER=b=https://[0-9.]*:2380$' /etc/etcd/main.member.env; true";
    let alone = fixture.host("b").run(alone).unwrap();
    assert_eq!(alone.trim(), "1", "it names itself and nobody else");
    let provider = &fixture.provider;
    provider.place_data(&context(fixture), restoration).await.unwrap();
    provider
        .start_members(&context(fixture), restoration)
        .await
        .unwrap();
    assert_eq!(value(fixture), "before");
}

/// The cluster goes in the middle: nothing that holds its data stays on a machine that is given back.
pub(super) async fn given_back(fixture: &Fixture) {
    let host = fixture.host("b");
    host.run(&format!(
        "rm -r {DATA}/removed-mine; {}; mkdir -p {DATA}/restoring/member && echo data >{DATA}/restoring/member/db",
        leave_folders()
    ))
    .unwrap();
    fixture.wipe("b", "uid-1").await;
    let left = host.run(&format!(
        "cd {DATA} && find . -mindepth 1 ! -path './lost+found*'"
    ));
    let mut left: Vec<String> = left.unwrap().lines().map(str::to_owned).collect();
    left.sort();
    assert_eq!(left, ["./removed-mine", "./removed-mine/by-hand"]);
}

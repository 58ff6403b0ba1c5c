//! What a power cut, a lost connection or the end of a whole cluster in the middle of a restore leaves on a machine is put there by
//! hand: the next run goes on from it, or takes it away.

use keelson_provider_api::{EtcdRestore, Restoration, StepContext};

use super::{ETCDUTL, context, count, value};
use crate::fixture::{Fixture, identity};

const DATA: &str = "/var/lib/etcd";

/// What a restore has held of another cluster's control plane is not this cluster's to let run again: that one was destroyed
/// meanwhile, and its host was not seen.
pub(super) async fn held_of_another_cluster(fixture: &Fixture) {
    const MANIFESTS: &str = "/etc/kubernetes/manifests";
    let (host, provider) = (fixture.host("a"), &fixture.provider);
    let ours = context(fixture);
    let theirs = StepContext {
        cluster: identity("uid-2"),
        ..context(fixture)
    };
    for holds_its_own in [false, true] {
        host.run(&format!(
            "mkdir -p {MANIFESTS} && echo theirs >{MANIFESTS}/kube-apiserver.yaml"
        ))
        .unwrap();
        provider.hold_control_planes(&theirs).await.unwrap();
        if holds_its_own {
            host.run(&format!("echo ours >{MANIFESTS}/kube-scheduler.yaml"))
                .unwrap();
            for _ in 0..2 {
                provider.hold_control_planes(&ours).await.unwrap();
            }
        }
        let there = format!("ls {MANIFESTS} /var/lib/keelson/held 2>/dev/null | grep -c yaml; true");
        assert_eq!(host.run(&there).unwrap().trim(), "1", "it is held");
        provider.release_control_planes(&ours).await.unwrap();
        let there = host.run(&format!("ls {MANIFESTS}; ! test -e /var/lib/keelson/held"));
        let expected = if holds_its_own {
            "kube-scheduler.yaml\n"
        } else {
            ""
        };
        assert_eq!(there.unwrap(), expected);
    }
    host.run("rm -r /etc/kubernetes").unwrap();
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

/// The power went before the data was on the disk, where its mark was by then; and etcd has been started over nothing.
pub(super) async fn lost_with_the_power(fixture: &Fixture, restoration: &Restoration) {
    fixture
        .host("b")
        .run(&format!(
            "rm -r {DATA}/member && systemctl start --no-block etcd && \
             for n in $(seq 100); do ! test -d {DATA}/member || break; sleep 0.1; done; test -d {DATA}/member"
        ))
        .unwrap();
    assert_eq!(count(fixture, &format!("{DATA}/member/wal")), 0, "it is no data");
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

//! Certificates on hosts come near their end, end, change their kind, and lose their keys; and what has to restart
//! restarts one at a time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use keelson::model::{Blueprint, MachineCertificates};
use keelson::pki::{ClusterPki, Seal, issue};
use keelson::store::DirectoryStore;
use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;

use super::client::Client;
use super::desk::{Desk, Spec};

const HOSTS: [&str; 3] = ["a", "b", "c"];
/// As in `scaling`.
const GAP_LIMIT: Duration = Duration::from_secs(30);
/// Certificates last 365 days and are renewed when a third of that is left.
pub(super) const RENEWAL_IS_DUE: SignedDuration = SignedDuration::from_hours(300 * 24);
const IT_IS_OVER: SignedDuration = SignedDuration::from_hours(366 * 24);

/// What etcd shows its clients: the end of the certificate's time, and the kind of its key.
const SHOWN: &str = "openssl s_client -connect 127.0.0.1:2379 </dev/null 2>/dev/null | openssl x509 -noout -enddate -text | \
                     grep -E 'notAfter|Public Key Algorithm|Public-Key' | tr -s ' \\n' ' '";

#[test]
fn certificates_are_renewed_and_members_restart_one_at_a_time() {
    let test = "on_hosts::renewal::certificates_are_renewed_and_members_restart_one_at_a_time";
    let Some(desk) = Desk::before(test, &HOSTS) else {
        return;
    };
    let spec = desk.spec_of(&HOSTS);
    desk.write(&spec);
    desk.expect(0, "apply --yes --accept-new-host-keys");
    let members = HOSTS.map(|name| desk.host(name));
    let client = Client::start(desk.host("a"), &members);
    let processes = processes(&desk);

    those_near_their_end_are_renewed(&desk, &spec);
    one_that_has_ended_is_renewed(&desk, &spec);
    a_key_that_is_gone_comes_again(&desk);
    another_kind_of_key_is_used_from_now_on(&desk, &spec);
    assert_eq!(
        self::processes(&desk),
        processes,
        "etcd reads its certificates anew by itself"
    );

    members_restart_one_at_a_time(&desk, &spec);
    an_authority_on_hosts_that_is_another_one_is_put_right(&desk);
    an_authority_that_is_gone_from_the_state_store_is_damage(&desk);
    client.stop().expect(GAP_LIMIT);
}

/// The process of etcd on each host.
fn processes(desk: &Desk) -> [String; 3] {
    HOSTS.map(|name| desk.host(name).run("systemctl show -P MainPID etcd").unwrap())
}

fn shown(desk: &Desk, name: &str) -> String {
    desk.host(name).run(SHOWN).unwrap()
}

/// Puts certificates on a host that were issued `age` ago.
pub(super) fn age_certificates(desk: &Desk, spec: &str, name: &str, age: SignedDuration) {
    let spec = keelson::spec::load(spec.as_bytes(), "cluster.yaml").unwrap();
    let store = DirectoryStore::new(desk.folder().join("state"));
    let blueprint = Blueprint::of(&spec);
    let machine = blueprint
        .machines
        .iter()
        .find(|machine| machine.name == name)
        .unwrap();
    let seal = Seal::none();
    let pki = ClusterPki::new(&store, spec.name(), &seal);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let then = SystemClock.now().checked_sub(age).unwrap();
    let host = desk.host(name);
    for (requirement, _) in MachineCertificates::of(&blueprint, machine).requirements {
        let place = requirement.place.clone().unwrap();
        let authority = runtime
            .block_on(pki.authority(requirement.signer))
            .unwrap()
            .unwrap();
        let issued = issue(&requirement, &authority, then).unwrap();
        assert!(
            issued.not_after
                < SystemClock
                    .now()
                    .checked_add(SignedDuration::from_hours(100 * 24))
                    .unwrap()
        );
        // In place: owner and mode stay.
        for (path, content) in [
            (&place.key_file, issued.key_pem.expose()),
            (&place.certificate_file, &issued.certificate_pem),
        ] {
            host.write_file(path, content).unwrap();
        }
    }
}

fn those_near_their_end_are_renewed(desk: &Desk, spec: &Spec) {
    let fresh = HOSTS.map(|name| shown(desk, name));
    for name in HOSTS {
        age_certificates(desk, &spec.text(), name, RENEWAL_IS_DUE);
        assert_ne!(shown(desk, name), fresh[0], "{name} shows the old one");
    }
    let plan = desk.expect(2, "plan");
    assert!(
        plan.stdout.contains("node-bundle") && plan.stdout.contains("certificates"),
        "{plan:#?}"
    );
    desk.expect(0, "apply --yes");
    for name in HOSTS {
        let year = end_of_shown(&shown(desk, name));
        assert!(
            year.duration_since(SystemClock.now()) > SignedDuration::from_hours(360 * 24),
            "{name}: {year}"
        );
    }
    desk.expect(0, "plan");
}

/// The time after `notAfter=`.
fn end_of_shown(shown: &str) -> Timestamp {
    let text = shown.split("notAfter=").nth(1).unwrap();
    let text = text.split(" GMT").next().unwrap();
    let time = jiff::civil::DateTime::strptime("%b %d %H:%M:%S %Y", text).unwrap();
    time.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
}

fn one_that_has_ended_is_renewed(desk: &Desk, spec: &Spec) {
    age_certificates(desk, &spec.text(), "b", IT_IS_OVER);
    let status = desk.status();
    assert_ne!(status["condition"], "absent", "{status:#}");
    desk.expect(0, "apply --yes");
    desk.expect(0, "status --wait --timeout 60s");
}

fn a_key_that_is_gone_comes_again(desk: &Desk) {
    desk.host("c").run("rm /etc/etcd/pki/peer.key").unwrap();
    let plan = desk.expect(2, "plan");
    assert!(plan.stdout.contains("node-bundle/c"), "{plan:#?}");
    desk.expect(0, "apply --yes");
    desk.host("c")
        .run("test \"$(stat -c '%a %U' /etc/etcd/pki/peer.key)\" = '600 etcd'")
        .unwrap();
    desk.expect(0, "plan");
}

fn another_kind_of_key_is_used_from_now_on(desk: &Desk, spec: &Spec) {
    assert!(shown(desk, "a").contains("id-ecPublicKey"));
    let more = "  pki: { keyAlgorithm: rsa-2048 }\n".to_owned();
    desk.write(&Spec { more, ..spec.clone() });
    desk.expect(0, "apply --yes");
    for name in HOSTS {
        let shown = shown(desk, name);
        assert!(
            shown.contains("rsaEncryption") && shown.contains("(2048 bit)"),
            "{name}: {shown}"
        );
    }
    desk.expect(0, "plan");
}

/// A setting that etcd reads when it starts.
fn members_restart_one_at_a_time(desk: &Desk, spec: &Spec) {
    let before = processes(desk);
    let more = "  pki: { keyAlgorithm: rsa-2048 }\n".to_owned();
    let text = Spec { more, ..spec.clone() }.text();
    let slower = text.replace("placement:", "electionTimeout: 2s, placement:");
    std::fs::write(desk.folder().join("cluster.yaml"), slower).unwrap();
    desk.expect(0, "apply --yes");
    restarted_one_at_a_time(desk, &before);
}

/// What etcd trusts it reads when it starts: nothing has gone wrong yet.
fn an_authority_on_hosts_that_is_another_one_is_put_right(desk: &Desk) {
    let before = processes(desk);
    let file = "/etc/etcd/pki/ca.crt";
    for name in HOSTS {
        let host = desk.host(name);
        host.run(&format!(
            "cp {file} {file}.right && cat /etc/etcd/pki/server.crt >{file}"
        ))
        .unwrap();
    }
    let plan = desk.expect(2, "plan");
    assert!(
        plan.stdout.contains("restart") && plan.stdout.contains("authorities"),
        "{plan:#?}"
    );
    desk.expect(0, "apply --yes");
    for name in HOSTS {
        let host = desk.host(name);
        host.run(&format!("cmp {file} {file}.right && rm {file}.right"))
            .unwrap();
    }
    restarted_one_at_a_time(desk, &before);
}

fn an_authority_that_is_gone_from_the_state_store_is_damage(desk: &Desk) {
    let before = processes(desk);
    let name = keelson::spec::load(
        &std::fs::read(desk.folder().join("cluster.yaml")).unwrap(),
        "cluster.yaml",
    );
    let kept = desk
        .folder()
        .join(format!("state/{}/pki/etcd", name.unwrap().name()));
    let aside = desk.folder().join("etcd-authority");
    std::fs::rename(&kept, &aside).unwrap();
    for command in ["plan", "apply --yes"] {
        let refused = desk.expect(1, command);
        assert!(
            refused.stderr.contains("pki/etcd") && refused.stderr.contains("is missing"),
            "{refused:#?}"
        );
    }
    assert!(!kept.exists(), "no other is made");
    std::fs::rename(&aside, &kept).unwrap();
    desk.expect(0, "apply --yes");
    assert_eq!(processes(desk), before);
}

/// Makes sure that all members were restarted since `before`, and never two at a time.
fn restarted_one_at_a_time(desk: &Desk, before: &[String; 3]) {
    let after = processes(desk);
    assert!(
        before.iter().zip(&after).all(|(before, after)| before != after),
        "{before:?} {after:?}"
    );
    // Stopped until up again, by the clock that all hosts share.
    let down = "systemctl show -P ActiveExitTimestampMonotonic etcd; systemctl show -P ActiveEnterTimestampMonotonic etcd";
    let mut spans: Vec<(u64, u64)> = HOSTS
        .map(|name| {
            let moments = desk.host(name).run(down).unwrap();
            let mut moments = moments.lines().map(|line| line.parse().unwrap());
            (moments.next().unwrap(), moments.next().unwrap())
        })
        .to_vec();
    spans.sort_unstable();
    assert!(
        spans.windows(2).all(|pair| pair[0].1 < pair[1].0),
        "two were down at once: {spans:?}"
    );
}

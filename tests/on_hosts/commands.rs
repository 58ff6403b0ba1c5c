//! What operators ask of a cluster that runs: its machines, its etcd, its certificates, a way in for clients.

use std::process::Stdio;

use super::desk::Desk;

const IGNORE: &str = "  preflight: { ignore: [time-sync] }\n";

/// Where etcd's programs are on a host.
const ETCDCTL: &str = "ETCDCTL_API=3 /opt/keelson/bin/etcdctl";

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_cluster_answers_its_operators_and_its_clients() {
    let names = ["a", "b", "c"];
    let test = "on_hosts::commands::a_cluster_answers_its_operators_and_its_clients";
    let Some(desk) = Desk::before(test, &names) else {
        return;
    };
    desk.spec(&names, IGNORE);
    logging_in(&desk);
    let none = desk.expect(1, "certs check");
    assert!(none.stderr.contains("there is no cluster"), "{none:#?}");
    let applied = desk.expect(0, "apply --yes");
    assert!(
        applied
            .stderr
            .contains("keelson etcd credentials -f cluster.yaml --out etcd-client"),
        "{applied:#?}"
    );
    machines_are_listed(&desk);
    what_is_rendered_is_what_lies_there(&desk, &names);
    every_member_says_how_it_is(&desk);
    a_client_is_let_in(&desk);
    members_let_members_in(&desk);
    metrics_stay_on_the_machine(&desk);
    certificates_are_checked(&desk);
    without_one_host(&desk);
    desk.expect(0, "destroy --yes");
}

/// Before there is a cluster: with a key that nobody knows, with one that was believed, and with commands that fail.
fn logging_in(desk: &Desk) {
    let unknown = desk.expect(255, "node ssh a -- true");
    assert!(unknown.stderr.contains("--accept-new-host-keys"), "{unknown:#?}");
    let believed = desk.expect(0, "node ssh --accept-new-host-keys a -- hostname");
    assert_eq!(believed.stdout, "a\n");
    let pinned = desk.expect(7, "node ssh a -- echo $0 out; echo err >&2; exit 7");
    assert!(
        pinned.stdout.ends_with(" out\n") && pinned.stderr.contains("err\n"),
        "{pinned:#?}"
    );
    let mut shell = desk.command("node ssh a").stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = shell.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"hostname; exit 9\n").unwrap();
    drop(stdin);
    let said = shell.wait_with_output().unwrap();
    assert_eq!(said.status.code(), Some(9), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stdout).contains("a\n"), "{said:?}");
    desk.expect(2, "plan --accept-new-host-keys");
    desk.expect(0, "node ssh b -- true");
}

fn machines_are_listed(desk: &Desk) {
    let list = json(&desk.expect(0, "node list -o json").stdout);
    for (node, name) in list["nodes"].as_array().unwrap().iter().zip(["a", "b", "c"]) {
        assert_eq!(
            (&node["name"], &node["state"]),
            (&name.into(), &"ready".into()),
            "{node:#}"
        );
        assert_eq!(node["bundle"], "current", "{node:#}");
        assert_eq!(node["address"], desk.host(name).address().to_string());
        assert!(
            node["etcdVersion"].is_string() && node["kubernetesVersion"].is_null(),
            "{node:#}"
        );
    }
    desk.spec(
        &["a", "b", "c"],
        &format!("{IGNORE}  pki: {{ certificateValidity: 48h }}\n"),
    );
    let list = json(&desk.expect(0, "node list -o json").stdout);
    assert_eq!(
        list["nodes"][2]["outdated"],
        serde_json::json!(["certificates"]),
        "{list:#}"
    );
    desk.spec(&["a", "b", "c"], IGNORE);
}

/// Byte by byte, and nothing lies there that is not rendered.
fn what_is_rendered_is_what_lies_there(desk: &Desk, names: &[&str]) {
    let said = desk.expect(0, "render --out rendered");
    assert!(!said.stderr.contains("nobody was asked"), "{said:#?}");
    for name in names {
        let folder = desk.path(&format!("rendered/{name}"));
        let listed = desk
            .host(name)
            .run("cd /var/lib/keelson/current/ && find . -type f | sort")
            .unwrap();
        let own = |path: &str| folder.join(path.trim_start_matches("./"));
        for path in listed.lines() {
            let there = desk
                .host(name)
                .read_file(format!("/var/lib/keelson/current/{path}"))
                .unwrap();
            let here = std::fs::read(own(path)).unwrap_or_else(|error| panic!("{name} {path}: {error}"));
            assert!(here == there, "{name}: {path} differs");
        }
        let bundle = desk
            .host(name)
            .run("basename $(readlink /var/lib/keelson/current)")
            .unwrap();
        let machine = std::fs::read_to_string(own("machine.yaml")).unwrap();
        assert!(machine.contains(bundle.trim()), "{bundle} is not in {machine}");
        // Beside the bundle there are the two listings.
        let rendered = std::process::Command::new("find")
            .arg(&folder)
            .args(["-type", "f"])
            .output()
            .unwrap();
        let rendered = String::from_utf8(rendered.stdout).unwrap().lines().count();
        assert_eq!(rendered, listed.lines().count() + 2, "{listed}");
    }
}

fn every_member_says_how_it_is(desk: &Desk) {
    let text = desk.expect(0, "etcd status").stdout;
    assert!(text.contains("healthy; 3 of 3 voters healthy"), "{text}");
    let report = json(&desk.expect(0, "etcd status -o json").stdout);
    let main = &report["clusters"]["main"];
    assert_eq!(
        (&report["healthy"], &main["quorum"]),
        (&true.into(), &true.into())
    );
    let members = main["members"].as_array().unwrap();
    assert_eq!(members.len(), 3);
    for member in members {
        for number in [
            "databaseBytes",
            "databaseInUseBytes",
            "revision",
            "raftTerm",
            "raftIndex",
            "latencyMs",
        ] {
            assert!(member[number].as_u64().unwrap() > 0, "{number}: {member:#}");
        }
        assert!(member["raftLag"].as_u64().unwrap() < 100, "{member:#}");
        assert!(
            member["clientUrl"].as_str().unwrap().ends_with(":2379"),
            "{member:#}"
        );
    }
    assert_eq!(
        members.iter().filter(|member| member["isLeader"] == true).count(),
        1
    );
}

/// Files for a client, which etcd lets in, and does not without.
fn a_client_is_let_in(desk: &Desk) {
    let arguments = "etcd credentials --name backup --validity 2h --out client -o json";
    let said = desk.expect(0, arguments);
    assert!(!said.stdout.contains("PRIVATE KEY"), "{said:#?}");
    let given = json(&said.stdout);
    let endpoints: Vec<&str> = given["endpoints"]["main"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|endpoint| endpoint.as_str())
        .collect();
    assert_eq!(endpoints.len(), 3);
    desk.expect(1, arguments);
    desk.expect(0, &format!("{arguments} --force"));
    let mode = |name: &str| {
        let found = std::fs::metadata(desk.path(name)).unwrap();
        std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777
    };
    assert_eq!(
        ["client", "client/client.key", "client/ca.crt"].map(mode),
        [0o700, 0o600, 0o644]
    );
    let verified = std::process::Command::new("openssl")
        .args(["verify", "-purpose", "sslclient", "-CAfile"])
        .args(["client/ca.crt", "client/client.crt"].map(|name| desk.path(name)))
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
    let host = desk.host("c");
    for name in ["ca.crt", "client.crt", "client.key"] {
        let content = std::fs::read(desk.path(&format!("client/{name}"))).unwrap();
        host.write_file(format!("/root/{name}"), content).unwrap();
    }
    let ctl = format!(
        "{ETCDCTL} --endpoints={} --cacert=/root/ca.crt",
        endpoints.join(",")
    );
    let with = format!("{ctl} --cert=/root/client.crt --key=/root/client.key");
    host.run(&format!("{with} put greeting hello")).unwrap();
    assert_eq!(
        host.run(&format!("{with} get --print-value-only greeting"))
            .unwrap()
            .trim(),
        "hello"
    );
    assert!(
        host.run(&format!("{ctl} --command-timeout=2s get greeting"))
            .is_err()
    );
    // The fragment that is printed is one that another cluster's spec takes.
    let placement = given["placement"].as_str().unwrap().replace('\n', "\n  ");
    let user = format!(
        "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: user }}\nspec:\n  \
         provider: {{ simulated: {{}} }}\n  {placement}"
    );
    std::fs::write(desk.path("user.yaml"), user.trim_end()).unwrap();
    desk.expect(0, "validate -f user.yaml");
    let shown = desk.expect(0, "etcd credentials --show-key").stdout;
    assert!(
        shown.contains("PRIVATE KEY") && shown.contains("Endpoints of etcd main"),
        "{shown}"
    );
}

/// The port of peers: who shows no certificate of the authority's is sent away before a word is said.
fn members_let_members_in(desk: &Desk) {
    let (from, to) = (desk.host("c"), desk.host("a").address());
    // In the form that etcd 3.5 answers there; in HTTP/2 it hangs up.
    let curl = "curl --http1.1 --silent --show-error --max-time 10 --cacert /etc/etcd/pki/ca.crt";
    let ask = |with: &str| {
        from.run(&format!(
            "{curl} {with} https://{to}:2380/members 2>&1; echo \"ended with $?\""
        ))
    };
    let member = "--cert /etc/etcd/pki/peer.crt --key /etc/etcd/pki/peer.key";
    let answer = ask(member).unwrap();
    assert!(answer.contains("\"peerURLs\""), "{answer}");
    from.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=a -days 1 \
         -keyout /root/own.key -out /root/own.crt 2>/dev/null",
    )
    .unwrap();
    for with in ["", "--cert /root/own.crt --key /root/own.key"] {
        let refused = ask(with).unwrap();
        // The connection ends: while it is made, when something is sent, or when the answer is awaited.
        let ends = [35, 55, 56].map(|code| format!("ended with {code}\n"));
        assert!(ends.iter().any(|end| refused.ends_with(end)), "{with}: {refused}");
        assert!(!refused.contains("peerURLs"), "{with}: {refused}");
    }
}

fn metrics_stay_on_the_machine(desk: &Desk) {
    let host = desk.host("a");
    let metrics = host
        .run("curl --silent --fail http://127.0.0.1:2381/metrics")
        .unwrap();
    assert!(metrics.contains("\netcd_server_has_leader 1\n"), "{metrics}");
    // From the machine itself and from another: nothing listens there.
    for from in ["a", "b"] {
        let curl = format!(
            "curl --silent --show-error --max-time 10 http://{}:2381/metrics 2>&1; echo \"ended with $?\"",
            host.address()
        );
        let refused = desk.host(from).run(&curl).unwrap();
        assert!(refused.ends_with("ended with 7\n"), "{from}: {refused}");
    }
}

fn certificates_are_checked(desk: &Desk) {
    let text = desk.expect(0, "certs check").stdout;
    assert!(text.ends_with("every certificate is good\n"), "{text}");
    let report = json(&desk.expect(0, "certs check -o json").stdout);
    let rows = report["certificates"].as_array().unwrap();
    assert_eq!(rows.len(), 1 + 3 * 4, "{report:#}");
    assert!(
        rows.iter()
            .all(|row| row["subject"].is_string() && row["residualDays"].as_i64() > Some(360))
    );
    let soon = json(&desk.expect(1, "certs check -o json --warn-within 366d").stdout);
    let ending = |row: &&serde_json::Value| row["verdict"]["kind"] == "expires-soon";
    assert_eq!(
        soon["certificates"]
            .as_array()
            .unwrap()
            .iter()
            .filter(ending)
            .count(),
        9
    );
}

/// One host without power, and one with a certificate less.
fn without_one_host(desk: &Desk) {
    desk.host("b").power_cut().unwrap();
    desk.host("c")
        .run("mv /etc/etcd/pki/peer.crt /root/peer.crt")
        .unwrap();
    let report = json(&desk.expect(1, "etcd status -o json").stdout);
    let main = &report["clusters"]["main"];
    assert_eq!(
        (&main["quorum"], &main["healthy"]),
        (&true.into(), &false.into()),
        "{report:#}"
    );
    let member = &main["members"][1];
    assert!(
        member["problem"].as_str().unwrap().contains("b does not answer"),
        "{member:#}"
    );
    assert!(member["raftIndex"].is_null() && main["members"][0]["raftIndex"].is_u64());
    let list = json(&desk.expect(0, "node list -o json").stdout);
    let states: Vec<&str> = list["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|node| node["state"].as_str())
        .collect();
    assert_eq!(states, ["ready", "unknown", "ready"], "{list:#}");
    assert_eq!(
        list["nodes"][2]["outdated"],
        serde_json::json!(["certificates"]),
        "{list:#}"
    );
    let certificates = json(&desk.expect(1, "certs check -o json").stdout);
    assert_eq!(certificates["unseen"][0]["machine"], "b", "{certificates:#}");
    let bad: Vec<&str> = certificates["certificates"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["verdict"]["kind"] != "good")
        .filter_map(|row| row["place"].as_str())
        .collect();
    assert_eq!(bad, ["c:/etc/etcd/pki/peer.crt"], "{certificates:#}");
    desk.host("c")
        .run("mv /root/peer.crt /etc/etcd/pki/peer.crt")
        .unwrap();
    desk.host("b").start().unwrap();
    desk.host("b").wait_for_ssh().unwrap();
    desk.expect(0, "status --wait --timeout 60s");
}

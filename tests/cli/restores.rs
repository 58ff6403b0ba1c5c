//! An etcd that goes back to a snapshot, from the command line.

use super::lab::Lab;

#[test]
fn simulated_clusters_of_the_examples_go_back_to_a_snapshot() {
    let examples = [
        include_str!("../../examples/quickstart.yaml"),
        include_str!("../../examples/simulated-ssh.yaml"),
    ];
    for example in examples {
        let lab = Lab::with_spec(example);
        lab.expect(0, "apply --yes --progress none");
        lab.expect(0, "etcd snapshot save");
        lab.edit("cluster.yaml", "spec:\n", "spec:\n  kubelet: { maxPods: 90 }\n");
        lab.expect(0, "apply --yes --progress none");
        // The second one ends the members of the first.
        lab.expect(0, "etcd restore --yes");
        lab.expect(0, "etcd restore --yes");
        lab.expect(0, "status");
        lab.expect(0, "plan");
    }
}

#[test]
fn a_restore_that_has_begun_goes_on_with_its_own_snapshot_or_is_begun_anew() {
    let lab = Lab::with_spec(include_str!("../../examples/quickstart.yaml"));
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "etcd snapshot save");
    lab.edit("cluster.yaml", "spec:\n", "spec:\n  kubelet: { maxPods: 90 }\n");
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "etcd snapshot save");
    let listed = lab.expect(0, "etcd snapshot list --output json").json();
    let [newer, older] = [0, 1].map(|index| listed["backups"][index]["manifest"].clone());
    let name = |manifest: &serde_json::Value| manifest["name"].as_str().unwrap().to_owned();
    let members = lab.expect(0, "etcd status --output json").json();
    let founders = [members["clusters"]["main"]["members"][0]["machine"].clone()];
    let begin = |manifest: &serde_json::Value, name: &str| {
        let intent = serde_json::json!({
            "form": 1,
            "id": "0123456789abcdef01234567",
            "etcdCluster": "main",
            "source": name,
            "origin": { "backup": { "name": name, "place": "state-store" } },
            "sha256": manifest["sha256"],
            "begunAt": "2026-11-28T04:00:00Z",
            "founders": founders,
            "bumpRevision": 2_000_000_000,
            "beginsAfter": 2_000_000_100,
        });
        lab.write(".keelson/quickstart/restore.json", intent.to_string());
    };
    begin(&older, &name(&older));
    let applied = lab.expect(3, "apply --yes").says(&["--begin-anew"]);
    told_by_whoever_looks(&lab, &name(&older), &applied.stderr);
    for other in [
        format!("{} --yes", name(&newer)),
        "--etcd events --yes".to_owned(),
    ] {
        lab.expect(3, &format!("etcd restore {other}"))
            .says(&[&name(&older), "--begin-anew"]);
    }
    let went_on = lab.expect(0, "etcd restore --yes");
    let words = format!("go on with the restore from {}", name(&older));
    let went_on = went_on.says(&[&words]);
    assert!(
        went_on.stdout.contains(&name(&older))
            || went_on.stderr.contains(&format!("data of {}", name(&older))),
        "{went_on:#?}"
    );
    lab.expect(0, "status");
    // Its snapshot was pruned meanwhile.
    begin(&older, "20260101T000000Z-1");
    lab.expect(1, "etcd restore --yes").says(&["--begin-anew"]);
    lab.expect(0, "etcd restore --begin-anew --yes")
        .says(&["in place of the restore from 20260101T000000Z-1", &name(&newer)]);
    lab.expect(0, "status");
    lab.expect(0, "plan");
}

/// What `status` and `plan` say of a restore that stands: the words that an apply is refused with.
fn told_by_whoever_looks(lab: &Lab, snapshot: &str, refusal: &str) {
    let words = format!(
        "etcd main is being restored from {snapshot} since 2026-11-28T04:00:00Z, and that has not come to its end"
    );
    assert!(refusal.contains(&words), "{refusal}");
    let told = format!("{words}; `keelson etcd restore` goes on with it");
    let status = lab.expect(1, "status").stdout;
    let problems: Vec<&str> = status.lines().filter(|line| line.contains('!')).collect();
    assert!(
        status.contains("degraded") && problems[0].contains(&told),
        "{status}"
    );
    let status = lab.expect(1, "status -o json").json();
    assert_eq!(status["problems"][0]["problem"], told);
    assert_eq!(status["problems"][0]["resource"], serde_json::Value::Null);
    let of_etcd = lab.expect(0, "etcd status").stdout;
    assert!(of_etcd.contains(&format!("! {told}")), "{of_etcd}");
    let of_etcd = lab.expect(0, "etcd status -o json").json();
    assert_eq!(of_etcd["restore"], told);
    let planned = lab.expect(3, "plan").stdout;
    for part in ["Blocked", &words, "`keelson etcd restore` goes on with it"] {
        assert!(planned.contains(part), "{part}: {planned}");
    }
    assert!(!planned.contains("could not be looked at"), "{planned}");
    let planned = lab.expect(3, "plan -o json").json();
    assert_eq!(planned["report"]["restore"]["reason"], words);
    // A destroy ends it with the cluster.
    let ending = lab.expect(2, "plan --destroy").stdout;
    assert!(!ending.contains("Blocked"), "{ending}");
}

#[test]
fn what_an_apply_has_to_bring_is_not_waited_for_after_a_restore() {
    let quickstart = include_str!("../../examples/quickstart.yaml");
    let lab = Lab::with_spec(&quickstart.replace("simulated: {}", "simulated: { like: digitalocean }"));
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "etcd snapshot save");
    // A setting that is another one: everything else comes to its end before.
    lab.edit("cluster.yaml", "spec:\n", "spec:\n  kubelet: { maxPods: 90 }\n");
    let waited = lab.expect(1, "etcd restore --yes --timeout 7m");
    let waited = waited.says(&[
        "still waiting: ",
        "the cluster is not whole: an apply has yet to bring or mend node-bundle/",
        "  API  ",
    ]);
    lab.edit("cluster.yaml", "replicas: 2", "replicas: 3");
    let ended = lab.expect(1, "etcd restore --yes --timeout 7m");
    for words in [
        "Restored: etcd main",
        "etcd main is restored, and the cluster is not whole: an apply has yet to bring or mend machine/workers-3, node-bundle/workers-3",
        "do not restore it again",
        "keelson apply -f cluster.yaml` brings and mends that",
        "status --wait",
        "What etcd main held before this restore",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    for said in [&waited.stderr, &ended.stderr] {
        assert!(!said.contains("after 7m"), "{said}");
    }
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "status --wait");
    lab.expect(0, "plan");
}

#[test]
fn a_cluster_that_is_not_well_after_a_restore_is_told_by_name() {
    let lab = Lab::with_spec(include_str!("../../examples/simulated-ssh.yaml"));
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "etcd snapshot save");
    // No control plane is up again so soon.
    let unwell = lab.expect(1, "etcd restore --yes --timeout 1ms");
    for words in [
        "Restored: etcd main",
        "What etcd main held before this restore",
        "/var/lib/etcd.removed-",
        "etcd main is restored, and the cluster is not healthy after 1ms",
        "control-plane/",
        "do not restore it again",
        "status --wait",
    ] {
        assert!(unwell.stderr.contains(words), "{words}: {}", unwell.stderr);
    }
    lab.expect(0, "status --wait");
    lab.expect(0, "plan");
}

#[test]
fn an_older_snapshot_is_not_taken_for_the_newest() {
    let lab = Lab::with_spec(include_str!("../../examples/quickstart.yaml"));
    lab.expect(0, "apply --yes --progress none");
    lab.expect(0, "etcd snapshot save");
    lab.expect(0, "etcd snapshot save");
    let listed = lab.expect(0, "etcd snapshot list --output json").json();
    let [newer, older] = [0, 1].map(|index| listed["backups"][index]["name"].as_str().unwrap().to_owned());
    let manifest = format!(".keelson/quickstart/backups/etcd/{newer}/manifest.json");
    let written = lab.read(&manifest);
    // Whoever cannot read it does not know it.
    lab.put_pipe(&manifest);
    let problem = "it is a named pipe and no file";
    for command in ["restore --yes", "drill", "snapshot download --out main.db"] {
        lab.expect(1, &format!("etcd {command}")).says(&[
            "what may be the newest snapshot cannot be read",
            &newer,
            problem,
            "help: ",
        ]);
    }
    let listed = lab.expect(0, "etcd snapshot list").stdout;
    assert!(
        listed.contains("not read") && listed.contains(problem),
        "{listed}"
    );
    let verified = lab.expect(1, "etcd snapshot verify").stdout;
    assert!(
        verified.contains("Not read:") && verified.contains("Good:"),
        "{verified}"
    );
    lab.expect(0, &format!("etcd snapshot verify {older}"));
    // What is damaged is no snapshot any more.
    std::fs::remove_file(lab.path(&manifest)).unwrap();
    lab.write(&manifest, written);
    lab.write(&manifest.replace("manifest.json", "snapshot"), "cut");
    let verified = lab.expect(1, "etcd snapshot verify").stdout;
    assert!(
        verified.contains("Damaged:") && verified.contains("Good:"),
        "{verified}"
    );
    let passed_over = format!("{newer} is newer, and cannot be taken: its snapshot has 3 bytes");
    for command in ["restore --yes", "snapshot download --out main.db"] {
        lab.expect(0, &format!("etcd {command}"))
            .says(&[&passed_over, &older]);
    }
    lab.expect(1, "etcd snapshot download --etcd events --out events.db")
        .says(&["the cluster has no etcd `events`"]);
}

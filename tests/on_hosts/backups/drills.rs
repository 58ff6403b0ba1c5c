//! Snapshots that are restored for trial.

use std::fs;
use std::process::Command;

use super::Keeper;
use crate::on_hosts::keys::MANY;

/// It is restored for trial, on a machine of the cluster and on this one, and what it has is compared with what was written down.
pub(super) fn drilled(keeper: &Keeper<'_>, name: &str) {
    let report = |code: i32, arguments: &str| -> serde_json::Value {
        let said = keeper.expect(code, &format!("etcd drill {arguments} -o json"));
        serde_json::from_str::<serde_json::Value>(&said.stdout).unwrap()[0].take()
    };
    let on_host = report(0, "");
    assert_eq!(
        (&on_host["source"], &on_host["good"]),
        (&name.into(), &true.into())
    );
    assert!(
        on_host["live"]["keys"].as_u64().unwrap() >= MANY.count(),
        "{on_host:#}"
    );
    assert_eq!(
        on_host["unknown"],
        serde_json::json!([]),
        "all is compared: {on_host:#}"
    );
    assert_eq!(report(0, &format!("{name} --machine c"))["machine"], "c");
    for host in ["a", "b", "c"] {
        let left = "find /var/lib/keelson/snapshots -mindepth 1 2>/dev/null; pgrep -f '[n]ame=drill'; true";
        let left = keeper.desk.host(host).run(left).unwrap();
        assert_eq!(left.trim(), "", "nothing of it stays on {host}");
    }
    let mirror = keelson_test_hosts::assets().unwrap();
    let unpack = "mkdir programs && find \"$1\" -name 'etcd-v3.5*-linux-amd64.tar.gz' -exec tar -xzf {} -C programs \
                  --strip-components=1 ';'";
    let unpacked = Command::new("sh")
        .args(["-c", unpack, "unpack"])
        .arg(&mirror.folder)
        .current_dir(keeper.desk.folder())
        .status();
    assert!(unpacked.unwrap().success());
    let here = here_leaves_nothing(keeper);
    assert_eq!(here["machine"], "this machine");
    assert_eq!(here["live"], on_host["live"]);

    let manifest = keeper.object(name, "manifest.json");
    let whole = fs::read_to_string(&manifest).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&whole).unwrap();
    other["contents"]["live"]["keys"] = 1.into();
    fs::write(&manifest, other.to_string()).unwrap();
    let differs = keeper.expect(1, "etcd drill --programs programs");
    assert!(
        differs.stdout.contains("Not what was saved:") && differs.stdout.contains("1 was written down"),
        "{differs:#?}"
    );
    fs::write(&manifest, whole).unwrap();
}

/// Drills on this machine, where nobody says otherwise in the system's folder for what goes by itself: nothing is left there,
/// and no process.
fn here_leaves_nothing(keeper: &Keeper<'_>) -> serde_json::Value {
    let folder = keeper.desk.path("tmp");
    fs::create_dir(&folder).unwrap();
    let mut drill = keeper.desk.command("etcd drill --programs programs -o json");
    drill.env("TMPDIR", &folder);
    let output = drill
        .env("KEELSON_PKI_IDENTITIES", &keeper.identities)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "{output:?}");
    let names = format!("[/]{}", folder.display().to_string().trim_start_matches('/'));
    let left = Command::new("pgrep").args(["-f", &names]).output().unwrap();
    assert!(left.stdout.is_empty(), "{left:?}");
    serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()[0].take()
}

//! Who keelson works as: a user whose sudo asks for a password, and whoever runs it on the host itself.

use keelson_test_hosts::serve_directory;

use super::desk::{Desk, Said, Spec};

/// The password of the user `careful`.
const PASSWORD: &str = "careful-password";

/// Everything of keelson's and etcd's on a host.
const LEFT: &str = "ls -d /etc/etcd /etc/keelson /opt/keelson /var/lib/keelson /etc/systemd/system/etcd* /var/lib/etcd/* \
                    2>/dev/null; getent passwd etcd; pgrep -x etcd; true";

/// Runs the program with a password for sudo, and expects it to end with `code`.
fn with_password(desk: &Desk, password: &str, code: i32, arguments: &str) -> Said {
    let output = desk
        .command(arguments)
        .env("KEELSON_SUDO_PASSWORD", password)
        .output()
        .unwrap();
    let said = Said {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert_eq!(said.code, Some(code), "keelson {arguments}: {said:#?}");
    assert!(!format!("{said:?}").contains(password), "{said:#?}");
    said
}

#[test]
fn the_environment_answers_a_sudo_that_asks() {
    let test = "on_hosts::logins::the_environment_answers_a_sudo_that_asks";
    let Some(desk) = Desk::before(test, &["a"]) else {
        return;
    };
    let host = desk.host("a");
    desk.write(&Spec {
        user: "careful",
        ..desk.spec_of(&["a"])
    });
    let unanswered = desk.expect(3, "apply --yes --accept-new-host-keys");
    let wrong = with_password(&desk, "not-that-one", 3, "apply --yes");
    for said in [unanswered, wrong] {
        assert!(
            said.stderr.contains("careful cannot become root")
                && said.stderr.contains("KEELSON_SUDO_PASSWORD"),
            "{said:#?}"
        );
    }
    assert_eq!(host.console(LEFT).unwrap().trim(), "");

    with_password(&desk, PASSWORD, 0, "apply --yes");
    with_password(&desk, PASSWORD, 0, "status --wait --timeout 60s");
    let again = with_password(&desk, PASSWORD, 0, "apply --yes");
    assert!(again.stderr.contains("nothing was changed"), "{again:#?}");
    let kept = std::process::Command::new("grep")
        .args(["--recursive", "--files-with-matches", PASSWORD])
        .arg(desk.folder())
        .output()
        .unwrap();
    assert_eq!(kept.status.code(), Some(1), "the password is kept: {kept:?}");
    with_password(&desk, PASSWORD, 0, "destroy --yes");
    assert_eq!(host.console(LEFT).unwrap().trim(), "");
    let log = host.console("journalctl --no-pager").unwrap();
    assert!(!log.contains(PASSWORD), "the password is in the host's log");
}

/// `address: local`: keelson runs on the host itself, and there is no SSH.
#[test]
fn this_very_machine() {
    let Some(desk) = Desk::before("on_hosts::logins::this_very_machine", &["a"]) else {
        return;
    };
    let host = desk.host("a");
    let assets = keelson_test_hosts::assets().unwrap();
    let mirror = serve_directory(assets.folder, desk.lab.gateway()).unwrap();
    let spec = Spec {
        hosts: vec![("a".to_owned(), "local".to_owned())],
        assets: mirror.url(),
        ..desk.spec_of(&["a"])
    };
    host.write_file("/root/cluster.yaml", spec.text()).unwrap();
    let program = std::fs::read(env!("CARGO_BIN_EXE_keelson")).unwrap();
    host.write_file("/usr/local/bin/keelson", program).unwrap();
    // Nobody can log in while it works.
    host.console("chmod 755 /usr/local/bin/keelson; systemctl stop ssh.socket ssh.service")
        .unwrap();
    let keelson = |arguments: &str| {
        let said = host.console(&format!("cd /root && keelson {arguments} 2>&1"));
        said.unwrap_or_else(|error| panic!("keelson {arguments}: {error}"))
    };
    keelson("apply --yes --progress lines");
    keelson("status --wait --timeout 60s");
    let status: serde_json::Value = serde_json::from_str(&keelson("status -o json")).unwrap();
    assert_eq!(status["condition"], "healthy", "{status:#}");
    assert!(keelson("apply --yes").contains("nothing was changed"));
    // Without a `privateAddress` nobody else is let near it.
    let members = keelson("etcd status -o json");
    assert!(members.contains("https://127.0.0.1:2379"), "{members}");
    let listeners = host.console("ss -Hltn").unwrap();
    assert!(!listeners.contains(&host.address().to_string()), "{listeners}");
    keelson("destroy --yes");
    assert_eq!(host.console(LEFT).unwrap().trim(), "");
}

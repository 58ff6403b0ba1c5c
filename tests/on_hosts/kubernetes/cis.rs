//! The automated checks of the CIS Kubernetes Benchmark 1.12 on running machines (`docs/cis.md`).

use std::fmt::Write as _;

use super::site::Site;

/// Where a check looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    /// Control planes.
    ControlPlane,
    /// Machines of etcd.
    Etcd,
    /// Every machine with a kubelet.
    Node,
}

/// An automated check: where it looks, its number, and a shell command that succeeds where it holds.
struct Check(On, &'static str, &'static str);

/// What checks are written with. Processes are found by their program, so that no check finds itself.
const PRELUDE: &str = r#"
process() { for p in /proc/[0-9]*; do case $(readlink "$p/exe") in */"$1") echo "$p"; return;; esac; done; return 1; }
flags() { p=$(process "$1") && tr '\0' '\n' < "$p/cmdline"; }
settings() { p=$(process "$1") && cat "$p/cmdline" "$p/environ" | tr '\0' '\n'; }
flag() { flags "$1" | grep -Eqx -e "--$2"; }
no_flag() { flags "$1" > /tmp/cis && ! grep -Eq -e "^--$2(=|$)" /tmp/cis; }
number() { [ "$(flags "$1" | sed -n "s/^--$2=//p")" -ge "$3" ]; }
etcd() { settings etcd | grep -Eqx -e "(--|ETCD_)$1"; }
not_etcd() { settings etcd > /tmp/cis && ! grep -Eq -e "^(--|ETCD_)$1" /tmp/cis; }
files() { limit=$1; owner=$2; shift 2; for f; do m=$(stat -L -c %a "$f") && [ $((0$m & ~0$limit & 0777)) -eq 0 ] &&
  [ "$(stat -L -c %U:%G "$f")" = "$owner" ] || return 1; done; }
gone() { for f; do [ ! -e "$f" ] || return 1; done; }
kubelet_says() { grep -Eq -e "$1" /var/lib/kubelet/config.yaml; }
manifests=/etc/kubernetes/manifests
data() { settings etcd | sed -En 's/^--data-dir=//p'; }
"#;

const CHECKS: &[Check] = &[
    Check(
        On::ControlPlane,
        "1.1.1",
        "files 600 root:root $manifests/kube-apiserver.yaml",
    ),
    Check(
        On::ControlPlane,
        "1.1.2",
        "files 600 root:root $manifests/kube-apiserver.yaml",
    ),
    Check(
        On::ControlPlane,
        "1.1.3",
        "files 600 root:root $manifests/kube-controller-manager.yaml",
    ),
    Check(
        On::ControlPlane,
        "1.1.4",
        "files 600 root:root $manifests/kube-controller-manager.yaml",
    ),
    Check(
        On::ControlPlane,
        "1.1.5",
        "files 600 root:root $manifests/kube-scheduler.yaml",
    ),
    Check(
        On::ControlPlane,
        "1.1.6",
        "files 600 root:root $manifests/kube-scheduler.yaml",
    ),
    // etcd is a unit and no static pod, so that it can be operated while the kubelet is broken.
    Check(
        On::Etcd,
        "1.1.7",
        "gone $manifests/etcd.yaml; files 600 root:root /etc/etcd/etcd.conf /etc/systemd/system/etcd.service",
    ),
    Check(
        On::Etcd,
        "1.1.8",
        "files 600 root:root /etc/etcd/etcd.conf /etc/systemd/system/etcd.service",
    ),
    Check(On::Etcd, "1.1.11", "files 700 etcd:etcd \"$(data)\""),
    Check(On::Etcd, "1.1.12", "files 700 etcd:etcd \"$(data)\""),
    Check(
        On::ControlPlane,
        "1.1.13",
        "files 600 root:root /etc/kubernetes/admin.conf; gone /etc/kubernetes/super-admin.conf",
    ),
    Check(
        On::ControlPlane,
        "1.1.14",
        "files 600 root:root /etc/kubernetes/admin.conf",
    ),
    Check(
        On::ControlPlane,
        "1.1.15",
        "files 600 root:root /etc/kubernetes/scheduler.conf",
    ),
    Check(
        On::ControlPlane,
        "1.1.16",
        "files 600 root:root /etc/kubernetes/scheduler.conf",
    ),
    Check(
        On::ControlPlane,
        "1.1.17",
        "files 600 root:root /etc/kubernetes/controller-manager.conf",
    ),
    Check(
        On::ControlPlane,
        "1.1.18",
        "files 600 root:root /etc/kubernetes/controller-manager.conf",
    ),
    Check(
        On::ControlPlane,
        "1.1.19",
        "[ -z \"$(find /etc/kubernetes/pki ! -user root -o ! -group root)\" ]",
    ),
    Check(
        On::ControlPlane,
        "1.2.2",
        "no_flag kube-apiserver token-auth-file",
    ),
    Check(
        On::ControlPlane,
        "1.2.4",
        "flag kube-apiserver 'kubelet-client-certificate=.+'; flag kube-apiserver 'kubelet-client-key=.+'",
    ),
    Check(
        On::ControlPlane,
        "1.2.5",
        "flag kube-apiserver 'kubelet-certificate-authority=.+'",
    ),
    Check(
        On::ControlPlane,
        "1.2.6",
        "flag kube-apiserver 'authorization-mode=.+'; ! flag kube-apiserver 'authorization-mode=.*AlwaysAllow.*'",
    ),
    Check(
        On::ControlPlane,
        "1.2.7",
        "flag kube-apiserver 'authorization-mode=(.*,)?Node(,.*)?'",
    ),
    Check(
        On::ControlPlane,
        "1.2.8",
        "flag kube-apiserver 'authorization-mode=(.*,)?RBAC(,.*)?'",
    ),
    Check(
        On::ControlPlane,
        "1.2.10",
        "flag kube-apiserver 'enable-admission-plugins=.+'; ! flag kube-apiserver 'enable-admission-plugins=(.*,)?AlwaysAdmit(,.*)?'",
    ),
    Check(
        On::ControlPlane,
        "1.2.12",
        "no_flag kube-apiserver disable-admission-plugins",
    ),
    Check(
        On::ControlPlane,
        "1.2.13",
        "no_flag kube-apiserver disable-admission-plugins",
    ),
    Check(
        On::ControlPlane,
        "1.2.14",
        "flag kube-apiserver 'enable-admission-plugins=(.*,)?NodeRestriction(,.*)?'",
    ),
    Check(On::ControlPlane, "1.2.15", "flag kube-apiserver profiling=false"),
    Check(
        On::ControlPlane,
        "1.2.16",
        "flag kube-apiserver 'audit-log-path=.+'",
    ),
    Check(
        On::ControlPlane,
        "1.2.17",
        "number kube-apiserver audit-log-maxage 30",
    ),
    Check(
        On::ControlPlane,
        "1.2.18",
        "number kube-apiserver audit-log-maxbackup 10",
    ),
    Check(
        On::ControlPlane,
        "1.2.19",
        "number kube-apiserver audit-log-maxsize 100",
    ),
    Check(
        On::ControlPlane,
        "1.2.21",
        "no_flag kube-apiserver service-account-lookup",
    ),
    Check(
        On::ControlPlane,
        "1.2.22",
        "flag kube-apiserver 'service-account-key-file=.+'",
    ),
    Check(
        On::ControlPlane,
        "1.2.23",
        "flag kube-apiserver 'etcd-certfile=.+'; flag kube-apiserver 'etcd-keyfile=.+'",
    ),
    Check(
        On::ControlPlane,
        "1.2.24",
        "flag kube-apiserver 'tls-cert-file=.+'; flag kube-apiserver 'tls-private-key-file=.+'",
    ),
    Check(
        On::ControlPlane,
        "1.2.25",
        "flag kube-apiserver 'client-ca-file=.+'",
    ),
    Check(On::ControlPlane, "1.2.26", "flag kube-apiserver 'etcd-cafile=.+'"),
    Check(
        On::ControlPlane,
        "1.2.30",
        "flag kube-apiserver service-account-extend-token-expiration=false",
    ),
    Check(
        On::ControlPlane,
        "1.3.2",
        "flag kube-controller-manager profiling=false",
    ),
    Check(
        On::ControlPlane,
        "1.3.3",
        "flag kube-controller-manager use-service-account-credentials=true",
    ),
    Check(
        On::ControlPlane,
        "1.3.4",
        "flag kube-controller-manager 'service-account-private-key-file=.+'",
    ),
    Check(
        On::ControlPlane,
        "1.3.5",
        "flag kube-controller-manager 'root-ca-file=.+'",
    ),
    Check(
        On::ControlPlane,
        "1.3.6",
        "flags kube-controller-manager > /tmp/cis; ! grep -q RotateKubeletServerCertificate=false /tmp/cis",
    ),
    Check(
        On::ControlPlane,
        "1.3.7",
        "flag kube-controller-manager bind-address=127.0.0.1",
    ),
    Check(On::ControlPlane, "1.4.1", "flag kube-scheduler profiling=false"),
    Check(
        On::ControlPlane,
        "1.4.2",
        "flag kube-scheduler bind-address=127.0.0.1",
    ),
    Check(On::Etcd, "2.1", "etcd 'CERT_FILE=.+'; etcd 'KEY_FILE=.+'"),
    Check(On::Etcd, "2.2", "etcd CLIENT_CERT_AUTH=true"),
    Check(On::Etcd, "2.3", "not_etcd AUTO_TLS=true"),
    Check(
        On::Etcd,
        "2.4",
        "etcd 'PEER_CERT_FILE=.+'; etcd 'PEER_KEY_FILE=.+'",
    ),
    Check(On::Etcd, "2.5", "etcd PEER_CLIENT_CERT_AUTH=true"),
    Check(On::Etcd, "2.6", "not_etcd PEER_AUTO_TLS=true"),
    Check(
        On::Node,
        "4.1.1",
        "files 600 root:root /etc/systemd/system/kubelet.service",
    ),
    Check(
        On::Node,
        "4.1.2",
        "files 600 root:root /etc/systemd/system/kubelet.service",
    ),
    Check(
        On::Node,
        "4.1.5",
        "files 600 root:root /etc/kubernetes/kubelet.conf",
    ),
    Check(
        On::Node,
        "4.1.6",
        "files 600 root:root /etc/kubernetes/kubelet.conf",
    ),
    Check(
        On::Node,
        "4.1.9",
        "files 600 root:root /var/lib/kubelet/config.yaml",
    ),
    Check(
        On::Node,
        "4.1.10",
        "files 600 root:root /var/lib/kubelet/config.yaml",
    ),
    Check(
        On::Node,
        "4.2.1",
        "grep -A1 'anonymous:' /var/lib/kubelet/config.yaml | grep -q 'enabled: false'",
    ),
    Check(
        On::Node,
        "4.2.2",
        "kubelet_says 'mode: Webhook'; no_flag kubelet authorization-mode",
    ),
    Check(On::Node, "4.2.3", "kubelet_says 'clientCAFile: .+'"),
    Check(
        On::Node,
        "4.2.6",
        "! kubelet_says 'makeIPTablesUtilChains: false'; no_flag kubelet make-iptables-util-chains",
    ),
    Check(On::Node, "4.2.10", "! kubelet_says 'rotateCertificates: false'"),
    // kube-proxy keeps its own default, the loopback address.
    Check(
        On::Node,
        "4.3.1",
        "[ -n \"$(ss -Hltn 'sport = :10249')\" ]; [ -z \"$(ss -Hltn 'sport = :10249' | grep -v '127.0.0.1:10249')\" ]",
    ),
];

/// Every check that looks at `machines`, each with what it is: control plane or not.
pub(super) fn hold(site: &Site, machines: &[(&str, bool)]) {
    let mut failed = Vec::new();
    for &(machine, is_control_plane) in machines {
        let looks = |on: On| on == On::Node || is_control_plane;
        let mut script = PRELUDE.to_owned();
        let checks: Vec<&Check> = CHECKS.iter().filter(|check| looks(check.0)).collect();
        for Check(_, number, command) in &checks {
            // Every part of a command has to succeed.
            let command = command.replace("; ", " && ");
            let _ = writeln!(
                script,
                "if {command}; then echo {number} holds; else echo {number} FAILS; fi"
            );
        }
        let said = site.desk.host(machine).run(&script).unwrap();
        assert_eq!(
            said.matches(" holds").count() + said.matches(" FAILS").count(),
            checks.len(),
            "{said}"
        );
        let failures = said.lines().filter(|line| line.ends_with("FAILS"));
        failed.extend(failures.map(|line| format!("{machine}: {line}")));
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn the_table_in_the_documentation_names_every_automated_check() {
    let table = std::fs::read_to_string("docs/cis.md").unwrap();
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let number = cells.next()?;
        (cells.next()? == "A").then(|| number.to_owned())
    });
    let documented: Vec<String> = rows.collect();
    let checked: Vec<&str> = CHECKS.iter().map(|check| check.1).collect();
    assert_eq!(documented, checked);
}

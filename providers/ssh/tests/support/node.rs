//! A host on which small programs stand for those of a node: a kubelet that serves what static pods would, and a crictl that
//! writes down what it is asked.

use std::sync::{Arc, Mutex};

use keelson_provider_api::kinds::{ControlPlane, MachineRole};
use keelson_provider_api::{Outcome, Progress, Provider, StepContext};
use keelson_provider_ssh::ControlPlaneProvider;
use keelson_test_hosts::Host;

use super::{Scene, create, machine};

const ANSWER: &str = include_str!("node/answer.sh");
const KUBELET: &str = include_str!("node/kubelet.sh");
const CRICTL: &str = include_str!("node/crictl.sh");
const UNIT: &str = "[Service]\nExecStart=/opt/fake/kubelet\nRestart=always\nRestartSec=1\n[Install]\nWantedBy=multi-user.target\n";
const RUNTIME: &str = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";

/// Puts everything on `host` that a bundle brings to a control plane.
pub(crate) fn prepare(host: &Host) {
    for (path, text) in [
        ("/opt/fake/answer", ANSWER),
        ("/opt/fake/kubelet", KUBELET),
        ("/opt/keelson/bin/crictl", CRICTL),
        ("/etc/systemd/system/kubelet.service", UNIT),
        ("/etc/systemd/system/containerd.service", RUNTIME),
        ("/etc/kubernetes/manifests/kube-apiserver.yaml", ""),
        ("/etc/kubernetes/manifests/kube-controller-manager.yaml", ""),
        ("/etc/kubernetes/manifests/kube-scheduler.yaml", ""),
    ] {
        host.write_file(path, text).unwrap();
    }
    host.run(
        "chmod 755 /opt/fake/answer /opt/fake/kubelet /opt/keelson/bin/crictl
        for name in kube-apiserver kube-controller-manager kube-scheduler; do cp /usr/bin/socat1 /opt/fake/$name 2>/dev/null || cp /usr/bin/socat /opt/fake/$name; done
        mkdir -p /etc/kubernetes/pki
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=kubernetes \
            -addext subjectAltName=DNS:kubernetes -keyout /etc/kubernetes/pki/ca.key -out /etc/kubernetes/pki/ca.crt 2>/dev/null
        systemctl daemon-reload",
    )
    .unwrap();
}

/// Claims every host of the scene for the cluster `u1` and prepares it.
pub(crate) async fn claim_all(scene: &Scene) {
    let ssh = scene.provider(scene.targets("root")).await;
    for host in scene.lab.hosts() {
        let claim = create(host.name(), machine(&[MachineRole::ControlPlane]));
        let claimed = ssh.carry_out(&Scene::context("u1", 1), &claim).await;
        assert_eq!(claimed, Outcome::Done);
        prepare(host);
    }
}

/// A new run of keelson.
pub(crate) async fn control_planes(scene: &Scene) -> ControlPlaneProvider {
    ControlPlaneProvider::new(scene.hosts("root").await)
}

pub(crate) fn control_plane(machine: &str, endpoint: &str) -> ControlPlane {
    ControlPlane {
        machine: machine.to_owned(),
        endpoint: endpoint.to_owned(),
    }
}

/// What was told as progress.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Carries a change out and hears what is told meanwhile.
    pub(crate) async fn carry_out(
        &self,
        provider: &dyn Provider,
        change: &keelson_provider_api::Change,
    ) -> Outcome {
        let heard = Arc::clone(&self.0);
        let listen = move |line: &str| heard.lock().unwrap().push(line.to_owned());
        let context = StepContext {
            progress: Progress::to(&listen),
            ..Scene::context("u1", 1)
        };
        provider.carry_out(&context, change).await
    }
}

//! Specs drawn from a seed.

use std::fmt::Write as _;

use keelson::spec::{self, ValidSpec};

/// What a cluster looks like, small enough to be run often.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(super) struct Shape {
    pub like: &'static str,
    pub control_planes: u32,
    pub dedicated_etcd: bool,
    pub separate_events: bool,
    pub domain: bool,
    pub workers: u32,
    pub max_unavailable: u32,
    /// Of groups that the cloud keeps at their size.
    pub max_surge: u32,
    /// True where something may scale the workers, in a cloud that lets it.
    pub scales: bool,
    pub version: &'static str,
    pub max_pods: u32,
    pub heartbeat_ms: u32,
    pub large_machines: bool,
    pub label: &'static str,
    pub metrics_server: bool,
}

/// `SplitMix64`, so that neighbouring seeds have nothing in common.
pub(crate) fn mix(seed: u64, salt: u64) -> u64 {
    let mut mixed = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(salt.wrapping_mul(0xd1b5_4a32_d192_ed03));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn pick<T: Copy>(seed: u64, salt: u64, from: &[T]) -> T {
    from[usize::try_from(mix(seed, salt) % from.len() as u64).unwrap()]
}

impl Shape {
    pub(super) fn of_seed(seed: u64) -> Self {
        Self {
            like: pick(seed, 1, &["aws", "aws", "digitalocean", "ssh"]),
            control_planes: pick(seed, 2, &[1, 3, 3, 5]),
            dedicated_etcd: mix(seed, 3).is_multiple_of(6),
            separate_events: mix(seed, 4).is_multiple_of(5),
            domain: mix(seed, 5).is_multiple_of(2),
            workers: pick(seed, 6, &[0, 1, 2, 3, 4]),
            max_unavailable: pick(seed, 7, &[1, 1, 2]),
            max_surge: pick(seed, 12, &[0, 0, 1, 2]),
            scales: mix(seed, 13).is_multiple_of(3),
            version: "1.36.2",
            max_pods: 110,
            heartbeat_ms: 100,
            large_machines: false,
            label: "one",
            metrics_server: false,
        }
    }

    /// The shape after one or two edits.
    pub(super) fn edited(&self, seed: u64) -> Self {
        let mut shape = self.clone();
        for salt in 30..31 + mix(seed, 8) % 2 {
            match mix(seed, salt) % 8 {
                0 | 1 => shape.version = "1.37.0",
                2 => shape.max_pods = 200,
                3 => shape.heartbeat_ms = 150,
                4 => shape.large_machines = true,
                5 => shape.domain = !shape.domain,
                6 if shape.like != "ssh" => shape.dedicated_etcd = !shape.dedicated_etcd,
                _ => {
                    shape.label = "two";
                    shape.metrics_server = true;
                }
            }
        }
        shape
    }

    /// The shape with other numbers of machines.
    pub(super) fn scaled(&self, seed: u64) -> Self {
        let mut shape = self.clone();
        shape.workers = pick(seed, 9, &[0, 1, 2, 5]);
        if mix(seed, 10).is_multiple_of(2) {
            shape.control_planes = pick(seed, 11, &[1, 3, 5]);
        }
        shape
    }

    pub(super) fn spec(&self, name: &str, seed: u64) -> ValidSpec {
        let text = self.text(name, seed);
        spec::load(text.as_bytes(), "generated").unwrap_or_else(|errors| panic!("{errors}\n{text}"))
    }

    fn text(&self, name: &str, seed: u64) -> String {
        let mut text = format!(
            "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: {name} }}\nspec:\n  \
             kubernetesVersion: {}\n  kubelet: {{ maxPods: {} }}\n  provider:\n    simulated:\n      like: {}\n      \
             seed: {seed}\n",
            self.version, self.max_pods, self.like
        );
        if self.like == "ssh" {
            self.write_hosts(&mut text);
        } else {
            self.write_groups(&mut text);
        }
        let events = if self.separate_events {
            "separate"
        } else {
            "shared"
        };
        let _ = writeln!(
            text,
            "  etcd:\n    events: {events}\n    heartbeat: {}ms\n    electionTimeout: 2s",
            self.heartbeat_ms
        );
        if self.dedicated_etcd {
            let replicas = if self.like == "ssh" {
                "{}"
            } else {
                "{ replicas: 3 }"
            };
            let _ = writeln!(text, "    placement: {{ dedicated: {replicas} }}");
        }
        if self.metrics_server {
            text.push_str("  addons: [metrics-server]\n");
        }
        text
    }

    /// Hosts that stand there already: more of them than any shape uses.
    fn write_hosts(&self, text: &mut String) {
        if self.control_planes > 1 {
            text.push_str("      apiAddress: 10.9.0.100\n");
        }
        text.push_str("      hosts:\n");
        let mut host = |name: String, octet: u32, role: &str| {
            let _ = writeln!(
                text,
                "        - {{ name: {name}, address: 10.9.0.{octet}, roles: [{role}] }}"
            );
        };
        (1..=self.control_planes)
            .for_each(|number| host(format!("control-{number}"), number, "control-plane"));
        if self.dedicated_etcd {
            (1..=3).for_each(|number| host(format!("etcd-{number}"), 20 + number, "etcd"));
        }
        (1..=self.workers).for_each(|number| host(format!("worker-{number}"), 40 + number, "worker"));
        if self.workers > 0 {
            let _ = writeln!(
                text,
                "  nodeGroups:\n    - {{ name: workers, replicas: {}, labels: {{ stage: {} }}, \
                 rolling: {{ maxUnavailable: {} }} }}",
                self.workers, self.label, self.max_unavailable
            );
        }
    }

    fn machine_type(&self, large: bool) -> &'static str {
        match (self.like, large) {
            ("digitalocean", false) => "s-2vcpu-4gb",
            ("digitalocean", true) => "s-4vcpu-8gb",
            (_, false) => "m6i.large",
            (_, true) => "m6i.xlarge",
        }
    }

    fn write_groups(&self, text: &mut String) {
        if self.domain {
            text.push_str("      domain: example.com\n");
        }
        // Replacing an only control plane would lose its data, and is refused; others may be replaced.
        let control_plane_type = self.machine_type(self.large_machines && self.control_planes > 1);
        let is_aws = self.like == "aws";
        let surge = if is_aws {
            format!(", maxSurge: {}", self.max_surge)
        } else {
            String::new()
        };
        let bounds = if is_aws && self.scales {
            format!(" min: {}, max: {},", self.workers.min(1), self.workers + 2)
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "  controlPlane: {{ replicas: {}, machine: {{ type: {control_plane_type} }} }}\n  nodeGroups:\n    - \
             {{ name: workers, replicas: {},{bounds} machine: {{ type: {} }}, labels: {{ stage: {} }}, \
             rolling: {{ maxUnavailable: {}{surge} }} }}",
            self.control_planes,
            self.workers,
            self.machine_type(self.large_machines),
            self.label,
            self.max_unavailable
        );
    }
}

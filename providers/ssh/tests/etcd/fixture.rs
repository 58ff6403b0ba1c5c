//! Hosts with everything that a node bundle brings for etcd, and a cluster's provider for them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::kinds::{EtcdMember, EtcdSnapshot, MemberPhase, MemberStart};
use keelson_provider_api::{
    Action, Change, ClusterIdentity, ClusterUid, Disruption, Existing, Health, Kind, Observed, Outcome,
    Progress, Provider, Resource, ResourceKey, StepContext,
};
use keelson_provider_ssh::etcd::instance::INSTANCES;
use keelson_provider_ssh::etcd::{EtcdProvider, Reach, wipe};
use keelson_test_hosts::{Host, Lab, LabOptions, assets, skip_without_root};

use crate::session::TestReach;

/// A lab whose hosts are ready for etcd.
pub(crate) struct Fixture {
    pub(crate) lab: Lab,
    pub(crate) reach: Arc<TestReach>,
    pub(crate) provider: EtcdProvider,
    pub(crate) identity: ClusterIdentity,
    pub(crate) generation: u64,
    /// What was told of the work on it.
    pub(crate) told: Mutex<Vec<String>>,
}

/// A lab for `options`, or none without root. Databases may grow to `quota_mib`.
pub(crate) fn fixture(test: &str, options: &LabOptions, quota_mib: u64) -> Option<Fixture> {
    if skip_without_root(test) {
        return None;
    }
    let lab = Lab::new(options).unwrap();
    let assets = assets().unwrap();
    let version = assets.etcd_versions.last().unwrap();
    let name = format!("etcd-v{version}-linux-amd64");
    let release = format!("github.com/etcd-io/etcd/releases/download/v{version}/{name}.tar.gz");
    let release = fs::read(assets.folder.join(release)).unwrap();
    let authority = Authority::new(&lab);
    std::thread::scope(|scope| {
        for host in lab.hosts() {
            let (authority, release, name) = (&authority, &release, &name);
            scope.spawn(move || {
                host.write_file("/tmp/etcd.tar.gz", release).unwrap();
                install(host, name, quota_mib);
                authority.issue(host);
            });
        }
    });
    let reach = Arc::new(TestReach::new(&lab));
    Some(Fixture {
        provider: EtcdProvider::new(Arc::<TestReach>::clone(&reach), Arc::new(SystemClock)),
        reach,
        lab,
        identity: identity("uid-1"),
        generation: 1,
        told: Mutex::default(),
    })
}

pub(crate) fn identity(uid: &str) -> ClusterIdentity {
    ClusterIdentity {
        name: "prod.example.com".parse().unwrap(),
        uid: Some(ClusterUid::new(uid)),
    }
}

fn install(host: &Host, name: &str, quota_mib: u64) {
    let address = host.address();
    let environment = format!(
        "KEELSON_HOST_NAME={}\nKEELSON_HOST_ADDRESS={address}\nKEELSON_HOST_URL_ADDRESS={address}\n",
        host.name()
    );
    host.write_file("/etc/keelson/host.env", environment).unwrap();
    for instance in &INSTANCES {
        let quota = (quota_mib << 20).to_string();
        let environment = render("etcd.env", &|word| {
            match word {
                "certificate" => "/etc/etcd/pki/server.crt",
                "key" => "/etc/etcd/pki/server.key",
                "peer_certificate" => "/etc/etcd/pki/peer.crt",
                "peer_key" => "/etc/etcd/pki/peer.key",
                "authority" => "/etc/etcd/pki/ca.crt",
                "heartbeat_ms" => "100",
                "election_timeout_ms" => "1000",
                "quota_bytes" => &quota,
                other => panic!("{other}"),
            }
            .to_owned()
        });
        host.write_file(format!("/etc/etcd/{}.env", instance.cluster), environment)
            .unwrap();
        let unit = render("etcd.service", &|word| match word {
            "cluster" => instance.cluster.to_owned(),
            "program" => "/opt/keelson/bin/etcd".to_owned(),
            "environment" => format!("/etc/etcd/{}.env", instance.cluster),
            "member" => format!("/etc/etcd/{}.member.env", instance.cluster),
            "data_folder" => instance.data_folder.to_owned(),
            "client_port" => instance.client_port.to_string(),
            "peer_port" => instance.peer_port.to_string(),
            "metrics_port" => (instance.peer_port + 1).to_string(),
            other => panic!("{other}"),
        });
        host.write_file(format!("/etc/systemd/system/{}", instance.unit), unit)
            .unwrap();
    }
    host.console(&format!(
        "set -e; useradd --system --user-group --no-create-home --home-dir /var/lib/etcd etcd; \
         mkdir -p /opt/keelson/bin /var/lib/etcd-events /var/lib/keelson; \
         tar -xzf /tmp/etcd.tar.gz -C /tmp; mv /tmp/{name}/etcd* /opt/keelson/bin/; rm /tmp/etcd.tar.gz; \
         chown etcd:etcd /var/lib/etcd /var/lib/etcd-events; chmod 700 /var/lib/etcd /var/lib/etcd-events; \
         systemctl daemon-reload"
    ))
    .unwrap();
}

/// The template of that name as the bundle's renderer fills it in for etcd 3.5: words between double braces.
fn render(name: &str, word: &dyn Fn(&str) -> String) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../templates/etcd/{name}.hbs"));
    let text = fs::read_to_string(path).unwrap();
    let text = text.split_once("--}}\n").unwrap().1;
    let mut rendered = String::new();
    let mut skips = false;
    for line in text.lines() {
        match line {
            "{{#if has_feature_gates}}" => skips = true,
            "{{else}}" | "{{/if}}" => skips = false,
            _ if skips => {}
            line => {
                let mut rest = line;
                while let Some((before, after)) = rest.split_once("{{") {
                    let (inside, after) = after.split_once("}}").unwrap();
                    rendered.push_str(before);
                    rendered.push_str(&word(inside.rsplit(' ').next().unwrap()));
                    rest = after;
                }
                rendered.push_str(rest);
                rendered.push('\n');
            }
        }
    }
    rendered
}

/// etcd's authority, made with openssl.
struct Authority {
    folder: PathBuf,
}

impl Authority {
    fn new(lab: &Lab) -> Self {
        let folder = lab.key().with_file_name("pki");
        fs::create_dir_all(&folder).unwrap();
        let authority = Self { folder };
        authority.request("ca", "/CN=etcd-ca", &["keyUsage=critical,keyCertSign"], false);
        let client = ["extendedKeyUsage=clientAuth"];
        authority.request(
            "healthcheck-client",
            "/CN=kube-etcd-healthcheck-client",
            &client,
            true,
        );
        authority
    }

    fn request(&self, stem: &str, subject: &str, extensions: &[&str], signed: bool) {
        let mut command = Command::new("openssl");
        command
            .current_dir(&self.folder)
            .args(["req", "-x509", "-nodes", "-days", "10"]);
        command.args([
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-subj",
            subject,
        ]);
        command.args(["-keyout", &format!("{stem}.key"), "-out", &format!("{stem}.crt")]);
        if signed {
            command.args([
                "-CA",
                "ca.crt",
                "-CAkey",
                "ca.key",
                "-addext",
                "basicConstraints=CA:FALSE",
            ]);
        }
        for extension in extensions {
            command.args(["-addext", extension]);
        }
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Gives the host what a member and a client of etcd need.
    fn issue(&self, host: &Host) {
        let name = host.name();
        let names = format!(
            "subjectAltName=DNS:{name},DNS:localhost,IP:{},IP:127.0.0.1,IP:::1",
            host.address()
        );
        let usages = "extendedKeyUsage=serverAuth,clientAuth";
        for stem in ["server", "peer"] {
            let file = format!("{stem}-{name}");
            self.request(&file, &format!("/CN={name}"), &[&names, usages], true);
            self.send(host, &format!("{file}.crt"), &format!("{stem}.crt"));
            self.send(host, &format!("{file}.key"), &format!("{stem}.key"));
        }
        for file in ["ca.crt", "healthcheck-client.crt", "healthcheck-client.key"] {
            self.send(host, file, file);
        }
        host.console("chown -R etcd:etcd /etc/etcd/pki && chmod 700 /etc/etcd/pki")
            .unwrap();
    }

    fn send(&self, host: &Host, from: &str, to: &str) {
        let bytes = fs::read(self.folder.join(from)).unwrap();
        host.write_file(format!("/etc/etcd/pki/{to}"), bytes).unwrap();
    }
}

/// The member of the etcd `cluster` on `machine` as a planner wants it.
pub(crate) fn member(cluster: &str, machine: &str, start: MemberStart, founders: &[&str]) -> Resource {
    EtcdMember {
        cluster: cluster.to_owned(),
        machine: machine.to_owned(),
        phase: MemberPhase::Voter,
        start,
        initial_members: founders.iter().map(|&name| name.to_owned()).collect(),
    }
    .into()
}

pub(crate) fn key(cluster: &str, machine: &str) -> ResourceKey {
    ResourceKey::new(Kind::EtcdMember, EtcdMember::name(cluster, machine))
}

fn change(key: ResourceKey, action: Action) -> Change {
    Change {
        key,
        action,
        reason: "a test".to_owned(),
        disruption: Disruption::None,
        replacement: false,
    }
}

impl Fixture {
    pub(crate) async fn carry_out(&self, change: &Change) -> Outcome {
        let tell = |action: &str| {
            self.told
                .lock()
                .unwrap()
                .push(format!("{}: {action}", change.key.name()));
        };
        let context = StepContext {
            cluster: self.identity.clone(),
            fencing_generation: self.generation,
            attempt: 0,
            progress: Progress::to(&tell),
        };
        self.provider.carry_out(&context, change).await
    }

    /// Makes `machine` one of the founders of `cluster`.
    pub(crate) async fn found(&self, cluster: &str, machine: &str, founders: &[&str]) -> Outcome {
        let resource = Box::new(member(cluster, machine, MemberStart::Initial, founders));
        self.carry_out(&change(
            key(cluster, machine),
            Action::Create {
                resource,
                generation: 0,
            },
        ))
        .await
    }

    /// Founds `cluster` on `founders`, all at once, as the executor does.
    pub(crate) async fn found_all(&self, cluster: &str, founders: &[&str]) {
        let all = founders
            .iter()
            .map(|machine| self.found(cluster, machine, founders));
        for (machine, outcome) in founders.iter().zip(futures_util::future::join_all(all).await) {
            assert_eq!(
                outcome,
                Outcome::Done,
                "{machine}: {:?}",
                self.told.lock().unwrap()
            );
        }
    }

    pub(crate) async fn join(&self, cluster: &str, machine: &str) -> Outcome {
        let resource = Box::new(member(cluster, machine, MemberStart::Join, &[]));
        self.carry_out(&change(
            key(cluster, machine),
            Action::Create {
                resource,
                generation: 1,
            },
        ))
        .await
    }

    pub(crate) async fn delete(&self, key: &ResourceKey, existing: Existing) -> Outcome {
        let existing = Box::new(existing);
        self.carry_out(&change(key.clone(), Action::Delete { existing }))
            .await
    }

    /// Removes the member of `cluster` on `machine`, as it is now.
    pub(crate) async fn remove(&self, cluster: &str, machine: &str) -> Outcome {
        let existing = self.existing(cluster, machine).await;
        self.delete(&key(cluster, machine), existing).await
    }

    pub(crate) async fn snapshot(&self, name: &str, cluster: &str) -> Outcome {
        let snapshot = EtcdSnapshot {
            cluster: cluster.to_owned(),
            purpose: "a test".to_owned(),
        };
        let resource = Box::new(Resource::from(snapshot));
        let key = ResourceKey::new(Kind::EtcdSnapshot, name);
        self.carry_out(&change(
            key,
            Action::Create {
                resource,
                generation: 0,
            },
        ))
        .await
    }

    /// Makes a voter of whatever the member of `cluster` on `machine` is now.
    pub(crate) async fn update(&self, cluster: &str, machine: &str) -> Outcome {
        let existing = self.existing(cluster, machine).await;
        let wanted = member(cluster, machine, MemberStart::Join, &[]);
        let differences = existing.resource.differences(&wanted);
        assert!(!differences.is_empty(), "{existing:?}");
        let action = Action::Update {
            id: existing.id,
            resource: Box::new(wanted),
            differences,
        };
        self.carry_out(&change(key(cluster, machine), action)).await
    }

    /// What whoever gives `machine` back has done for the cluster with that uid.
    pub(crate) async fn wipe(&self, machine: &str, uid: &str) {
        let shell = self.reach.shell(machine).unwrap();
        let output = shell
            .run(&wipe::job(&ClusterUid::new(uid)), &|_| ())
            .await
            .unwrap();
        assert_eq!(output.status, 0, "{}", output.stderr);
    }

    /// True when something was told of the work.
    pub(crate) fn was_told(&self, text: &str) -> bool {
        self.told.lock().unwrap().iter().any(|told| told.contains(text))
    }

    /// What is seen at `key`.
    pub(crate) async fn seen(&self, key: &ResourceKey) -> Observed<Existing> {
        let wanted = BTreeSet::from([key.clone()]);
        let mut seen = self
            .provider
            .observe(&self.identity, key.kind(), &wanted)
            .await
            .unwrap();
        seen.found.remove(key).unwrap_or(Observed::Absent)
    }

    pub(crate) async fn existing(&self, cluster: &str, machine: &str) -> Existing {
        match self.seen(&key(cluster, machine)).await {
            Observed::Present(existing) => existing,
            other => panic!("{cluster} on {machine}: {other:?}"),
        }
    }

    /// Every member of `cluster` in a line each: machine, phase, health.
    pub(crate) async fn picture(&self, cluster: &str) -> Vec<String> {
        let kind = Kind::EtcdMember;
        let seen = self
            .provider
            .observe(&self.identity, kind, &BTreeSet::new())
            .await
            .unwrap();
        let members = seen.found.iter().filter_map(|(key, observed)| {
            let machine = key.name().strip_prefix(&format!("{cluster}:"))?;
            Some(match observed {
                Observed::Present(existing) => {
                    let Resource::EtcdMember(member) = &existing.resource else {
                        panic!("{existing:?}")
                    };
                    let health = match &existing.health {
                        Health::Healthy => "healthy",
                        Health::Unhealthy(why) => why,
                    };
                    format!("{machine} {:?} {health}", member.phase)
                }
                other => format!("{machine} {other:?}"),
            })
        });
        members.collect()
    }

    /// Waits until the picture of `cluster` is this.
    pub(crate) async fn expect(&self, cluster: &str, expected: &[&str]) {
        let mut picture = Vec::new();
        for _ in 0..60 {
            picture = self.picture(cluster).await;
            if picture == expected {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        assert_eq!(picture, expected);
    }

    /// The machine whose member of `cluster` leads.
    pub(crate) async fn leader(&self, cluster: &str) -> String {
        for host in self.lab.hosts() {
            if let Observed::Present(existing) = self.seen(&key(cluster, host.name())).await
                && existing.facts.get("leader").is_some_and(|leads| leads == "yes")
            {
                return host.name().to_owned();
            }
        }
        panic!("etcd {cluster} has no leader")
    }

    pub(crate) fn host(&self, name: &str) -> &Host {
        self.lab.host(name).unwrap()
    }

    /// What tells the data and the process of every member apart from others.
    pub(crate) fn traces(&self, cluster: &str, machines: &[&str]) -> Vec<String> {
        let unit = if cluster == "main" {
            "etcd.service"
        } else {
            "etcd-events.service"
        };
        let command = format!(
            "systemctl show --property=MainPID,NRestarts {unit}; cat /var/lib/keelson/etcd-{cluster}.json \
             /etc/etcd/{cluster}.member.env; stat -c '%n %i %Y' /etc/etcd/{cluster}.member.env"
        );
        machines
            .iter()
            .map(|machine| self.host(machine).run(&command).unwrap())
            .collect()
    }
}

/// etcdctl on a host, for a test's own work.
pub(crate) fn etcdctl(arguments: &str) -> String {
    format!(
        "ETCDCTL_API=3 /opt/keelson/bin/etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt \
         --cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key {arguments}"
    )
}

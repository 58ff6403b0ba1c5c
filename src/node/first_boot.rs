//! The user data of a machine that is made in a cloud: a script that puts its bundle in force at its first boot.
//!
//! What differs from machine to machine stands in it in clear, and the program, which is the same for all, packed: user data
//! has little room. The program is `templates/first-boot/`, with the objects in buckets that snapshots use, too.

use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::{Compression, GzBuilder};
use keelson_provider_api::joining::{NODE_CLUSTER, NODE_GROUP};
use keelson_provider_api::kinds::Machine;
use keelson_provider_api::values::{ClusterName, Digest, Labels, Taint};
use keelson_provider_api::{ClusterUid, EtcdInstance, USER_DATA_LIMIT_BYTES};
use serde_json::json;

use super::contents::RenderError;
use super::templates;

/// The program, without the settings before it.
pub(super) const PROGRAM: &str = concat!(
    include_str!("../../templates/etcd/object-store.sh"),
    include_str!("../../providers/ssh/src/scripts/bundle-incoming.sh"),
    include_str!("../../templates/first-boot/metadata.sh"),
    include_str!("../../templates/first-boot/volume.sh"),
    include_str!("../../templates/first-boot/bundle.sh"),
    include_str!("../../templates/first-boot/members.sh"),
    include_str!("../../templates/first-boot/join.sh"),
    include_str!("../../templates/first-boot/first-boot.sh"),
);

/// How long a line of the packed program is.
const LINE_BYTES: usize = 120;

/// The archive with a bundle that a machine takes in at its first boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstBootArchive {
    /// Its key in the bucket.
    pub key: String,
    /// Its SHA-256.
    pub digest: Digest,
    /// The bundle's name on the machine.
    pub bundle: Digest,
}

/// What the node of a machine is registered with that joins by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its group.
    pub group: String,
    /// Its labels.
    pub labels: Labels,
    /// Its taints.
    pub taints: Vec<Taint>,
}

/// What the first boot of a machine needs to know. Nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstBootSettings {
    /// The server of the bucket with the state, `https://…`.
    pub endpoint: String,
    /// Whether the bucket's name stands in the path of its URLs.
    pub has_path_style: bool,
    /// The bucket.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// The archive with the machine's bundle; none where the machine only leads to others, and lets people log in.
    pub archive: Option<FirstBootArchive>,
    /// What stands before the instance's name in the key that its host keys are published at, with a slash at its end.
    pub host_keys_folder: String,
    /// The life of the cluster.
    pub uid: ClusterUid,
    /// The cluster.
    pub cluster: ClusterName,
    /// The machine's name in it; where there is none, as in a group that grows by itself, whose machines are all told the same,
    /// the id of its instance.
    pub name: Option<String>,
    /// Which incarnation of its name it is.
    pub generation: u32,
    /// What it is made as.
    pub machine: Machine,
    /// The user that keelson logs in as.
    pub login_user: String,
    /// The public half of keelson's key, as a line of `authorized_keys`.
    pub login_key: String,
    /// The keys of whoever else may log in as that user, each as such a line.
    pub public_keys: Vec<String>,
    /// The paths at which the volume for etcd's data may appear, the surest one first; empty where there is none.
    pub volume_devices: Vec<String>,
    /// The etcds that the machine runs, whose data is to be on that volume.
    pub etcds: Vec<&'static EtcdInstance>,
    /// What its node is registered with, where it joins by itself.
    pub registration: Option<Registration>,
}

impl FirstBootSettings {
    /// The user data, at most [`USER_DATA_LIMIT_BYTES`].
    ///
    /// # Errors
    /// When a value cannot stand where the template puts it, or there is too much of them.
    pub fn render(&self) -> Result<String, RenderError> {
        let settings = self.in_clear()?;
        let program = packed(&without_comments(PROGRAM));
        let text = format!(
            "#!/bin/sh\n# The first boot of this machine. Nothing here is secret.\n{settings}\
             program=$(base64 -d <<'END' | gzip -d\n{program}END\n)\n\
             [ -n \"$program\" ] || {{ echo 'keelson: this image lacks base64 or gzip' >&2; exit 1; }}\n\
             eval \"$program\"\n"
        );
        if text.len() > USER_DATA_LIMIT_BYTES {
            return Err(RenderError::TooLarge {
                what: "user data",
                bytes: text.len(),
                limit: USER_DATA_LIMIT_BYTES,
            });
        }
        Ok(text)
    }

    /// The script as it runs, settings and program in clear.
    #[cfg(test)]
    pub(super) fn script(&self) -> Result<String, RenderError> {
        Ok(format!("#!/bin/sh\n{}{PROGRAM}", self.in_clear()?))
    }

    fn in_clear(&self) -> Result<String, RenderError> {
        let (mark_begin, mark_end) = self.mark();
        let archive = self.archive.as_ref();
        let login_keys = std::iter::once(&self.login_key).chain(&self.public_keys);
        let etcds = self.etcds.iter().map(|etcd| {
            json!({
                "cluster": etcd.cluster,
                "peer_port": etcd.peer_port.to_string(),
                "folder": etcd.data_folder,
            })
        });
        let values = json!({
            "endpoint": self.endpoint,
            "path_style": if self.has_path_style { "yes" } else { "no" },
            "bucket": self.bucket,
            "region": self.region,
            "archive_key": archive.map(|archive| &*archive.key).unwrap_or_default(),
            "archive_digest": archive.map(|archive| archive.digest.hexadecimal()).unwrap_or_default(),
            "bundle": archive.map(|archive| archive.bundle.hexadecimal()).unwrap_or_default(),
            "host_keys_folder": self.host_keys_folder,
            "uid": self.uid,
            "name": self.name.as_deref().unwrap_or_default(),
            "mark_begin": mark_begin,
            "mark_end": mark_end,
            "login_user": self.login_user,
            "login_keys": login_keys.collect::<Vec<_>>(),
            "volume_devices": self.volume_devices,
            "etcds": etcds.collect::<Vec<_>>(),
            "joins": self.registration.is_some(),
            "node_labels": self.registration.as_ref().map(|node| self.labels_of(node)).unwrap_or_default(),
            "node_taints": self.registration.as_ref().map(taints_of).unwrap_or_default(),
        });
        Ok(templates::render(templates::FIRST_BOOT_SETTINGS, &values)?)
    }

    /// The labels of its node, as kubelet's `--node-labels` takes them: those of the spec, its group, and the cluster that it has
    /// joined.
    fn labels_of(&self, node: &Registration) -> String {
        let mut labels = node.labels.clone();
        labels.insert(NODE_GROUP.to_owned(), node.group.clone());
        labels.insert(NODE_CLUSTER.to_owned(), self.uid.as_str().to_owned());
        let labels = labels.iter().map(|(key, value)| format!("{key}={value}"));
        labels.collect::<Vec<_>>().join(",")
    }

    /// The begin and the end of the mark as a line of JSON ([`keelson_provider_api::Mark`]). Between them its machine puts its name
    /// and the moment of the claim: the same machine has the same user data whenever it is made.
    fn mark(&self) -> (String, String) {
        let before = json!({ "uid": self.uid, "cluster": self.cluster }).to_string();
        let after = json!({ "generation": self.generation, "machine": self.machine }).to_string();
        let before = before.strip_suffix('}').unwrap_or(&before);
        let after = after.strip_prefix('{').unwrap_or(&after);
        (format!("{before},"), format!(",{after}"))
    }
}

/// Taints as kubelet's `--register-with-taints` takes them.
fn taints_of(node: &Registration) -> String {
    let one = |taint: &Taint| format!("{}={}:{}", taint.key, taint.value, taint.effect.as_str());
    node.taints.iter().map(one).collect::<Vec<_>>().join(",")
}

/// A script without the lines that only people read.
fn without_comments(script: &str) -> String {
    let lines = script.lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.trim_start().starts_with('#'));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// Packed by gzip, in lines of base64; the same text is always the same.
fn packed(text: &str) -> String {
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    // Memory takes all that is written to it.
    let packed = gzip
        .write_all(text.as_bytes())
        .and_then(|()| gzip.finish())
        .unwrap_or_default();
    let packed = BASE64_STANDARD.encode(packed);
    let mut lines = String::with_capacity(packed.len() + packed.len() / LINE_BYTES + 1);
    for (index, character) in packed.chars().enumerate() {
        if index > 0 && index % LINE_BYTES == 0 {
            lines.push('\n');
        }
        lines.push(character);
    }
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests;

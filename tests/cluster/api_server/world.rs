//! The objects of the API server, and what happens to them by itself.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::kinds::{KindOfObject, built_in};

/// What an object is found by: group, plural, namespace, name.
pub(crate) type Key = (String, String, String, String);

/// What a Node object goes through, one stage each time that it is looked at.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    /// Its kubelet has not registered.
    Missing,
    /// It says why it is not Ready.
    NotReady(&'static str),
    /// It is Ready.
    Ready,
}

/// The objects, and what happens to them by itself.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) objects: BTreeMap<Key, Value>,
    pub(crate) kinds: Vec<KindOfObject>,
    /// What each manager applied last.
    pub(crate) applied: BTreeMap<(Key, String), Value>,
    /// What happens to nodes.
    pub(crate) stages: BTreeMap<String, VecDeque<Stage>>,
    /// How often a pod is looked at before it is gone, once it was told to go.
    pub(crate) looks_until_gone: u32,
    /// Messages with which writes of objects of that name are refused.
    pub(crate) refusals: BTreeMap<String, (u16, &'static str, &'static str)>,
    /// What time it says it is, as HTTP has it.
    pub(crate) date: Option<String>,
    pub(crate) version: u64,
    uids: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self {
            kinds: built_in(),
            looks_until_gone: 2,
            ..Self::default()
        };
        for namespace in ["default", "kube-system"] {
            world.put(
                "v1",
                "Namespace",
                "",
                &json!({ "metadata": { "name": namespace } }),
            );
        }
        world
    }

    pub(crate) fn kind(&self, api_version: &str, kind: &str) -> &KindOfObject {
        let found = self
            .kinds
            .iter()
            .find(|one| one.api_version() == api_version && one.kind == kind);
        found.unwrap_or_else(|| panic!("no kind {kind} in {api_version}"))
    }

    pub(crate) fn key(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Key {
        let kind = self.kind(api_version, kind);
        (
            kind.group.clone(),
            kind.plural.clone(),
            namespace.to_owned(),
            name.to_owned(),
        )
    }

    /// Puts an object there, as someone else than keelson would.
    pub(crate) fn put(&mut self, api_version: &str, kind: &str, namespace: &str, content: &Value) {
        let name = content["metadata"]["name"].as_str().unwrap().to_owned();
        let key = self.key(api_version, kind, namespace, &name);
        let mut object = content.clone();
        object["apiVersion"] = Value::from(api_version);
        object["kind"] = Value::from(kind);
        self.store(key, object);
    }

    /// Stores an object with what a server adds to it.
    pub(crate) fn store(&mut self, key: Key, mut object: Value) -> Value {
        self.version += 1;
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = Value::from(self.version.to_string());
        if metadata["uid"].is_null() {
            self.uids += 1;
            metadata["uid"] = Value::from(format!("uid-{}", self.uids));
            metadata["creationTimestamp"] = Value::from("2026-11-01T12:00:00Z");
        }
        if !key.2.is_empty() {
            metadata["namespace"] = Value::from(key.2.clone());
        }
        if key.1 == "secrets" && object["stringData"].is_object() {
            encode_secret(&mut object);
        }
        self.objects.insert(key, object.clone());
        object
    }

    pub(crate) fn get(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.objects.get(&self.key(api_version, kind, namespace, name))
    }

    pub(crate) fn edit(
        &mut self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        edit: impl FnOnce(&mut Value),
    ) {
        let key = self.key(api_version, kind, namespace, name);
        let mut object = self.objects[&key].clone();
        edit(&mut object);
        self.store(key, object);
    }

    /// `KIND NAMESPACE/NAME` of every object but namespaces, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let others = self.objects.iter().filter(|(key, _)| key.1 != "namespaces");
        let mut names: Vec<String> = others
            .map(|(key, object)| format!("{} {}/{}", object["kind"].as_str().unwrap(), key.2, key.3))
            .collect();
        names.sort();
        names
    }

    /// What all objects say, without what the server counts by itself.
    pub(crate) fn contents(&self) -> BTreeMap<Key, Value> {
        let mut contents = self.objects.clone();
        for (key, object) in &mut contents {
            let metadata = object["metadata"].as_object_mut().unwrap();
            metadata.remove("resourceVersion");
            metadata.remove("uid");
            object.as_object_mut().unwrap().remove("looks");
            if key.3.starts_with("keelson-addon-") {
                object["data"].as_object_mut().unwrap().remove("createdAt");
            }
        }
        contents
    }

    /// What happens to an object because someone looks at it: time passes.
    pub(crate) fn look(&mut self, key: &Key) {
        match key.1.as_str() {
            "nodes" => self.advance_node(&key.3),
            "customresourcedefinitions" => self.establish(key),
            _ => {}
        }
    }

    /// Ends pods that were told to go.
    pub(crate) fn end_pods(&mut self) {
        let going: Vec<Key> = self
            .objects
            .iter()
            .filter(|(key, object)| key.1 == "pods" && !object["metadata"]["deletionTimestamp"].is_null())
            .map(|(key, _)| key.clone())
            .collect();
        for key in going {
            let left = &mut self.objects.get_mut(&key).unwrap()["looksLeft"];
            match left.as_u64().unwrap_or(0) {
                0 => {
                    self.objects.remove(&key);
                }
                looks => *left = Value::from(looks - 1),
            }
        }
    }

    fn advance_node(&mut self, name: &str) {
        let Some(stage) = self.stages.get_mut(name).and_then(VecDeque::pop_front) else {
            return;
        };
        let (status, message) = match stage {
            Stage::Missing => return,
            Stage::NotReady(why) => ("False", why),
            Stage::Ready => ("True", "kubelet is posting ready status"),
        };
        if self.get("v1", "Node", "", name).is_none() {
            self.put(
                "v1",
                "Node",
                "",
                &json!({ "metadata": { "name": name,
                "labels": { "kubernetes.io/hostname": name } }, "spec": { "taints": [
                { "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" }] } }),
            );
        }
        self.edit("v1", "Node", "", name, |node| {
            node["status"]["conditions"] = json!([{ "type": "Ready", "status": status, "reason": "Kubelet", "message": message }]);
            node["status"]["nodeInfo"] = json!({ "kubeletVersion": "v1.36.2", "containerRuntimeVersion": "containerd://2.2.1",
                "kernelVersion": "6.1", "osImage": "Debian", "architecture": "amd64", "bootID": "", "kubeProxyVersion": "",
                "machineID": "", "operatingSystem": "linux", "systemUUID": "" });
        });
    }

    fn establish(&mut self, key: &Key) {
        let Some(definition) = self.objects.get_mut(key) else {
            return;
        };
        let looks = definition["looks"].as_u64().unwrap_or(0) + 1;
        definition["looks"] = Value::from(looks);
        if looks < 2 {
            return;
        }
        definition["status"]["conditions"] = json!([{ "type": "Established", "status": "True" }]);
        let spec = definition["spec"].clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let kind = KindOfObject {
            group: text(&spec["group"]),
            version: text(&spec["versions"][0]["name"]),
            plural: text(&spec["names"]["plural"]),
            kind: text(&spec["names"]["kind"]),
            is_namespaced: spec["scope"] == "Namespaced",
        };
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }
}

/// A server keeps what came as text in base64.
fn encode_secret(object: &mut Value) {
    use base64::Engine as _;
    let texts = object.as_object_mut().unwrap().remove("stringData").unwrap();
    for (name, text) in texts.as_object().unwrap() {
        let encoded = base64::prelude::BASE64_STANDARD.encode(text.as_str().unwrap());
        object["data"][name] = Value::from(encoded);
    }
}

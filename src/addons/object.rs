//! One Kubernetes object as it is applied, and what it is called.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an object is called inside a cluster. They order by kind and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectId {
    /// Group and version, `apps/v1`, or the version alone for the core group.
    pub api_version: String,
    /// The kind, `Deployment`.
    pub kind: String,
    /// The namespace; `None` for what has none, and where the object leaves it to whoever applies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectId {
    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// True when both name the same object, be it in two versions of its group: a manifest that goes on to a newer
    /// version speaks of the same object.
    pub fn is_same_object(&self, other: &Self) -> bool {
        self.group() == other.group()
            && self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
    }
}

impl fmt::Display for ObjectId {
    /// For people: `Deployment kube-system/coredns`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}

/// One Kubernetes object as it is applied.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Object {
    content: Value,
    #[serde(skip)]
    id: ObjectId,
}

impl Object {
    /// The object that `content` describes.
    ///
    /// # Errors
    /// Says what it lacks, when it is no object: a lower-case fragment.
    pub fn new(content: Value) -> Result<Self, String> {
        let text = |value: &Value, what: &str| match value {
            Value::String(text) if !text.is_empty() => Ok(text.clone()),
            Value::Null => Err(format!("it has no {what}")),
            _ => Err(format!("its {what} is no text")),
        };
        if !content.is_object() {
            return Err("it is no map".to_owned());
        }
        let metadata = &content["metadata"];
        let namespace = match &metadata["namespace"] {
            Value::Null => None,
            // An empty one means none given, as everywhere in Kubernetes.
            Value::String(empty) if empty.is_empty() => None,
            given => Some(text(given, "metadata.namespace")?),
        };
        let id = ObjectId {
            api_version: text(&content["apiVersion"], "apiVersion")?,
            kind: text(&content["kind"], "kind")?,
            namespace,
            name: text(&metadata["name"], "metadata.name")?,
        };
        // These become parts of a path.
        for (part, what) in [(&id.name, "name"), (&id.kind, "kind")] {
            if part.contains(['/', '?', '#', '%']) || part.contains(char::is_whitespace) {
                return Err(format!("`{}` is not a {what}", part.escape_debug()));
            }
        }
        Ok(Self { content, id })
    }

    /// What it is called.
    pub fn id(&self) -> &ObjectId {
        &self.id
    }

    /// The object as it is sent.
    pub fn content(&self) -> &Value {
        &self.content
    }

    /// The same object in `namespace`.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.content["metadata"]["namespace"] = Value::from(namespace);
        self.id.namespace = Some(namespace.to_owned());
        self
    }
}

//! Labels and taints as Kubernetes accepts them.
//!
//! Syntax: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>. What
//! a kubelet may set on its own node: the NodeRestriction admission plugin and
//! `k8s.io/kubelet/pkg/apis/well_known_labels.go`.

use keelson_provider_api::values::{Labels, Taint, clip};

use super::{Found, for_each_repetition};
use crate::spec::errors::Finding;
use crate::spec::path::Path;

const NAME_LIMIT_CHARS: usize = 63;
const PREFIX_LIMIT_CHARS: usize = 253;

/// What the kubelet or a controller sets, so that a spec cannot.
const TAKEN_LABELS: &[&str] = &[
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];
/// The prefixes below kubernetes.io that a node may set labels of.
const OPEN_PREFIXES: &[&str] = &["node.kubernetes.io", "kubelet.kubernetes.io"];

/// `[PREFIX/]NAME`.
fn check_key(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if let Some(prefix) = prefix {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_label = |part: &str| {
            !part.is_empty() && part.bytes().all(allowed) && !part.starts_with('-') && !part.ends_with('-')
        };
        if prefix.len() > PREFIX_LIMIT_CHARS || !prefix.split('.').all(is_label) {
            return Err(format!(
                "the prefix `{}` is not a DNS name in lower case",
                clip(prefix)
            ));
        }
    }
    if name.is_empty() {
        return Err(format!("the key `{}` has an empty name", clip(key)));
    }
    check_name(name).map_err(|problem| format!("the key `{}` {problem}", clip(key)))
}

fn check_value(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Ok(());
    }
    check_name(value).map_err(|problem| format!("the value `{}` {problem}", clip(value)))
}

fn check_name(name: &str) -> Result<(), String> {
    if name.len() > NAME_LIMIT_CHARS {
        return Err(format!("is longer than {NAME_LIMIT_CHARS} characters"));
    }
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if let Some(wrong) = name.chars().find(|&character| !allowed(character)) {
        return Err(format!("contains `{}`", wrong.escape_debug()));
    }
    let edge = |character: Option<char>| character.is_some_and(|character| character.is_ascii_alphanumeric());
    if !edge(name.chars().next()) || !edge(name.chars().next_back()) {
        return Err("must begin and end with a letter or a digit".to_owned());
    }
    Ok(())
}

const KEY_EXPECTED: &str = "[PREFIX/]NAME: a name of up to 63 letters, digits, -, _ and .";
const VALUE_EXPECTED: &str = "up to 63 letters, digits, -, _ and .";

/// Checks a node's labels.
pub(super) fn check_labels(path: &Path, labels: &Labels, found: &mut Found) {
    for (key, value) in labels {
        let here = path.then(key);
        if let Err(problem) = check_key(key) {
            found.error(Finding::new(here, problem).expected(KEY_EXPECTED));
            continue;
        }
        if let Err(problem) = check_value(value) {
            found.error(Finding::new(here.clone(), problem).expected(VALUE_EXPECTED));
        }
        if let Some(finding) = refuse_reserved(&here, key) {
            found.error(finding);
        }
    }
}

fn refuse_reserved(path: &Path, key: &str) -> Option<Finding> {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    let is_below = |domain: &str| {
        prefix == domain
            || prefix
                .strip_suffix(domain)
                .is_some_and(|rest| rest.ends_with('.'))
    };
    let finding = |problem: String| Finding::new(path.clone(), problem);
    if prefix == "node-role.kubernetes.io" {
        let problem =
            format!("`{key}` is a label that nodes may not give themselves; keelson sets the roles");
        return Some(finding(problem).help("use a prefix of your own, such as example.com/role"));
    }
    if TAKEN_LABELS.contains(&key) {
        return Some(finding(format!("`{key}` is set by Kubernetes itself")).help("remove it"));
    }
    let is_reserved = is_below("kubernetes.io") || is_below("k8s.io");
    let is_open = OPEN_PREFIXES.iter().any(|open| is_below(open));
    if is_reserved && !is_open {
        let problem = format!("the prefix `{prefix}` is reserved: nodes may not set its labels");
        return Some(finding(problem).help("use a prefix of your own, such as example.com/"));
    }
    if is_below("keelson.dev") {
        return Some(finding("the prefix `keelson.dev` is keelson's own".to_owned()));
    }
    None
}

/// Checks a node's taints.
pub(super) fn check_taints(path: &Path, taints: &[Taint], found: &mut Found) {
    for (index, taint) in taints.iter().enumerate() {
        let here = path.then(index);
        if let Err(problem) = check_key(&taint.key) {
            found.error(Finding::new(here.then("key"), problem).expected(KEY_EXPECTED));
            continue;
        }
        if let Err(problem) = check_value(&taint.value) {
            found.error(Finding::new(here.then("value"), problem).expected(VALUE_EXPECTED));
        }
        if taint.key.starts_with("node.kubernetes.io/") {
            found.error(
                Finding::new(
                    here.then("key"),
                    format!("`{}` is set by Kubernetes itself", taint.key),
                )
                .help("use a prefix of your own, such as example.com/"),
            );
        }
    }
    let identities: Vec<_> = taints.iter().map(|taint| (&taint.key, taint.effect)).collect();
    for_each_repetition(&identities, |later, first| {
        let problem = format!("taints[{first}] has the same key and effect");
        found.error(Finding::new(path.then(later), problem).help("remove one of the two"));
    });
}

//! A kubeconfig among others in one file, as `kubectl` keeps them.

use keelson_provider_api::values::Secret;
use serde_json::{Map, Value, json};

/// The lists of a kubeconfig, each of entries with a name
/// (<https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>).
const LISTS: [&str; 3] = ["clusters", "contexts", "users"];
const CURRENT: &str = "current-context";

/// A file is no kubeconfig. The text of the file is not repeated: there may be keys in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not have the form of a kubeconfig: {0}")]
pub struct NotAKubeconfig(&'static str);

/// The kubeconfig `existing` (empty for none) with what is in `added`: entries of the same name are replaced, all others
/// stay as they are. Its context becomes the current one if `selects`, or if there was none.
///
/// Comments are lost, as with `kubectl config`.
///
/// # Errors
/// [`NotAKubeconfig`].
///
/// ```
/// use keelson::ops::merge_kubeconfig;
/// use keelson_provider_api::values::Secret;
///
/// let added = Secret::new("{ users: [{ name: ann@prod, user: {} }], current-context: ann@prod }".to_owned());
/// let merged = merge_kubeconfig("users: [{ name: bob, user: {} }]\ncurrent-context: bob", &added, false).unwrap();
/// assert!(merged.expose().contains("name: ann@prod") && merged.expose().contains("current-context: bob"));
/// ```
pub fn merge_kubeconfig(
    existing: &str,
    added: &Secret<String>,
    selects: bool,
) -> Result<Secret<String>, NotAKubeconfig> {
    let mut merged = read(existing)?;
    let mut added = read(added.expose())?;
    for list in LISTS {
        let kept = merged.entry(list).or_insert(Value::Null);
        if kept.is_null() {
            *kept = json!([]);
        }
        let kept = kept.as_array_mut();
        let kept = kept.ok_or(NotAKubeconfig("its clusters, contexts and users are not lists"))?;
        let entries = added.remove(list).unwrap_or_default();
        for entry in entries.as_array().into_iter().flatten() {
            match kept.iter_mut().find(|other| other["name"] == entry["name"]) {
                Some(other) => *other = entry.clone(),
                None => kept.push(entry.clone()),
            }
        }
    }
    let has_current = merged
        .get(CURRENT)
        .and_then(Value::as_str)
        .is_some_and(|name| !name.is_empty());
    if (selects || !has_current)
        && let Some(current) = added.remove(CURRENT)
    {
        merged.insert(CURRENT.to_owned(), current);
    }
    // On one line each, where people's scripts look for keys and certificates.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(&merged, options)
        .map(Secret::new)
        .map_err(|_| NotAKubeconfig("it holds what has no YAML form"))
}

fn read(text: &str) -> Result<Map<String, Value>, NotAKubeconfig> {
    let value: Value = if text.trim().is_empty() {
        Value::Null
    } else {
        // The parser's own words may repeat a part of the file.
        serde_saphyr::from_str(text).map_err(|_| NotAKubeconfig("it cannot be read as YAML"))?
    };
    match value {
        Value::Null => Ok(Map::from_iter([
            ("apiVersion".to_owned(), json!("v1")),
            ("kind".to_owned(), json!("Config")),
        ])),
        Value::Object(fields) => match fields.get("kind").map(|kind| kind.as_str()) {
            None | Some(Some("Config")) => Ok(fields),
            Some(_) => Err(NotAKubeconfig("its kind is not Config")),
        },
        _ => Err(NotAKubeconfig("it is not a map")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig(user: &str, cluster: &str, token: &str) -> Secret<String> {
        Secret::new(format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{ name: {cluster}, cluster: {{ server: https://{cluster} }} }}]\n\
             contexts: [{{ name: {user}@{cluster}, context: {{ cluster: {cluster}, user: {user}@{cluster} }} }}]\n\
             current-context: {user}@{cluster}\nusers: [{{ name: {user}@{cluster}, user: {{ token: {token} }} }}]\n"
        ))
    }

    fn merged(existing: &str, added: &Secret<String>, selects: bool) -> Value {
        let text = merge_kubeconfig(existing, added, selects).unwrap();
        serde_saphyr::from_str(text.expose()).unwrap()
    }

    #[test]
    fn into_nothing_it_is_itself() {
        let added = kubeconfig("ann", "prod", "one");
        for nothing in [
            "",
            "\n",
            "null",
            "---\n",
            "apiVersion: v1\nkind: Config\nclusters: null\nusers: []\n",
        ] {
            let expected: Value = serde_saphyr::from_str(added.expose()).unwrap();
            assert_eq!(merged(nothing, &added, false), expected, "{nothing:?}");
        }
    }

    #[test]
    fn what_is_there_stays_and_what_has_its_names_is_replaced() {
        let others = "apiVersion: v1\nkind: Config\npreferences: { colors: true }\nclusters: [{ name: old, cluster: { server: \
                      https://old, extensions: [{ name: x, extension: { a: 1.5 } }] } }]\ncontexts: []\nusers: [{ name: bob, \
                      user: { exec: { command: login, args: [\"1\", \"yes\"] } } }]\ncurrent-context: bob@old\n";
        let first = merge_kubeconfig(others, &kubeconfig("ann", "prod", "one"), false).unwrap();
        let second = merged(first.expose(), &kubeconfig("ann", "prod", "two"), true);
        let before: Value = serde_saphyr::from_str(others).unwrap();
        assert_eq!(second["preferences"], before["preferences"]);
        assert_eq!(second["clusters"][0], before["clusters"][0]);
        assert_eq!(second["users"][0], before["users"][0]);
        assert_eq!(second["users"].as_array().unwrap().len(), 2);
        assert_eq!(second["users"][1]["user"]["token"], "two");
        assert_eq!(second["current-context"], "ann@prod");
        let first: Value = serde_saphyr::from_str(first.expose()).unwrap();
        assert_eq!(first["current-context"], "bob@old");
    }

    #[test]
    fn what_is_no_kubeconfig_is_refused_without_a_word_of_it() {
        let added = kubeconfig("ann", "prod", "one");
        for wrong in [
            "hunter2",
            "[hunter2]",
            "a: [hunter2",
            "kind: Pod\na: hunter2",
            "users: { hunter2: 1 }",
        ] {
            let problem = merge_kubeconfig(wrong, &added, true).unwrap_err().to_string();
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }
}

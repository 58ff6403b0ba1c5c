//! YAML of any number of objects, as `kubectl apply` reads it.

use serde_json::Value;

use super::object::Object;

/// Why a manifest cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is no YAML.
    #[error("it is not YAML: {0}")]
    Syntax(String),
    /// One of its documents is no object.
    #[error("document {number} is no Kubernetes object: {problem}")]
    NoObject {
        /// The document's number, from 1.
        number: usize,
        /// What it lacks.
        problem: String,
    },
    /// Two of its documents describe the same object.
    #[error("documents describe {0} twice")]
    Twice(String),
    /// There is no object in it.
    #[error("there is no object in it")]
    Empty,
}

/// How many nodes and how many bytes of text a manifest may come to. The largest that are published, all CRDs of a
/// service mesh or of a network plugin, have some tens of thousands and a few million.
const MOST_NODES: usize = 2_000_000;
const MOST_TEXT_BYTES: usize = 64 << 20;

/// The objects in `text`: its documents, with lists taken apart and empty documents left out.
///
/// # Errors
/// [`ManifestError`], for the first document that is wrong.
pub fn parse(text: &str) -> Result<Vec<Object>, ManifestError> {
    let budget = serde_saphyr::budget! {
        max_nodes: MOST_NODES,
        max_events: 2 * MOST_NODES,
        max_total_scalar_bytes: MOST_TEXT_BYTES,
        max_documents: 10_000,
    };
    let options = serde_saphyr::options! {
        budget: budget,
        // As sigs.k8s.io/yaml, through which every manifest goes, reads them: `defaultMode: 0644`, `on`.
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|problem| ManifestError::Syntax(problem.to_string()))?;
    let mut objects = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        take(document, index + 1, &mut objects)?;
    }
    check(&objects)?;
    Ok(objects)
}

/// Adds what `document` describes.
fn take(document: Value, number: usize, objects: &mut Vec<Object>) -> Result<(), ManifestError> {
    if document.is_null() {
        return Ok(());
    }
    let no_object = |problem: String| ManifestError::NoObject { number, problem };
    let is_list = document["kind"]
        .as_str()
        .is_some_and(|kind| kind.ends_with("List"));
    match document {
        Value::Object(mut list) if is_list && list.contains_key("items") => match list.remove("items") {
            Some(Value::Array(items)) => items.into_iter().try_for_each(|item| take(item, number, objects)),
            _ => Err(no_object("its items are no list".to_owned())),
        },
        single => {
            objects.push(Object::new(single).map_err(no_object)?);
            Ok(())
        }
    }
}

fn check(objects: &[Object]) -> Result<(), ManifestError> {
    if objects.is_empty() {
        return Err(ManifestError::Empty);
    }
    let mut ids: Vec<_> = objects
        .iter()
        .map(|object| {
            let id = object.id();
            (&id.kind, id.group(), &id.namespace, &id.name, id)
        })
        .collect();
    ids.sort();
    let same = ids.windows(2).find(|pair| pair[0].4.is_same_object(pair[1].4));
    match same {
        Some(pair) => Err(ManifestError::Twice(pair[0].4.to_string())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config_map(name: &str) -> String {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name} }}\n")
    }

    fn names(text: &str) -> Vec<String> {
        parse(text)
            .unwrap()
            .iter()
            .map(|object| object.id().to_string())
            .collect()
    }

    #[test]
    fn documents_and_lists_become_objects() {
        let text = format!(
            "# a comment\n---\n{}---\n\n---\napiVersion: v1\nkind: List\nitems:\n- {{ apiVersion: v1, kind: \
             Secret, metadata: {{ name: b, namespace: there }} }}\n---\n# nothing\n",
            config_map("a")
        );
        assert_eq!(names(&text), ["ConfigMap a", "Secret there/b"]);
    }

    #[test]
    fn what_is_no_object_is_told_by_its_number() {
        let text = format!("{}---\nkind: Secret\nmetadata: {{ name: b }}\n", config_map("a"));
        let problem = parse(&text).unwrap_err().to_string();
        assert_eq!(
            problem,
            "document 2 is no Kubernetes object: it has no apiVersion"
        );
        assert_eq!(parse("# nothing\n").unwrap_err(), ManifestError::Empty);
        assert!(matches!(parse("a: [").unwrap_err(), ManifestError::Syntax(_)));
        assert!(matches!(
            parse("- 1\n").unwrap_err(),
            ManifestError::NoObject { number: 1, .. }
        ));
        let hostile = config_map("../../secrets");
        assert!(matches!(
            parse(&hostile).unwrap_err(),
            ManifestError::NoObject { .. }
        ));
    }

    #[test]
    fn an_object_stands_in_a_manifest_once() {
        let text = format!("{}---\n{}", config_map("a"), config_map("a"));
        let problem = parse(&text).unwrap_err().to_string();
        assert_eq!(problem, "documents describe ConfigMap a twice");
    }

    #[test]
    fn words_and_numbers_are_read_as_kubectl_reads_them() {
        let text = format!(
            "{}data: {{ mode: 0644, flag: on, text: \"0644\", version: 1.10 }}\n",
            config_map("a")
        );
        let objects = parse(&text).unwrap();
        let data = &objects[0].content()["data"];
        assert_eq!(
            *data,
            json!({ "mode": 420, "flag": true, "text": "0644", "version": 1.1 })
        );
    }
}

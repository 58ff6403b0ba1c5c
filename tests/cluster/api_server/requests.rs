//! From a request to an answer.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::http::{Answer, Request, failure};
use super::kinds;
use super::merge::{apply, merge_patch};
use super::world::{Key, World};

/// Where a request leads.
struct Place {
    group: String,
    plural: String,
    api_version: String,
    namespace: String,
    name: Option<String>,
    subresource: Option<String>,
}

pub(super) fn answer(world: &mut World, request: &Request) -> Answer {
    if request.path.ends_with("/selfsubjectaccessreviews") {
        let mut review = request.body.clone();
        review["status"] = json!({ "allowed": may(world, request) });
        return (201, review);
    }
    if !may(world, request) {
        let message = format!(
            "User \"keelson\" cannot access {} at the cluster scope",
            request.path
        );
        return failure(403, "Forbidden", &message);
    }
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let discovery = match parts.as_slice() {
        ["api", version] => Some((String::new(), (*version).to_owned())),
        ["apis", group, version] => Some(((*group).to_owned(), (*version).to_owned())),
        _ => None,
    };
    if let Some((group, version)) = discovery {
        return discover(world, &group, &version);
    }
    let Some(place) = place(world, &parts) else {
        return failure(
            404,
            "NotFound",
            "the server could not find the requested resource",
        );
    };
    let key: Key = (
        place.group.clone(),
        place.plural.clone(),
        place.namespace.clone(),
        place.name.clone().unwrap_or_default(),
    );
    match (request.method.as_str(), &place.name, place.subresource.as_deref()) {
        ("GET", None, None) => list(world, &place, request),
        ("GET", Some(_), None) => {
            world.look(&key);
            found(world, &key, request)
        }
        ("POST", None, None) => create(world, key, request),
        ("POST", Some(_), Some("eviction")) => evict(world, &key, request),
        ("PATCH", Some(_), None) => patch(world, key, &place, request),
        ("DELETE", Some(_), None) => delete(world, &key, request),
        _ => failure(405, "MethodNotAllowed", "the server does not allow this method"),
    }
}

/// Founders may do everything, administrators while their binding is there.
fn may(world: &World, request: &Request) -> bool {
    let binding = (
        "rbac.authorization.k8s.io".to_owned(),
        "clusterrolebindings".to_owned(),
        String::new(),
        "keelson:cluster-admins".to_owned(),
    );
    let is = |group: &str| request.groups.iter().any(|own| own == group);
    is("system:masters") || (is("keelson:cluster-admins") && world.objects.contains_key(&binding))
}

fn discover(world: &World, group: &str, version: &str) -> Answer {
    let mut kinds = world
        .kinds
        .iter()
        .filter(|kind| kind.group == group && kind.version == version)
        .peekable();
    match kinds.peek() {
        None => failure(
            404,
            "NotFound",
            "the server could not find the requested resource",
        ),
        Some(kind) => (200, kinds::list(&kind.api_version(), kinds)),
    }
}

fn place(world: &World, parts: &[&str]) -> Option<Place> {
    let (group, version, rest) = match parts {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let (plural, rest) = rest.split_first()?;
    let kind = world
        .kinds
        .iter()
        .find(|kind| kind.group == group && kind.version == version && kind.plural == *plural)?;
    Some(Place {
        group: group.to_owned(),
        plural: (*plural).to_owned(),
        api_version: kind.api_version(),
        namespace: namespace.to_owned(),
        name: rest.first().map(|&name| name.to_owned()),
        subresource: rest.get(1).map(|&name| name.to_owned()),
    })
}

fn shown(object: &Value, request: &Request) -> Value {
    if !request.header("accept").contains("PartialObjectMetadata") {
        return object.clone();
    }
    json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"] })
}

fn not_found(key: &Key) -> Answer {
    failure(404, "NotFound", &format!("{} \"{}\" not found", key.1, key.3))
}

fn found(world: &World, key: &Key, request: &Request) -> Answer {
    match world.objects.get(key) {
        Some(object) => (200, shown(object, request)),
        None => not_found(key),
    }
}

fn list(world: &mut World, place: &Place, request: &Request) -> Answer {
    let items: Vec<Value> = world
        .objects
        .iter()
        .filter(|(key, _)| key.0 == place.group && key.1 == place.plural)
        .filter(|(key, _)| place.namespace.is_empty() || key.2 == place.namespace)
        .filter(|(_, object)| has_labels(object, request.asked("labelSelector")))
        .filter(|(_, object)| has_fields(object, request.asked("fieldSelector")))
        .map(|(_, object)| shown(object, request))
        .collect();
    if place.plural == "pods" {
        world.end_pods();
    }
    let kind = if request.header("accept").contains("PartialObjectMetadata") {
        "PartialObjectMetadataList"
    } else {
        "List"
    };
    (
        200,
        json!({ "apiVersion": place.api_version, "kind": kind, "metadata": { "resourceVersion": world.version.to_string() }, "items": items }),
    )
}

fn has_labels(object: &Value, selector: &str) -> bool {
    let labels = &object["metadata"]["labels"];
    selector
        .split(',')
        .filter(|one| !one.is_empty())
        .all(|one| match one.split_once('=') {
            Some((key, value)) => labels[key] == value,
            None => !labels[one].is_null(),
        })
}

fn has_fields(object: &Value, selector: &str) -> bool {
    selector.split(',').filter(|one| !one.is_empty()).all(|one| {
        let (path, value) = one.split_once('=').unwrap();
        let field = path.split('.').fold(object, |value, part| &value[part]);
        field.as_str().unwrap_or_default() == value
    })
}

fn refused(world: &World, name: &str) -> Option<Answer> {
    let (code, reason, message) = world.refusals.get(name)?;
    Some(failure(*code, reason, message))
}

fn create(world: &mut World, mut key: Key, request: &Request) -> Answer {
    request.body["metadata"]["name"]
        .as_str()
        .unwrap()
        .clone_into(&mut key.3);
    if let Some(answer) = refused(world, &key.3) {
        return answer;
    }
    if world.objects.contains_key(&key) {
        return failure(
            409,
            "AlreadyExists",
            &format!("{} \"{}\" already exists", key.1, key.3),
        );
    }
    (201, world.store(key, request.body.clone()))
}

fn patch(world: &mut World, key: Key, place: &Place, request: &Request) -> Answer {
    if let Some(answer) = refused(world, &key.3) {
        return answer;
    }
    let namespaces = (
        String::new(),
        "namespaces".to_owned(),
        String::new(),
        key.2.clone(),
    );
    if !key.2.is_empty() && !world.objects.contains_key(&namespaces) {
        return failure(404, "NotFound", &format!("namespaces \"{}\" not found", key.2));
    }
    let before = world.objects.get(&key).cloned();
    let is_apply = request.header("content-type").contains("apply-patch");
    let asked = request.body["metadata"]["resourceVersion"].as_str();
    if let Some(asked) = asked {
        let actual = before
            .as_ref()
            .and_then(|object| object["metadata"]["resourceVersion"].as_str());
        if actual != Some(asked) {
            return failure(
                409,
                "Conflict",
                "the object has been modified; please apply your changes to the latest version",
            );
        }
    }
    let mut object = match before.clone() {
        Some(object) => object,
        None if is_apply => json!({}),
        None => return not_found(&key),
    };
    if is_apply {
        assert_eq!(request.asked("fieldManager"), "keelson");
        assert_eq!(request.asked("force"), "true");
        assert_eq!(request.body["apiVersion"], place.api_version);
        assert_eq!(request.body["metadata"]["name"], key.3);
        let mut content = request.body.clone();
        content["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("resourceVersion");
        let manager = (key.clone(), "keelson".to_owned());
        let last = world
            .applied
            .insert(manager, content.clone())
            .unwrap_or(Value::Null);
        apply(&mut object, &last, &content);
        object["metadata"]["managedFields"] = json!([{ "manager": "keelson", "operation": "Apply" }]);
    } else {
        merge_patch(&mut object, &request.body);
    }
    match before {
        // Nothing has changed: not even the version.
        Some(before) if before == object => (200, before),
        Some(_) => (200, world.store(key, object)),
        None => (201, world.store(key, object)),
    }
}

fn delete(world: &mut World, key: &Key, request: &Request) -> Answer {
    let Some(object) = world.objects.get(key) else {
        return not_found(key);
    };
    if let Some(answer) = refused(world, &key.3) {
        return answer;
    }
    let wanted = &request.body["preconditions"]["uid"];
    if !wanted.is_null() && *wanted != object["metadata"]["uid"] {
        return failure(
            409,
            "Conflict",
            "Precondition failed: UID in precondition does not match",
        );
    }
    if key.1 == "pods" {
        return end_pod(world, key);
    }
    if key.1 == "customresourcedefinitions" {
        let spec = object["spec"].clone();
        let is_of = |group: &str, plural: &str| spec["group"] == group && spec["names"]["plural"] == plural;
        world.kinds.retain(|kind| !is_of(&kind.group, &kind.plural));
        world.objects.retain(|key, _| !is_of(&key.0, &key.1));
    }
    world.objects.remove(key);
    world.applied.retain(|(applied, _), _| applied != key);
    (
        200,
        json!({ "apiVersion": "v1", "kind": "Status", "status": "Success" }),
    )
}

fn end_pod(world: &mut World, key: &Key) -> Answer {
    let looks = world.looks_until_gone;
    let pod = world.objects.get_mut(key).unwrap();
    if pod["metadata"]["deletionTimestamp"].is_null() {
        pod["metadata"]["deletionTimestamp"] = Value::from("2026-11-01T12:00:00Z");
        pod["metadata"]["deletionGracePeriodSeconds"] = Value::from(30);
        pod["looksLeft"] = Value::from(looks);
    }
    (
        201,
        json!({ "apiVersion": "v1", "kind": "Status", "status": "Success" }),
    )
}

/// The eviction API: a pod goes if every budget that covers it allows for one less.
fn evict(world: &mut World, key: &Key, request: &Request) -> Answer {
    let Some(pod) = world.objects.get(key) else {
        return not_found(key);
    };
    let wanted = &request.body["deleteOptions"]["preconditions"]["uid"];
    assert!(!wanted.is_null(), "an eviction is of one certain pod");
    if *wanted != pod["metadata"]["uid"] {
        return failure(
            409,
            "Conflict",
            "Precondition failed: UID in precondition does not match",
        );
    }
    if let Some(answer) = refused(world, &key.3) {
        return answer;
    }
    let labels: BTreeMap<String, String> =
        serde_json::from_value(pod["metadata"]["labels"].clone()).unwrap_or_default();
    let covers = |budget: &Value| {
        let wanted: BTreeMap<String, String> =
            serde_json::from_value(budget["spec"]["selector"]["matchLabels"].clone()).unwrap_or_default();
        wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    let budget = world
        .objects
        .iter()
        .find(|(other, budget)| other.1 == "poddisruptionbudgets" && other.2 == key.2 && covers(budget))
        .map(|(key, _)| key.clone());
    if let Some(budget) = budget {
        let budget = world.objects.get_mut(&budget).unwrap();
        let allowed = budget["status"]["disruptionsAllowed"].as_i64().unwrap_or(0);
        if allowed < 1 {
            let name = budget["metadata"]["name"].as_str().unwrap();
            let cause = format!("The disruption budget {name} needs 2 healthy pods and has 2 currently");
            let (code, mut status) = failure(
                429,
                "TooManyRequests",
                "Cannot evict pod as it would violate the pod's disruption budget.",
            );
            status["details"] = json!({ "causes": [{ "reason": "DisruptionBudget", "message": cause }] });
            return (code, status);
        }
        budget["status"]["disruptionsAllowed"] = Value::from(allowed - 1);
    }
    end_pod(world, key)
}

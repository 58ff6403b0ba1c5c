//! `docs/plan-format.md` has each field of a plan in JSON, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keelson::execute::{Interrupt, ProviderSet, Silent};
use keelson::ops::{ApplyOptions, AutoApprove, Planned, Session, SessionParts};
use keelson::plan::{Blocked, Held, PlanReport, Problem, StandingRestore, UnseenKind};
use keelson::spec;
use keelson::view::plan_json;
use keelson_provider_api::{Finding, Kind, ResourceKey, Severity};
use keelson_provider_simulated::{Like, MemoryStore, SimulatedOptions, SimulatedWorld, providers};
use serde_json::Value;

use super::read;

type Names = BTreeSet<String>;

/// The names between backquotes.
fn quoted(text: &str) -> Names {
    let parts = text.split('`').enumerate();
    parts
        .filter(|(index, _)| index % 2 == 1)
        .map(|(_, name)| name.to_owned())
        .collect()
}

fn keys(value: &Value) -> Names {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("{value} is no object"));
    object.keys().cloned().collect()
}

/// The lines below a heading, up to the next one.
fn section(document: &str, heading: &str) -> String {
    let lines = document.lines().skip_while(|line| *line != heading).skip(1);
    let section: Vec<&str> = lines.take_while(|line| !line.starts_with('#')).collect();
    assert!(
        !section.is_empty(),
        "docs/plan-format.md has no section `{heading}`"
    );
    section.join("\n")
}

/// The cells of the rows of the table whose header begins with `first`.
fn rows(section: &str, first: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim().trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    let from_header = section
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {first} |")));
    let rows: Vec<_> = from_header
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect();
    assert!(!rows.is_empty(), "there is no table of {first}s:\n{section}");
    rows
}

/// The names in the first column of the table of fields.
fn described(section: &str) -> Names {
    let rows = rows(section, "field").into_iter();
    rows.flat_map(|row| quoted(&row[0])).collect()
}

const CREATED: &str = "\
apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: { name: prod }
spec:
  kubernetesVersion: 1.36.2
  provider: { simulated: { like: aws } }
  controlPlane: { replicas: 3, machine: { type: m6i.large } }
  nodeGroups: [{ name: workers, replicas: 2, machine: { type: m6i.large } }]
";

/// Plans in which every form of a step occurs: a create, edits with a replacement, and a destruction.
fn plans() -> Vec<Value> {
    let world = SimulatedWorld::in_memory(SimulatedOptions::new(Like::Aws, 1));
    let store = Arc::new(MemoryStore::new());
    let session = |text: &str| {
        Session::new(SessionParts::simulated(
            spec::load(text.as_bytes(), "test").unwrap(),
            ProviderSet::new(providers(&world)).unwrap(),
            store.clone(),
            world.clock(),
            "test",
        ))
    };
    let json =
        |planned: &Planned| serde_json::from_str::<Value>(&plan_json::render(planned).unwrap()).unwrap();
    let edited = CREATED
        .replace(
            "replicas: 2, machine: { type: m6i.large }",
            "replicas: 1, machine: { type: m6i.xlarge }, rolling: { maxSurge: 1 }",
        )
        .replace("replicas: 3", "replicas: 1");
    let replaced = CREATED.replace("{ type: m6i.large }", "{ type: m6i.xlarge }");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let first = session(CREATED);
        let mut plans = vec![json(&first.plan(&Silent).await.unwrap())];
        let (options, nobody) = (ApplyOptions::default(), Interrupt::new());
        first
            .apply(&options, &AutoApprove, &Silent, &nobody)
            .await
            .unwrap();
        plans.push(json(&session(&edited).plan(&Silent).await.unwrap()));
        plans.push(json(&session(&replaced).plan(&Silent).await.unwrap()));
        plans.push(json(
            &session(&CREATED.replace("1.36.2", "1.37.0"))
                .plan(&Silent)
                .await
                .unwrap(),
        ));
        plans.push(json(&first.plan_destruction(&Silent).await.unwrap()));
        plans
    })
}

#[test]
fn each_field_of_the_document_and_of_its_forecast_is_described() {
    let document = read("docs/plan-format.md");
    let rolling = rows(&section(&document, "## The document"), "field");
    let rolling = rolling.iter().find(|row| row[0] == "`rolling`").unwrap();
    for plan in plans() {
        let mut fields = keys(&plan);
        fields.remove("cluster");
        fields.extend(
            keys(&plan["cluster"])
                .into_iter()
                .map(|key| format!("cluster.{key}")),
        );
        assert_eq!(fields, described(&section(&document, "## The document")));
        assert_eq!(
            keys(&plan["forecast"]),
            described(&section(&document, "### `forecast`"))
        );
        for group in plan["rolling"].as_object().unwrap().values() {
            assert!(keys(group).is_subset(&quoted(&rolling[2])), "{group}");
        }
    }
}

#[test]
fn each_field_of_a_step_is_described() {
    let document = read("docs/plan-format.md");
    let about_changes = section(&document, "### `steps[].change`");
    let mut actions: BTreeMap<String, Names> = BTreeMap::new();
    let mut words = Names::new();
    let mut name = String::new();
    for row in rows(&about_changes, "action") {
        name = quoted(&row[0]).pop_first().unwrap_or(name);
        actions.entry(name.clone()).or_default().extend(quoted(&row[1]));
        words.extend(quoted(&row[2]));
    }
    let existing = about_changes
        .split("\n\n")
        .find(|part| part.starts_with("`existing` has"));
    let existing = quoted(existing.unwrap());

    let (mut seen, mut fields) = (BTreeMap::<String, Names>::new(), Names::new());
    for plan in plans() {
        for step in plan["steps"].as_array().unwrap() {
            assert_eq!(keys(step), described(&section(&document, "### `steps[]`")));
            let change = &step["change"];
            fields.extend(keys(change));
            for (action, content) in change["action"].as_object().unwrap() {
                seen.entry(action.clone()).or_default().extend(keys(content));
                for difference in content["differences"].as_array().into_iter().flatten() {
                    assert!(keys(difference).is_subset(&words), "{difference}");
                }
                if let Some(seen) = content.get("existing") {
                    assert!(keys(seen).is_subset(&existing), "{seen}");
                }
            }
        }
    }
    assert_eq!(fields, described(&about_changes));
    assert_eq!(seen, actions);
}

/// A report in which nothing is empty.
fn report() -> PlanReport {
    let key: ResourceKey = "machine/a".parse().unwrap();
    let finding = Finding {
        machine: "a".to_owned(),
        name: "swap".to_owned(),
        severity: Severity::Error,
        problem: "it has swap".to_owned(),
        help: None,
        can_be_ignored: true,
    };
    PlanReport {
        restore: Some(StandingRestore {
            etcd: "main".to_owned(),
            reason: "it is being restored".to_owned(),
            help: "go on with it".to_owned(),
        }),
        blocked: vec![Blocked {
            key: key.clone(),
            reason: "it is someone else's".to_owned(),
            help: None,
            follows: Some(key.clone()),
        }],
        held: vec![Held {
            key: key.clone(),
            verb: "create".to_owned(),
            waits_for: key.clone(),
        }],
        unchanged: 1,
        problems: vec![Problem {
            resource: None,
            problem: "the quorum is lost".to_owned(),
        }],
        unseen_kinds: vec![UnseenKind {
            kind: Kind::Machine,
            reason: "no answer".to_owned(),
        }],
        findings: vec![finding.clone()],
        warnings: vec![finding.clone()],
        ignored_findings: vec![finding],
        goes_along: vec![key],
        left_out: 0,
    }
}

#[test]
fn each_field_of_a_report_is_described() {
    let document = read("docs/plan-format.md");
    let rows = rows(&section(&document, "### `report`"), "field");
    let fields_of: BTreeMap<&str, Names> = rows
        .iter()
        .map(|row| (row[0].trim_matches('`'), quoted(&row[1])))
        .collect();
    let report = serde_json::to_value(report()).unwrap();
    let names: Names = fields_of
        .keys()
        .map(|name| name.trim_end_matches("[]").to_owned())
        .collect();
    assert_eq!(keys(&report), names);
    for (name, value) in report.as_object().unwrap() {
        let (item, row) = match value.get(0) {
            Some(item) if item.is_object() => (item, format!("{name}[]")),
            _ if value.is_object() => (value, name.clone()),
            _ => continue,
        };
        let mut fields = &fields_of[row.as_str()];
        // Those that are as others are name them in place of their fields.
        if let Some(other) = fields.first().and_then(|other| fields_of.get(other.as_str())) {
            fields = other;
        }
        assert_eq!(keys(item), *fields, "{name}");
    }
}

//! Every example: loaded, completed, and planned against a world in which there is nothing yet.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use keelson::node::AssetIndex;
use keelson::ops::{Forecast, Planned};
use keelson::plan;
use keelson::spec::{self, ValidSpec};
use keelson::view::plan_text;
use keelson_provider_api::{Action, ClusterIdentity, Observation};

use crate::lint::lint;

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut examples: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    examples.sort();
    examples
}

fn load(example: &Path) -> ValidSpec {
    let bytes = std::fs::read(example).unwrap();
    spec::load(&bytes, &example.display().to_string()).unwrap_or_else(|errors| panic!("{errors}"))
}

fn plan(spec: &ValidSpec) -> Planned {
    let identity = ClusterIdentity {
        name: spec.name().clone(),
        uid: None,
    };
    let desired = keelson::model::desired_state(spec, &AssetIndex::Imagined).unwrap();
    let observation = Observation::of_nothing(Timestamp::UNIX_EPOCH);
    let (plan, report) = plan::plan(&identity, &desired, &observation, Timestamp::UNIX_EPOCH).unwrap();
    let forecast = Forecast {
        critical_path: plan.critical_path(|_| std::time::Duration::from_secs(1)),
        one_by_one: std::time::Duration::from_secs(plan.steps().len() as u64),
    };
    Planned {
        plan,
        report,
        observation,
        desired,
        forecast,
    }
}

/// Each step with what it waits for, by position.
fn outline(planned: &Planned) -> String {
    let mut text = String::new();
    for (index, step) in planned.plan.steps().iter().enumerate() {
        let after: Vec<String> = step.after().iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "{index:3} {} after [{}]", step.change(), after.join(", "));
    }
    text
}

#[test]
fn every_example_is_planned() {
    let examples = examples();
    assert!(examples.len() >= 15, "{examples:?}");
    for example in examples {
        let spec = load(&example);
        assert!(spec.warnings().warnings.is_empty(), "{}", spec.warnings());
        let planned = plan(&spec);
        assert!(
            !planned.report.is_blocked(),
            "{}: {:?}",
            example.display(),
            planned.report
        );
        assert!(
            lint(&planned.plan, &planned.observation).is_empty(),
            "{}",
            example.display()
        );
        let creates = |step: &plan::Step| matches!(step.change().action, Action::Create { .. });
        assert!(planned.plan.steps().iter().all(creates), "{}", example.display());
        let name = example.file_stem().unwrap().to_string_lossy().into_owned();
        let text = anstream_free(&plan_text::render(&planned, false));
        insta::assert_snapshot!(format!("{name}_text"), text);
        if planned.plan.steps().len() <= 120 {
            insta::assert_snapshot!(format!("{name}_outline"), outline(&planned));
        }
    }
}

#[test]
fn every_example_survives_being_completed() {
    for example in examples() {
        let spec = load(&example);
        let again =
            spec::load(spec.to_yaml().as_bytes(), "completed").unwrap_or_else(|errors| panic!("{errors}"));
        assert!(spec == again, "{}", example.display());
        assert_eq!(
            keelson::model::desired_state(&spec, &AssetIndex::Imagined)
                .unwrap()
                .digest(),
            keelson::model::desired_state(&again, &AssetIndex::Imagined)
                .unwrap()
                .digest(),
            "{}",
            example.display()
        );
    }
}

/// Text without the colours that views always write.
fn anstream_free(text: &str) -> String {
    regex::Regex::new("\u{1b}\\[[0-9;]*m")
        .unwrap()
        .replace_all(text, "")
        .into_owned()
}

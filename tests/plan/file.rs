//! Plans as files.

use keelson::plan::{PLAN_FORMAT, Plan, PlanFile, PlanFileError};
use serde_json::{Value, json};

use super::world::{THREE_AND_FOUR, World, desired};

fn document() -> Value {
    let (plan, _) = World::empty().plan(&desired(THREE_AND_FOUR));
    serde_json::to_value(PlanFile::from(&plan)).unwrap()
}

fn read(document: &Value) -> Result<Plan, PlanFileError> {
    Plan::from_bytes(&serde_json::to_vec(document).unwrap())
}

#[test]
fn a_plan_survives_being_a_file() {
    for wanted in [THREE_AND_FOUR, "  controlPlane: { replicas: 1 }"] {
        let desired = desired(wanted);
        let worlds = [World::empty(), World::as_desired(&desired)];
        for (world, wanted) in worlds
            .iter()
            .zip([&desired, &keelson::plan::DesiredState::nothing()])
        {
            let (plan, _) = world.plan(wanted);
            let bytes = serde_json::to_vec(&PlanFile::from(&plan)).unwrap();
            assert_eq!(Plan::from_bytes(&bytes).unwrap(), plan);
        }
    }
}

#[test]
fn a_plan_of_a_version_that_did_not_know_what_decides_about_permits_is_read() {
    let mut older = document();
    assert!(older.as_object_mut().unwrap().remove("decisive").is_some());
    assert!(read(&older).unwrap().decisive().is_empty());
}

#[test]
fn files_that_contradict_themselves_are_refused() {
    let mut circle = document();
    circle["steps"][0]["after"] = json!([1]);
    let error = read(&circle).unwrap_err();
    assert!(matches!(error, PlanFileError::Defect(_)), "{error:?}");

    let mut outside = document();
    outside["steps"][1]["after"] = json!([100_000]);
    assert!(matches!(read(&outside).unwrap_err(), PlanFileError::Defect(_)));

    let mut twice = document();
    let first = twice["steps"][0].clone();
    twice["steps"].as_array_mut().unwrap().push(first);
    assert!(matches!(read(&twice).unwrap_err(), PlanFileError::Defect(_)));
}

#[test]
fn files_of_other_formats_are_refused_by_their_format() {
    let mut newer = document();
    newer["format"] = json!("keelson.dev/plan/v2");
    newer["steps"] = json!("in another shape");
    let error = read(&newer).unwrap_err().to_string();
    assert!(error.contains("v2") && error.contains(PLAN_FORMAT), "{error}");
    for rubbish in [&b""[..], b"{}", b"[]", b"\xff\xfe", b"{\"format\":"] {
        assert!(matches!(Plan::from_bytes(rubbish), Err(PlanFileError::Form(_))));
    }
}

#[test]
fn unknown_fields_of_a_step_are_refused() {
    let mut document = document();
    document["steps"][0]["change"]["force"] = json!(true);
    assert!(matches!(read(&document), Err(PlanFileError::Form(_))));
}

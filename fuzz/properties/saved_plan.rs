//! Any bytes are a plan or an error; a plan survives being written and read again, and can be shown.

use std::time::Duration;

use keelson::ops::{Forecast, Planned};
use keelson::plan::{DesiredState, Plan, PlanReport};
use keelson::view::{plan_json, plan_picture, plan_text};
use keelson_provider_api::Observation;

/// Panics where it does not hold of `bytes`.
pub(super) fn check(bytes: &[u8]) {
    let plan = match Plan::from_bytes(bytes) {
        Ok(plan) => plan,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let typical = |_: &_| Duration::from_secs(1);
    let planned = Planned {
        forecast: Forecast {
            critical_path: plan.critical_path(typical),
            one_by_one: Duration::from_secs(plan.steps().len() as u64),
        },
        observation: Observation::of_nothing(plan.made_at()),
        report: PlanReport::default(),
        desired: DesiredState::default(),
        plan,
    };
    let written = match plan_json::render(&planned) {
        Ok(written) => written,
        Err(error) => panic!("a plan that was read cannot be written: {error}"),
    };
    match Plan::from_bytes(written.as_bytes()) {
        Ok(again) => assert!(
            again == planned.plan,
            "reading again gives another plan:\n{written}"
        ),
        Err(error) => panic!("{error}\n{written}"),
    }
    assert_eq!(planned.plan.time_left(typical).len(), planned.plan.steps().len());
    plan_text::render(&planned, true);
    plan_picture::html(&planned, &typical);
    plan_picture::graphviz(&planned);
}

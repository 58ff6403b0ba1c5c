//! A plan, for programs. `docs/plan-format.md` describes it.

use serde::Serialize;

use crate::ops::Planned;
use crate::plan::{PlanFile, PlanReport};

/// The form: the plan's file, with the report and the forecast beside it. What `-o json` prints can be applied
/// like a saved plan.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(flatten)]
    plan: PlanFile,
    report: &'a PlanReport,
    forecast: ForecastDocument,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ForecastDocument {
    duration_ms: u64,
    one_by_one_ms: u64,
    critical_path: Vec<usize>,
}

/// The plan as pretty-printed JSON, ending in a newline.
///
/// # Errors
/// When a value in it has no JSON form, which is a defect of keelson.
pub fn render(planned: &Planned) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&document(planned))? + "\n")
}

/// The same document as YAML. It is for reading: a plan that is applied is JSON.
///
/// # Errors
/// When a value in it has no YAML form, which is a defect of keelson.
pub fn render_yaml(planned: &Planned) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(&document(planned))
}

fn document(planned: &Planned) -> Document<'_> {
    let milliseconds =
        |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Document {
        plan: PlanFile::from(&planned.plan),
        report: &planned.report,
        forecast: ForecastDocument {
            duration_ms: milliseconds(planned.forecast.critical_path.duration),
            one_by_one_ms: milliseconds(planned.forecast.one_by_one),
            critical_path: planned.forecast.critical_path.steps.clone(),
        },
    }
}

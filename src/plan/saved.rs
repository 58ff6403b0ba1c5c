//! Plans as files: `keelson plan --out FILE`, `keelson apply FILE`, and `keelson plan -o json`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Change, ClusterIdentity, ResourceKey};
use serde::{Deserialize, Serialize};

use super::desired::Rolling;
use super::graph::{Plan, PlanDefect, Step};

/// The format that this version of keelson writes and reads. It changes when a reader of the old one would
/// misunderstand the new one; fields may be added without that.
pub const PLAN_FORMAT: &str = "keelson.dev/plan/v1";

/// A plan's serialised form. `docs/plan-format.md` describes it for readers in other languages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanFile {
    /// [`PLAN_FORMAT`].
    pub format: String,
    /// The cluster that the plan is for.
    pub cluster: ClusterIdentity,
    /// When the plan was made.
    pub made_at: Timestamp,
    /// The digest of the observation that the plan was made from.
    pub observation_digest: Digest,
    /// The digest of the desired state that the plan leads to.
    pub desired_digest: Digest,
    /// True when the plan ends the cluster.
    pub retires_cluster: bool,
    /// How many nodes of each group may be out of service at once.
    #[serde(default)]
    pub rolling: BTreeMap<String, Rolling>,
    /// What decides whether something may be taken down; empty in files of versions that did not know of it.
    #[serde(default)]
    pub decisive: BTreeSet<ResourceKey>,
    /// The steps, each after all that it waits for.
    pub steps: Vec<StepRecord>,
}

/// One step of a [`PlanFile`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepRecord {
    /// What the step does.
    pub change: Change,
    /// Positions, from 0, of the steps that must be done before it.
    #[serde(default)]
    pub after: Vec<usize>,
}

/// Why a file is not a plan that can be carried out.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It is not JSON of the right form.
    #[error("it is not a plan: {0}")]
    Form(#[from] serde_json::Error),
    /// It is in another format.
    #[error("it has the format `{}`; this version of keelson reads `{PLAN_FORMAT}`", .0.escape_debug())]
    Format(String),
    /// It contradicts itself.
    #[error("it contradicts itself")]
    Defect(#[from] PlanDefect),
}

impl From<&Plan> for PlanFile {
    fn from(plan: &Plan) -> Self {
        Self {
            format: PLAN_FORMAT.to_owned(),
            cluster: plan.cluster.clone(),
            made_at: plan.made_at,
            observation_digest: plan.observation_digest,
            desired_digest: plan.desired_digest,
            retires_cluster: plan.retires_cluster,
            rolling: plan.rolling.clone(),
            decisive: plan.decisive.clone(),
            steps: plan
                .steps
                .iter()
                .map(|step| StepRecord {
                    change: step.change.clone(),
                    after: step.after.clone(),
                })
                .collect(),
        }
    }
}

impl TryFrom<PlanFile> for Plan {
    type Error = PlanFileError;

    fn try_from(file: PlanFile) -> Result<Self, Self::Error> {
        if file.format != PLAN_FORMAT {
            return Err(PlanFileError::Format(file.format));
        }
        let plan = Self {
            cluster: file.cluster,
            made_at: file.made_at,
            observation_digest: file.observation_digest,
            desired_digest: file.desired_digest,
            retires_cluster: file.retires_cluster,
            rolling: file.rolling,
            decisive: file.decisive,
            steps: file
                .steps
                .into_iter()
                .map(|record| Step {
                    change: record.change,
                    after: record.after,
                })
                .collect(),
        };
        plan.check()?;
        Ok(plan)
    }
}

impl Plan {
    /// Reads a plan from the bytes of a file.
    ///
    /// # Errors
    /// [`PlanFileError`] when the bytes are not a plan, are in another format, or contradict themselves.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PlanFileError> {
        // The format is looked at first, so that a newer file is refused by its format and not by its fields.
        #[derive(Deserialize)]
        struct FormatOnly {
            format: String,
        }
        let FormatOnly { format } = serde_json::from_slice(bytes)?;
        if format != PLAN_FORMAT {
            return Err(PlanFileError::Format(format));
        }
        Self::try_from(serde_json::from_slice::<PlanFile>(bytes)?)
    }
}

//! What groups did.

use aws_sdk_autoscaling::types::{Activity, ScalingActivityStatusCode};

use crate::failure::{CallError, Called as _};

use super::Scaling;

/// So many activities are looked at: of those that are begun at the same time, one may go on while another has failed.
const LOOKED_AT: i32 = 10;

impl Scaling {
    /// Why what the group `name` did last, of what has come to an end, has failed, in the words of Auto Scaling; none where it has
    /// not, and of a group that is gone.
    ///
    /// # Errors
    ///
    /// When it is refused or cannot be asked for.
    pub async fn last_failure(&self, name: &str) -> Result<Option<String>, CallError> {
        let call = self.clients.patient.describe_scaling_activities();
        let call = call.auto_scaling_group_name(name).max_records(LOOKED_AT);
        match call.send().await.called("DescribeScalingActivities") {
            Ok(answer) => Ok(failure(answer.activities.unwrap_or_default())),
            // What is not there has no code of its own.
            Err(error) if error.is(&["ValidationError"]) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The newest ones are answered first.
fn failure(activities: Vec<Activity>) -> Option<String> {
    let has_failed = |activity: &Activity| match &activity.status_code {
        Some(ScalingActivityStatusCode::Failed | ScalingActivityStatusCode::Cancelled) => Some(true),
        Some(ScalingActivityStatusCode::Successful) => Some(false),
        _ => None,
    };
    let ended = activities
        .into_iter()
        .find_map(|activity| Some((has_failed(&activity)?, activity)));
    let (_, activity) = ended.filter(|(failed, _)| *failed)?;
    let said = activity.status_message.filter(|message| !message.is_empty());
    said.or(activity.description)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(code: ScalingActivityStatusCode, message: Option<&str>) -> Activity {
        Activity::builder()
            .activity_id("1")
            .auto_scaling_group_name("nodes")
            .description("Launching a new EC2 instance")
            .cause("At some time")
            .start_time(aws_sdk_autoscaling::primitives::DateTime::from_secs(0))
            .status_code(code)
            .set_status_message(message.map(str::to_owned))
            .build()
    }

    #[test]
    fn only_what_ended_last_is_told_where_it_has_failed() {
        use ScalingActivityStatusCode::{Failed, InProgress, Successful};
        let cases = [
            (vec![], None),
            (vec![activity(Failed, Some("no capacity"))], Some("no capacity")),
            (vec![activity(Failed, None)], Some("Launching a new EC2 instance")),
            (
                vec![activity(InProgress, None), activity(Failed, Some("no capacity"))],
                Some("no capacity"),
            ),
            (
                vec![activity(Successful, None), activity(Failed, Some("no capacity"))],
                None,
            ),
        ];
        for (activities, expected) in cases {
            assert_eq!(failure(activities).as_deref(), expected);
        }
    }
}

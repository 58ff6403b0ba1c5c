//! Taking back the alarms that databases have reached their quota
//! (<https://etcd.io/docs/v3.6/op-guide/maintenance/#space-quota>).

use keelson_provider_api::ProviderError;

use crate::etcd::answers::{self, Alarm, AlarmKind, Id};
use crate::etcd::step::{Step, permanent, transient};
use crate::etcd::survey::Survey;

/// Takes back every alarm, unless one is about more than space, and gives those that are gone.
pub(super) async fn disarm(step: &Step<'_>) -> Result<Vec<String>, ProviderError> {
    let survey = step.survey().await?;
    let cluster = step.instance.cluster;
    let Some(through) = survey.other_voters("").into_iter().next() else {
        return Err(
            transient(format!("no member of etcd {cluster} answers with a quorum"))
                .with_help("bring the missing members back first"),
        );
    };
    let raised = raised(step, &through).await?;
    refuse_others(&survey, &raised)?;
    if raised.is_empty() {
        return Ok(Vec::new());
    }
    step.tell("disarm the alarms");
    // Nothing narrower can be asked for: `etcdctl` takes back whatever there is.
    step.ask(&through, "disarm the alarms", &["alarm", "disarm"])
        .await?;
    let left = self::raised(step, &through).await?;
    let gone = raised.iter().filter(|alarm| !left.contains(alarm));
    Ok(gone.map(|alarm| shown(&survey, alarm)).collect())
}

/// The alarms as a quorum knows them.
async fn raised(step: &Step<'_>, through: &str) -> Result<Vec<Alarm>, ProviderError> {
    let answer = step.ask(through, "list the alarms", &["alarm", "list"]).await?;
    answers::alarm_list(&answer).ok_or_else(|| {
        transient(format!(
            "the alarms of etcd {} through {through} cannot be read: {}",
            step.instance.cluster,
            answer.trim()
        ))
    })
}

/// A member whose data differs from the others' has to be replaced; without its alarm it would serve what it has.
fn refuse_others(survey: &Survey, raised: &[Alarm]) -> Result<(), ProviderError> {
    let others = raised.iter().filter(|alarm| alarm.kind != AlarmKind::NoSpace);
    let others: Vec<String> = others.map(|alarm| shown(survey, alarm)).collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(permanent(format!(
        "etcd {} has alarms that are not about space: {}",
        survey.instance.cluster,
        others.join(", ")
    ))
    .with_help("replace the members whose data is corrupt first; then their alarms can go"))
}

fn shown(survey: &Survey, alarm: &Alarm) -> String {
    format!("{} on {}", alarm.kind, machine_of(survey, alarm.member))
}

fn machine_of(survey: &Survey, id: Id) -> String {
    let mut members = survey.list.iter().flat_map(|list| &list.members);
    let member = members.find(|member| member.id == id);
    member.map_or_else(|| format!("the member {id}"), |member| survey.machine_of(member))
}

#[cfg(test)]
mod tests {
    use keelson_provider_api::ErrorClass;

    use super::*;
    use crate::etcd::survey::tests::picture;

    #[test]
    fn only_alarms_about_space_are_taken_back() {
        let survey = picture("a:v b:v");
        let alarm = |id, kind| Alarm { member: Id(id), kind };
        assert!(refuse_others(&survey, &[]).is_ok());
        assert!(refuse_others(&survey, &[alarm(2, AlarmKind::NoSpace)]).is_ok());
        let raised = [
            alarm(1, AlarmKind::NoSpace),
            alarm(2, AlarmKind::Corrupt),
            alarm(9, AlarmKind::Other(7)),
        ];
        let refused = refuse_others(&survey, &raised).unwrap_err();
        assert_eq!(refused.class, ErrorClass::Permanent);
        assert!(
            refused
                .message
                .ends_with("CORRUPT on b, of the kind 7 on the member 9"),
            "{refused}"
        );
    }
}

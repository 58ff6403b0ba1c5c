//! What stands in the way of a restore that can be seen before anything is touched: on all machines, and each by its name.

use futures_util::future::join_all;
use keelson_provider_api::{ProviderError, Restoration};

use super::placing;
use crate::etcd::look::Seen;
use crate::etcd::mark::MarkSeen;
use crate::etcd::meaning::data_of_nobody;
use crate::etcd::step::{Step, permanent};
use crate::etcd::survey::Survey;
use crate::etcd::unseen::Unseen;

/// Makes sure that nothing stands in the way.
///
/// # Errors
/// Everything that does, as one.
pub(super) async fn check(
    step: &Step<'_>,
    survey: &Survey,
    restoration: &Restoration,
) -> Result<(), ProviderError> {
    let mut errors: Vec<ProviderError> = on_machines(survey, restoration).collect();
    errors.extend(lost_founders(survey, restoration));
    // What was said of a machine once is not said of it in other words.
    let others = restoration.founders.iter().filter(|founder| {
        let seen = survey.machines.get(*founder);
        seen.is_some_and(|seen| obstacle(founder, seen, restoration).is_none())
    });
    let checks = others.map(|machine| placing::check(step, restoration, machine));
    errors.extend(join_all(checks).await.into_iter().filter_map(Result::err));
    all_of(errors)
}

/// The machines with members that were not given the data by this restore.
///
/// # Errors
/// All machines that are silent or have what is somebody else's.
pub(super) fn former_members<'a>(
    survey: &'a Survey,
    restoration: &Restoration,
) -> Result<Vec<&'a String>, ProviderError> {
    all_of(on_machines(survey, restoration).collect())?;
    let is_former = |seen: &Seen| match &seen.mark {
        MarkSeen::Ours(mark) => mark.restored.as_ref() != Some(&restoration.id),
        MarkSeen::None | MarkSeen::Other(_) => false,
    };
    let machines = survey.machines.iter();
    let former = machines.filter(|(_, seen)| seen.as_ref().is_ok_and(is_former));
    Ok(former.map(|(machine, _)| machine).collect())
}

/// What stands in the way on any machine, as one error: of the worst class, with the help for the first of that.
pub(super) fn all_of(errors: Vec<ProviderError>) -> Result<(), ProviderError> {
    let messages: Vec<String> = errors.iter().map(|error| error.message.clone()).collect();
    let class = errors.iter().map(|error| error.class).max();
    let worst = errors.into_iter().find(|error| Some(error.class) == class);
    worst.map_or(Ok(()), |worst| {
        Err(ProviderError {
            message: messages.join("; "),
            ..worst
        })
    })
}

fn on_machines(survey: &Survey, restoration: &Restoration) -> impl Iterator<Item = ProviderError> {
    let machines = survey.machines.iter();
    machines.filter_map(|(machine, seen)| obstacle(machine, seen, restoration))
}

/// Why the restore cannot be while `machine` is as it was seen.
fn obstacle(machine: &str, seen: &Result<Seen, Unseen>, restoration: &Restoration) -> Option<ProviderError> {
    let seen = match seen {
        Ok(seen) => seen,
        // Whoever is not seen may have a member.
        Err(why) => {
            let error = why.error(machine, ", and may have its data");
            if !why.is_unreachable() {
                return Some(error);
            }
            return Some(error.with_help(format!(
                "bring {machine} back; where it is gone for good, take it out of the spec, `keelson node forget {machine}`, and \
                 where a restore has begun before, `keelson etcd restore --begin-anew`"
            )));
        }
    };
    match &seen.mark {
        MarkSeen::Other(owner) => {
            let cluster = restoration.etcd.cluster;
            let message = format!("{machine} has a member of etcd {cluster} of {owner}");
            Some(
                permanent(message)
                    .with_help("remove it with the cluster that it belongs to, or choose another machine"),
            )
        }
        MarkSeen::None if seen.has_data => Some(data_of_nobody(restoration.etcd, machine)),
        MarkSeen::None | MarkSeen::Ours(_) => None,
    }
}

/// Those who are to be given the data and are not the cluster's any more.
fn lost_founders(survey: &Survey, restoration: &Restoration) -> impl Iterator<Item = ProviderError> {
    let founders = restoration.founders.iter();
    let lost = founders.filter(|founder| !survey.machines.contains_key(*founder));
    lost.map(|lost| {
        permanent(format!(
            "{lost} is to be given the data since the restore began, and is not among the cluster's machines any more"
        ))
        .with_help(format!(
            "`keelson etcd restore --begin-anew` begins anew without it; where {lost} is there after all, take it into the spec \
             again"
        ))
    })
}

#[cfg(test)]
mod tests {
    use keelson_provider_api::ErrorClass;

    use super::*;
    use crate::etcd::restoring::tests::restoration;
    use crate::etcd::step::transient;
    use crate::etcd::survey::tests::{host_error, picture};

    fn of_founders(names: &str) -> Restoration {
        Restoration {
            founders: names.split(' ').map(str::to_owned).collect(),
            ..restoration()
        }
    }

    #[test]
    fn all_machines_that_are_silent_or_somebody_elses_are_named() {
        assert_eq!(
            former_members(&picture("a:v b:v c:n"), &of_founders("a b c")).unwrap(),
            ["a", "b"]
        );
        let error = former_members(&picture("a:? b:f c:? d:v"), &of_founders("a b c d")).unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent, "{error}");
        for words in [
            "a does not answer",
            "b has a member of etcd main of",
            "c does not answer",
        ] {
            assert!(error.message.contains(words), "{words}: {error}");
        }
        assert!(!error.message.contains("; d "), "{error}");
    }

    #[test]
    fn a_machine_is_given_up_only_where_it_does_not_answer() {
        use crate::shell::HostErrorKind::{Denied, HostKey, Lost, Unreachable};
        for (kind, class) in [
            (Unreachable, ErrorClass::Unreachable),
            (Denied, ErrorClass::Permanent),
            (HostKey, ErrorClass::Permanent),
            (Lost, ErrorClass::Transient),
        ] {
            let mut survey = picture("a:v b:v");
            let unseen = host_error(kind, "it is as it is").into();
            survey.machines.insert("a".to_owned(), Err(unseen));
            let error = former_members(&survey, &of_founders("a b")).unwrap_err();
            let help = error.help.unwrap_or_default();
            let is_silent = kind == Unreachable;
            assert_eq!(error.class, class, "{kind:?}");
            assert!(error.message.ends_with("may have its data: it is as it is"));
            assert_eq!(error.message.contains("does not answer"), is_silent, "{kind:?}");
            assert_eq!(help.contains("node forget"), is_silent, "{kind:?}: {help}");
            assert_eq!(
                help == "see to it that not: it is as it is",
                !is_silent,
                "{kind:?}: {help}"
            );
        }
        let unread = Unseen::from("it ended with status 1".to_owned());
        let error = unread.error("a", "");
        assert_eq!((error.class, error.help), (ErrorClass::Transient, None));
        assert_eq!(error.message, "a cannot be looked at: it ended with status 1");
    }

    #[test]
    fn all_founders_that_were_forgotten_are_named_and_not_waited_for() {
        let survey = picture("a:v b:v c:v");
        assert_eq!(lost_founders(&survey, &of_founders("a b")).count(), 0);
        let lost: Vec<ProviderError> = lost_founders(&survey, &of_founders("a d e")).collect();
        assert_eq!(lost.len(), 2);
        for (lost, name) in lost.into_iter().zip(["d", "e"]) {
            assert_eq!(lost.class, ErrorClass::Permanent);
            let words = format!("{name} is to be given the data");
            assert!(lost.message.starts_with(&words), "{lost}");
            assert!(lost.help.unwrap().contains("etcd restore --begin-anew"));
        }
    }

    #[test]
    fn everything_is_said_and_what_stays_counts() {
        let (passes, stays) = (
            transient("a does not answer").with_help("wait"),
            permanent("b has no room").with_help("make room"),
        );
        let rows = [
            (vec![], None),
            (
                vec![passes.clone()],
                Some((ErrorClass::Transient, "a does not answer", "wait")),
            ),
            (
                vec![passes, stays],
                Some((
                    ErrorClass::Permanent,
                    "a does not answer; b has no room",
                    "make room",
                )),
            ),
        ];
        for (errors, expected) in rows {
            let all = all_of(errors).err();
            let all = all
                .as_ref()
                .map(|all| (all.class, all.message.as_str(), all.help.as_deref().unwrap_or("")));
            assert_eq!(all, expected);
        }
    }
}

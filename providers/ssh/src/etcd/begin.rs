//! Writing down on a machine who its member is and how it comes into its cluster.

use keelson_provider_api::ProviderError;
use keelson_provider_api::kinds::{EtcdMember, MemberStart};
use keelson_provider_api::values::Digest;

use super::answers::Id;
use super::mark::Mark;
use super::step::{Step, permanent};
use super::survey::Survey;

/// Begins `member` as a founder.
pub(super) async fn as_founder(
    step: &Step<'_>,
    survey: &Survey,
    member: &EtcdMember,
    generation: u32,
) -> Result<(), ProviderError> {
    let members = founders_urls(survey, &member.initial_members)?;
    let mark = mark(step, member, MemberStart::Initial, generation, None);
    begin(step, &mark, &members, "new").await
}

/// The founders as etcd takes them, each with the URL under which the others reach it.
pub(super) fn founders_urls(survey: &Survey, founders: &[String]) -> Result<String, ProviderError> {
    let mut founders = founders.to_vec();
    founders.sort();
    let named = founders.iter().map(|founder| {
        let url = survey.peer_url(founder).ok_or_else(|| no_address(founder))?;
        Ok(format!("{founder}={url}"))
    });
    Ok(named.collect::<Result<Vec<_>, ProviderError>>()?.join(","))
}

/// Begins `member` as the one with `id` in the list of a living cluster.
pub(super) async fn as_listed(
    step: &Step<'_>,
    survey: &Survey,
    member: &EtcdMember,
    generation: u32,
    id: Id,
) -> Result<(), ProviderError> {
    let members = initial_cluster(survey, &member.machine, id);
    let mark = mark(step, member, MemberStart::Join, generation, Some(id));
    begin(step, &mark, &members, "existing").await
}

/// etcd compares the URLs of this with the members of the living cluster, and takes its own id from there
/// (`ValidateClusterAndAssignIDs` in `server/etcdserver/api/membership`): all members have to be in it.
fn initial_cluster(survey: &Survey, machine: &str, own: Id) -> String {
    let members = survey.list.iter().flat_map(|list| &list.members);
    let named = members.flat_map(|member| {
        let name = match member.id {
            id if id == own => machine.to_owned(),
            _ => survey.machine_of(member),
        };
        member.peer_urls.iter().map(move |url| format!("{name}={url}"))
    });
    named.collect::<Vec<_>>().join(",")
}

fn mark(step: &Step<'_>, member: &EtcdMember, start: MemberStart, generation: u32, id: Option<Id>) -> Mark {
    Mark {
        cluster_uid: step.uid.clone(),
        cluster_name: step.context.cluster.name.to_string(),
        etcd_cluster: member.cluster.clone(),
        machine: member.machine.clone(),
        start,
        initial_members: member.initial_members.clone(),
        generation,
        created_at: step.clock.now(),
        host_id: step.reach.host_id(&member.machine),
        member_id: id.map(|id| id.to_string()),
        voted: false,
        restored: None,
    }
}

async fn begin(step: &Step<'_>, mark: &Mark, members: &str, state: &str) -> Result<(), ProviderError> {
    let instance = step.instance;
    check_plain(members)?;
    step.tell(&format!("start {}", instance.unit));
    let arguments = [
        instance.unit,
        instance.data_folder,
        members,
        state,
        &token_of(step, None),
        &mark.as_json(),
    ];
    let script = concat!(
        include_str!("../scripts/write.sh"),
        include_str!("../scripts/etcd-kept.sh"),
        include_str!("../scripts/etcd-begin.sh")
    );
    let arguments = arguments.map(str::to_owned).to_vec();
    step.script("begin the member", script, &mark.machine, arguments)
        .await
}

/// The names and URLs of members that are not ours are what someone has told etcd, and stand in a file of the environment.
fn check_plain(members: &str) -> Result<(), ProviderError> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-:/[],=%".contains(letter);
    match members.chars().find(|&letter| !is_plain(letter)) {
        None => Ok(()),
        Some(letter) => Err(permanent(format!(
            "a member in etcd's list has a name or a URL with {letter:?} in it, which keelson writes into no file"
        ))
        .with_help("remove that member: etcdctl member list, etcdctl member remove ID")),
    }
}

/// Keeps members of different lives of a cluster apart, and those of before a `restore` from those after it, also where they
/// have the same addresses.
pub(super) fn token_of(step: &Step<'_>, restore: Option<&str>) -> String {
    let mut life = format!("{}\n{}", step.uid, step.instance.cluster);
    if let Some(restore) = restore {
        life = format!("{life}\n{restore}");
    }
    format!("keelson-{}", Digest::of_bytes(life.as_bytes()).short(32))
}

fn no_address(machine: &str) -> ProviderError {
    permanent(format!(
        "the address of {machine} inside the cluster is not known"
    ))
    .with_help(format!(
        "{machine} is a founder of etcd: it has to be among the hosts of the spec"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::survey::tests::picture;
    use keelson_provider_api::ErrorClass;

    #[test]
    fn a_member_whose_name_would_end_its_line_is_refused() {
        let mut survey = picture("a:v b:v c:v d:u");
        assert!(check_plain(&initial_cluster(&survey, "d", Id(4))).is_ok());
        let stranger = &mut survey.list.as_mut().unwrap().members[1];
        stranger.name = "x\nETCD_CLIENT_CERT_AUTH=false".to_owned();
        stranger.peer_urls = vec!["https://10.9.9.9:2380".to_owned()];
        let error = check_plain(&initial_cluster(&survey, "d", Id(4))).unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent);
        assert!(error.message.contains("'\\n'"), "{error}");
    }

    #[test]
    fn a_member_that_joins_names_all_members_also_those_that_have_not_started() {
        let survey = picture("a:v b:v c:u d:u");
        assert_eq!(
            initial_cluster(&survey, "d", Id(4)),
            "a=https://10.0.0.1:2380,b=https://10.0.0.2:2380,c=https://10.0.0.3:2380,d=https://10.0.0.4:2380"
        );
    }
}

//! Looking at the members on one machine.

use std::collections::BTreeMap;
use std::time::Duration;

use keelson_provider_api::{ClusterUid, EtcdInstance};

use super::answers::{self, MemberList, Status};
use super::mark::MarkSeen;
use super::unseen::Unseen;
use crate::shell::{Job, Shell};

const SCRIPT: &str = concat!(
    include_str!("../scripts/etcdctl.sh"),
    include_str!("../scripts/etcd-look.sh")
);

/// How long a look takes at most, beside what it waits for a member that is starting: two questions to etcd, each with
/// its own limit of time, for each of two members, and the way there.
const LIMIT: Duration = Duration::from_secs(40);

/// Below this much room etcd cannot write on: it takes 64 MiB at once for its log, and the last of it is soon gone.
const FULL_KIB: u64 = 1024;

/// After so many ends, 2 s apart, a member is not waited for any more.
const ENDS: u32 = 5;

/// What was seen of one member on its machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whose it is.
    pub mark: MarkSeen,
    /// True when there is anything of a member's data.
    pub has_data: bool,
    /// True when there is the log that a member goes on from.
    pub has_log: bool,
    /// The state of its unit, in systemd's words.
    pub unit: String,
    /// How often it has ended by itself and was started again, where it does not run.
    pub restarts: u32,
    /// The room on the disk of its data.
    pub free_kib: Option<u64>,
    /// What it says of itself.
    pub status: Option<Status>,
    /// How long it took to say so, in milliseconds, `etcdctl`'s start and handshake included.
    pub latency_ms: Option<u64>,
    /// The members of its cluster, as a quorum has confirmed through it.
    pub list: Option<MemberList>,
    /// Why it did not answer.
    pub problem: Option<String>,
    /// The last that it said before it ended.
    pub words: Option<String>,
}

impl Seen {
    /// What is seen where nothing of a member is, or not even a machine.
    pub(super) fn nothing() -> Self {
        Self {
            mark: MarkSeen::None,
            has_data: false,
            has_log: false,
            unit: "inactive".to_owned(),
            restarts: 0,
            free_kib: None,
            status: None,
            latency_ms: None,
            list: None,
            problem: None,
            words: None,
        }
    }

    /// True when nothing of a member is there.
    pub(super) fn is_empty(&self) -> bool {
        self.mark == MarkSeen::None && !self.has_data
    }

    /// True when its disk has no room left, or had none when it ended: what it gives back then is soon gone again.
    pub(super) fn disk_is_full(&self) -> bool {
        self.free_kib.is_some_and(|free| free < FULL_KIB)
            || self
                .words
                .as_ref()
                .is_some_and(|words| words.contains("no space left on device"))
    }

    /// True when it has ended so often that it will not run by itself.
    pub(super) fn ends_again_and_again(&self) -> bool {
        self.restarts >= ENDS && self.status.is_none() && !self.disk_is_full()
    }

    /// True when the unit neither runs nor is about to.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.unit.as_str(), "inactive" | "failed")
    }
}

/// Looks at the members of `instances` on the machine behind `shell`; while one starts, for up to `patience`.
///
/// # Errors
/// Why nothing, or nothing whole, could be seen.
pub(super) async fn look(
    shell: &dyn Shell,
    uid: Option<&ClusterUid>,
    instances: &[&'static EtcdInstance],
    patience: Duration,
) -> Result<BTreeMap<&'static str, Seen>, Unseen> {
    let mut arguments = vec![(patience.as_millis() / 200).to_string()];
    for instance in instances {
        let port = instance.client_port.to_string();
        arguments.extend([instance.cluster, instance.unit, instance.data_folder].map(str::to_owned));
        arguments.push(port);
    }
    let job = Job {
        name: "look at etcd",
        script: SCRIPT,
        arguments,
        input: Vec::new(),
        timeout: LIMIT.saturating_add(patience),
    };
    let output = shell.run(&job, &|_| ()).await?;
    if output.status != 0 {
        let (status, words) = (output.status, output.stderr.trim());
        return Err(format!("the look at etcd ended with status {status}: {words}").into());
    }
    Ok(read(&output.stdout, uid, instances)?)
}

/// Reads what the script wrote.
fn read(
    text: &str,
    uid: Option<&ClusterUid>,
    instances: &[&'static EtcdInstance],
) -> Result<BTreeMap<&'static str, Seen>, String> {
    if text.lines().next_back() != Some("end") {
        return Err("the answer of the look at etcd was cut short".to_owned());
    }
    let mut all = BTreeMap::new();
    for instance in instances {
        let answers: BTreeMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.strip_prefix(instance.cluster)?.strip_prefix(' '))
            .map(|line| line.split_once(' ').unwrap_or((line, "")))
            .collect();
        let seen = read_one(&answers, uid)
            .ok_or_else(|| format!("the look at etcd says nothing of etcd {}", instance.cluster))?;
        all.insert(instance.cluster, seen);
    }
    Ok(all)
}

fn read_one(answers: &BTreeMap<&str, &str>, uid: Option<&ClusterUid>) -> Option<Seen> {
    let text = |about: &str| {
        answers
            .get(about)
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
    };
    let mark = text("mark").map_or(MarkSeen::None, |mark| MarkSeen::read(mark, uid));
    // An empty mark is one that was being written when the power went, and not none.
    let mark = match (answers.contains_key("mark"), mark) {
        (true, MarkSeen::None) => MarkSeen::read("", uid),
        (_, mark) => mark,
    };
    Some(Seen {
        mark,
        has_data: text("data")? != "none",
        has_log: text("data")? == "present",
        unit: text("unit")?.to_owned(),
        restarts: text("restarts")
            .and_then(|restarts| restarts.parse().ok())
            .unwrap_or(0),
        free_kib: text("free").and_then(|free| free.parse().ok()),
        status: text("status").and_then(answers::endpoint_status),
        latency_ms: text("latency").and_then(|latency| latency.parse().ok()),
        list: text("members").and_then(answers::member_list),
        problem: text("problem").map(str::to_owned),
        words: text("words").map(plain_words),
    })
}

/// What a line of etcd's log says: its message and its error.
fn plain_words(line: &str) -> String {
    let Ok(entry) = serde_json::from_str::<serde_json::Value>(line) else {
        return line.to_owned();
    };
    let field = |name: &str| entry.get(name).and_then(serde_json::Value::as_str);
    match (field("msg"), field("error")) {
        (Some(message), Some(error)) => format!("{message}: {error}"),
        (Some(message), None) => message.to_owned(),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::etcd::mark::tests::mark;
    use keelson_provider_api::etcd::MAIN;

    fn main_of(text: &str) -> Result<Seen, String> {
        let uid = ClusterUid::new("uid");
        let mut all = read(text, Some(&uid), &[&MAIN])?;
        Ok(all.remove("main").unwrap())
    }

    #[test]
    fn a_machine_without_etcd_is_empty_and_says_so() {
        assert_eq!(
            main_of("main data none\nmain unit inactive\nend\n"),
            Ok(Seen::nothing())
        );
    }

    #[test]
    fn a_member_that_cannot_write_is_told_in_words() {
        let text = format!(
            "main mark {} \nmain data present\nmain unit activating\nmain free 0\nmain words {}\nend\n",
            mark("a").as_json(),
            r#"{"level":"fatal","msg":"failed to purge","error":"no space left on device"} "#
        );
        let seen = main_of(&text).unwrap();
        assert!(seen.disk_is_full() && !seen.is_stopped() && seen.mark.ours().is_some());
        assert_eq!(
            seen.words.as_deref(),
            Some("failed to purge: no space left on device")
        );
    }

    #[test]
    fn an_answer_that_is_not_whole_is_none() {
        for text in [
            "",
            "end",
            "main data none\nmain unit inactive",
            "main data none\nmain unit inactive\nen",
            "main data none\nend\n",
            "main unit active\nend\n",
            "events data none\nevents unit active\nend\n",
            "maindata none\nmainunit active\nend\n",
        ] {
            assert!(main_of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rubbish_in_an_answer_is_left_out_and_a_mark_that_cannot_be_read_is_not_ours() {
        let text = "main mark \nmain data present\nmain unit active\nmain free x\nmain status [\nmain members 7\n\
                    main\nmain nonsense\nend\n";
        let seen = main_of(text).unwrap();
        assert!(matches!(seen.mark, MarkSeen::Other(_)));
        assert_eq!((seen.free_kib, seen.status, seen.list), (None, None, None));
        assert!(!plain_words("{\"a\":1}").is_empty());
    }
}

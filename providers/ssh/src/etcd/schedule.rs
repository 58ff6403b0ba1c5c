//! What became of the snapshots that machines are to take by a schedule.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keelson_provider_api::etcd::INSTANCES;
use keelson_provider_api::{ProviderError, ScheduledRuns, ScheduledSnapshots};

use super::provider::EtcdProvider;
use super::step::{permanent, transient};
use crate::session::root::one_line;
use crate::shell::Job;

const SCRIPT: &str = include_str!("../scripts/etcd-snapshot-runs.sh");
const LIMIT: Duration = Duration::from_secs(30);

#[async_trait]
impl ScheduledSnapshots for EtcdProvider {
    async fn runs(&self, machine: &str) -> Result<Vec<ScheduledRuns>, ProviderError> {
        let shell = self.reach.shell(machine);
        let shell =
            shell.ok_or_else(|| permanent(format!("{machine} is not among the cluster's machines")))?;
        let units = INSTANCES
            .iter()
            .flat_map(|etcd| [etcd.cluster, etcd.snapshot_timer, etcd.snapshot_unit]);
        let job = Job {
            name: "see how snapshots went",
            script: SCRIPT,
            arguments: units.map(str::to_owned).collect(),
            input: Vec::new(),
            timeout: LIMIT,
        };
        let output = shell.run(&job, &|_| ()).await?;
        read(&output.stdout)
            .ok_or_else(|| transient(format!("the answer of {machine} about snapshots was cut short")))
    }
}

fn read(text: &str) -> Option<Vec<ScheduledRuns>> {
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.pop() != Some("end") {
        return None;
    }
    let mut runs: Vec<ScheduledRuns> = Vec::new();
    for line in lines {
        let mut words = line.splitn(3, ' ');
        let (Some(etcd), Some(what), Some(rest)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        match what {
            "since" => {
                let since = rest
                    .parse()
                    .ok()
                    .and_then(|since| Timestamp::from_second(since).ok());
                runs.extend(since.map(|since| ScheduledRuns {
                    etcd_cluster: etcd.to_owned(),
                    since,
                    failure: None,
                }));
            }
            "failed" => {
                if let Some(run) = runs.last_mut().filter(|run| run.etcd_cluster == etcd) {
                    run.failure = Some(one_line(rest));
                }
            }
            _ => {}
        }
    }
    Some(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_of_the_etcd_before_it_and_a_cut_answer_is_none() {
        let runs = |etcd: &str, since: i64, failure: Option<&str>| ScheduledRuns {
            etcd_cluster: etcd.to_owned(),
            since: Timestamp::from_second(since).unwrap(),
            failure: failure.map(str::to_owned),
        };
        assert_eq!(
            read("main since 7\nmain failed no room left\nevents since 9\nend\n"),
            Some(vec![
                runs("main", 7, Some("no room left")),
                runs("events", 9, None)
            ])
        );
        assert_eq!(read("end\n"), Some(Vec::new()));
        assert_eq!(read("x\nmain since soon\nmain failed a b\nend"), Some(Vec::new()));
        assert_eq!(read("main since 7\n"), None);
    }
}

//! The certificates that lie on a host.

use std::time::Duration;

use keelson_provider_api::{
    CertificatePaths, ClusterIdentity, ErrorClass, FoundOnMachine, Owner, ProviderError,
};

use crate::facts::{Facts, Scope, text_of};
use crate::hearing::Hearing;
use crate::hosts::Hosts;
use crate::shell::{Job, Shell};

const SCRIPT: &str = include_str!("scripts/certificates.sh");
const TIMEOUT: Duration = Duration::from_secs(60);
/// More than the certificates of any host take.
const ANSWER_BYTES: usize = 4 << 20;

impl Hosts {
    /// The certificates that the bundle in force on a host names, or that lie at `paths`, and the keys of those that are not
    /// there; `None` for a host that bears no mark: nobody has claimed it.
    ///
    /// # Errors
    /// When it cannot be reached, or does not belong to `cluster`.
    pub async fn certificates(
        &self,
        cluster: &ClusterIdentity,
        name: &str,
        paths: &CertificatePaths,
    ) -> Result<Option<FoundOnMachine>, ProviderError> {
        let facts = self.facts(name, Scope::Marks).await?;
        let refused = |problem: String| ProviderError::new(ErrorClass::Permanent, problem);
        match &facts.mark {
            None => Ok(None),
            Some(Err(problem)) => Err(refused(format!(
                "the mark on {name}, /var/lib/keelson/host.json, is damaged: {problem}"
            ))),
            Some(Ok(mark)) => match mark.owner(cluster, name) {
                Owner::ThisCluster => {
                    let shell = self.need(name)?;
                    Ok(Some(found(&*shell, &facts, paths).await?))
                }
                Owner::Other(owner) => Err(refused(format!("{name} belongs to {owner}"))
                    .with_help(format!("name another host in the place of {name}"))),
            },
        }
    }
}

/// What lies on a host of which `facts` are known: what the record of its bundle names is among them, and the host is asked for
/// the rest of `paths`.
pub(crate) async fn found(
    shell: &dyn Shell,
    facts: &Facts,
    paths: &CertificatePaths,
) -> Result<FoundOnMachine, ProviderError> {
    let mut found = facts.found();
    let rest = rest(facts, paths);
    if rest == CertificatePaths::default() {
        return Ok(found);
    }
    let mut arguments = rest.certificates;
    arguments.push("keys".to_owned());
    arguments.extend(rest.keys);
    let job = Job {
        name: "look at certificates",
        script: SCRIPT,
        arguments,
        input: Vec::new(),
        timeout: TIMEOUT,
    };
    let hearing = Hearing::new(ANSWER_BYTES);
    shell.run(&job, &|line| hearing.hear(line)).await?;
    take(&mut found, &hearing.into_text()).ok_or_else(|| {
        let problem = format!("{} does not tell which certificates it has", shell.host());
        ProviderError::new(ErrorClass::Transient, problem)
    })?;
    Ok(found)
}

/// Those of `paths` that the record of the bundle does not name.
fn rest(facts: &Facts, paths: &CertificatePaths) -> CertificatePaths {
    let record = facts.bundle.as_ref().and_then(|record| record.as_ref().ok());
    let rest = |all: &[String], named: Option<&Vec<String>>| {
        let is_named = |path: &&String| named.is_some_and(|named| named.contains(path));
        all.iter().filter(|path| !is_named(path)).cloned().collect()
    };
    CertificatePaths {
        certificates: rest(&paths.certificates, record.map(|record| &record.certificates)),
        keys: rest(&paths.keys, record.map(|record| &record.keys)),
    }
}

/// Adds what the script says; nothing where that has no end.
fn take(found: &mut FoundOnMachine, text: &str) -> Option<()> {
    for (key, value) in text.lines().filter_map(|line| line.split_once('\t')) {
        match key {
            "certificate" => {
                if let Some((path, encoded)) = value.split_once(' ')
                    && let Ok(content) = text_of(encoded)
                {
                    found.certificates.insert(path.to_owned(), content);
                }
            }
            "missing-key" => {
                found.missing_keys.insert(value.to_owned());
            }
            "end" => return Some(()),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use async_trait::async_trait;
    use keelson_provider_api::BundleRecord;
    use keelson_provider_api::kinds::NodeBundle;
    use keelson_provider_api::values::Digest;

    use super::*;
    use crate::shell::{HostError, OnLine, Output};

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    /// Runs scripts on this machine, as whoever runs the test.
    struct Here;

    #[async_trait]
    impl Shell for Here {
        fn host(&self) -> &'static str {
            "a"
        }

        async fn run(&self, job: &Job<'_>, on_line: &OnLine<'_>) -> Result<Output, HostError> {
            let mut script = tempfile::NamedTempFile::new().unwrap();
            script.write_all(job.script.as_bytes()).unwrap();
            let mut command = std::process::Command::new("sh");
            let output = command.arg(script.path()).args(&job.arguments).output().unwrap();
            let stdout = String::from_utf8(output.stdout).unwrap();
            stdout.lines().for_each(on_line);
            Ok(Output {
                status: output.status.code().unwrap(),
                stdout,
                stderr: String::from_utf8(output.stderr).unwrap(),
            })
        }
    }

    fn found_with(record: Option<(&[String], &[String])>, paths: &CertificatePaths) -> FoundOnMachine {
        let bundle = NodeBundle {
            machine: "a".to_owned(),
            kubernetes_version: None,
            etcd_version: None,
            settings: Digest::of_bytes(b"settings"),
            certificates: None,
            authorities: None,
            altered_files: std::collections::BTreeSet::new(),
            stopped_units: std::collections::BTreeSet::new(),
        };
        let facts = Facts {
            bundle: record.map(|(certificates, keys)| {
                Ok(BundleRecord {
                    bundle,
                    certificates: certificates.to_vec(),
                    keys: keys.to_vec(),
                })
            }),
            architecture: "x86_64".to_owned(),
            ..Facts::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(found(&Here, &facts, paths)).unwrap()
    }

    #[test]
    fn what_lies_there_before_the_first_bundle_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("server.crt"), format!("Subject: a\n{PEM}")).unwrap();
        std::fs::write(path("server.key"), "key").unwrap();
        std::fs::write(path("peer.crt"), PEM).unwrap();
        std::fs::write(path("peer.key"), "").unwrap();
        let paths = CertificatePaths {
            certificates: ["ca.crt", "server.crt", "peer.crt"].map(path).to_vec(),
            keys: ["server.key", "peer.key"].map(path).to_vec(),
        };
        let wanted = FoundOnMachine {
            certificates: ["server.crt", "peer.crt"]
                .map(|name| (path(name), PEM.to_owned()))
                .into(),
            missing_keys: [path("peer.key")].into(),
            architecture: "x86_64".to_owned(),
        };
        assert_eq!(found_with(None, &paths), wanted);
        let (certificates, keys) = (&paths.certificates, &paths.keys);
        assert_eq!(
            found_with(Some((&certificates[..2], &keys[..1])), &paths),
            FoundOnMachine {
                certificates: [(path("peer.crt"), PEM.to_owned())].into(),
                ..wanted
            },
            "what the record names was looked at before"
        );
        let all = found_with(Some((certificates, keys)), &paths);
        assert!(
            all.certificates.is_empty() && all.missing_keys.is_empty(),
            "{all:?}"
        );
    }

    #[test]
    fn an_answer_without_an_end_is_none() {
        let mut found = FoundOnMachine::default();
        assert_eq!(take(&mut found, "missing-key\t/etc/a.key\n"), None);
        assert_eq!(take(&mut found, "missing-key\t/etc/a.key\nend\tend\n"), Some(()));
    }
}

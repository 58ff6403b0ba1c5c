//! What to do about what went wrong: the advice below an error.

use std::io::ErrorKind;

use keelson_provider_api::{StoreError, advice};

use super::failure::REPORT;
use crate::backup::BackupError;
use crate::execute::LeaseError;
use crate::ops::OperationError;
use crate::pki::PkiError;

/// What to do about an operation that failed, if anything can be said; `again` is the command that does it again.
pub(super) fn of_operation(error: &OperationError, again: &str) -> Option<String> {
    Some(match error {
        OperationError::Lease(error) => of_lease(error, again),
        OperationError::Store(error) => of_store(error),
        OperationError::Protected(_) => "set `deletionProtection: false` and apply that first, or pass \
                                         --override-deletion-protection"
            .to_owned(),
        OperationError::Fixed { field, .. } if field == "spec.provider" => {
            "nothing was touched; use the spec that it was made with; to rehearse it elsewhere, name another `stateStore`"
                .to_owned()
        }
        OperationError::Fixed { .. } => {
            "nothing was touched; put the old value back: it cannot change while the cluster lives".to_owned()
        }
        OperationError::StalePlan(_) => {
            "nothing was changed; make and review a new plan with `keelson plan --out FILE`".to_owned()
        }
        OperationError::DeclinedRest => {
            format!("what was carried out stays; `{again}` shows what is left, asks and goes on")
        }
        OperationError::NoCluster { .. } => {
            "it was never applied, or is destroyed already; if it should be there, check its name, `stateStore` \
             and the directory you are in"
                .to_owned()
        }
        OperationError::ExternalEtcd(_) => {
            "ask whoever runs it; `spec.etcd.placement.external` names its endpoints".to_owned()
        }
        OperationError::NoAuthority { .. } => "`keelson apply` makes it".to_owned(),
        OperationError::Pki(error) => return of_keys(error),
        OperationError::Simulated { .. } => {
            "`provider: { ssh: … }` names real machines; examples/etcd-alone.yaml is a spec like that".to_owned()
        }
        OperationError::UnknownMachine { known, .. } if !known.is_empty() => {
            format!("its machines are: {}", known.join(", "))
        }
        OperationError::StillWanted(_) => {
            "take it out of the spec first (a host out of `hosts`; of machines that keelson makes, the last of a group go \
             when `replicas` is lowered), or the next apply brings it back"
                .to_owned()
        }
        OperationError::NoneLeaving { leaving, .. } if !leaving.is_empty() => {
            format!("those that have are: {}", leaving.join(", "))
        }
        OperationError::NoneLeaving { .. } => "`keelson node list` shows the machines".to_owned(),
        OperationError::Machine(error) => return error.help.clone(),
        OperationError::NoEndpoint(_) => "`keelson apply` builds what is missing".to_owned(),
        OperationError::StoppedAmid(_) => format!("`{again}` goes on"),
        OperationError::Interrupted(None) => "nothing was changed".to_owned(),
        OperationError::DrainStopped(name) => format!(
            "`{again}` goes on; or `keelson node uncordon {name}` lets new pods come to it again"
        ),
        OperationError::NotConverged(_) | OperationError::MovedAway => {
            format!("`{again}` tries again; `keelson plan` shows what is left")
        }
        OperationError::Unproven(_) => format!("`{again}` looks again"),
        OperationError::Down(_) | OperationError::Degraded(_) => {
            "`keelson status` shows what each machine says of it; `keelson etcd status` has more of etcd".to_owned()
        }
        OperationError::Defect(_) | OperationError::ClockStopped | OperationError::Render(_) => {
            REPORT.to_owned()
        }
        OperationError::NoKubernetes(_) => {
            "`keelson etcd credentials` gives its users their credentials".to_owned()
        }
        other => return of_etcd(other, again),
    })
}

/// What to do about what was asked of etcd and of its backups.
fn of_etcd(error: &OperationError, again: &str) -> Option<String> {
    Some(match error {
        OperationError::OtherCluster { .. } => {
            "nothing was touched; --of-another-cluster takes it all the same: its Secrets can be read only with the key that \
             they were encrypted with"
                .to_owned()
        }
        OperationError::OtherEncryptionKey { .. } => {
            "nothing was touched; see whether the state store is the one that the cluster began with; --of-another-cluster takes \
             it all the same, and its Secrets are lost"
                .to_owned()
        }
        OperationError::RestoreUnderWay { .. } => {
            "nothing was touched; `keelson etcd restore` goes on with it; with --begin-anew another snapshot takes its place, \
             and only the machines that are there now are given the data"
                .to_owned()
        }
        OperationError::NoFounder(_) => {
            "`keelson apply` installs etcd on them, and says that it waits for data; then `keelson etcd restore`".to_owned()
        }
        OperationError::SnapshotFile { source, .. } => of_snapshot_file(source.kind()).to_owned(),
        OperationError::PackedSnapshot { .. } => {
            "`keelson etcd snapshot download` opens and unpacks what is kept; `keelson etcd restore NAME` takes it as it is, by the \
             name that `keelson etcd snapshot list` shows"
                .to_owned()
        }
        OperationError::NewestDamaged { older, place, .. } => format!(
            "nothing is ever restored from it; the one before it is listed as whole: name it, `{older} --place {place}`; `keelson \
             etcd snapshot list` shows others"
        ),
        OperationError::NoQuorumWithout { .. } => {
            format!("nothing was done to it; `keelson etcd status` shows who is missing: bring them back, then `{again}`")
        }
        OperationError::UnreadablePlace { .. } => {
            "something newer may lie there: name the snapshot, or the place with --place, to take one from elsewhere all the same"
                .to_owned()
        }
        OperationError::UnknownPlace { known, .. } => format!("its places are: {}", known.join(", ")),
        OperationError::NewerUnread(_) => format!(
            "`{again}` looks again; an older one is taken where it is named, or its place with --place: `keelson etcd snapshot list` \
             shows them"
        ),
        OperationError::AmbiguousBackup { .. } => "say which one with --place".to_owned(),
        OperationError::UnknownEtcd { known, .. } => format!("its etcds are: {}", known.join(", ")),
        OperationError::Backup(error) => return of_backup(error, again),
        _ => return None,
    })
}

/// What to do about a file that is no snapshot, or cannot be read or written.
fn of_snapshot_file(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => {
            "nothing of that name is there: see how it is written, and from which folder it is looked for"
        }
        ErrorKind::IsADirectory => "it is a folder: name the file in it",
        ErrorKind::NotADirectory => "a part of its path is a file: see how it is written",
        ErrorKind::PermissionDenied => "see whose it is, and who may read it",
        ErrorKind::InvalidData => {
            "name a whole snapshot, as `etcdctl snapshot save` or `keelson etcd snapshot download` writes it"
        }
        ErrorKind::StorageFull => "name with --work-folder a folder that has room for the snapshot",
        _ => "name a whole snapshot, and with --work-folder a folder that has room for it",
    }
}

fn of_lease(error: &LeaseError, again: &str) -> String {
    match error {
        LeaseError::Held { record, .. } => format!(
            "wait for it to end; if it was killed, the lease runs out at {:.0} and `{again}` takes over",
            record.expires_at
        ),
        LeaseError::Lost {
            source: Some(source), ..
        } if matches!(**source, StoreError::Damaged { .. }) => of_store(source),
        LeaseError::Lost { .. } => {
            format!("someone else is changing the cluster; when they are done, `{again}` goes on")
        }
        LeaseError::RanOut { source, .. } | LeaseError::Store { source, .. } => of_store(source),
    }
}

/// What to do about keys that cannot be used.
pub(super) fn of_keys(error: &PkiError) -> Option<String> {
    Some(match error {
        PkiError::NoKey { authority, .. } => format!(
            "where keelson is to issue certificates, name the file with the key in the spec, under \
             `pki.authorities`, beside the certificate of the {authority} authority"
        ),
        PkiError::Certificate { .. } | PkiError::Key { .. } => {
            "see that it is PEM and whole: where the spec names it, the file under `pki.authorities`; where keelson keeps it, \
             what the state store has in its folder `pki`"
                .to_owned()
        }
        PkiError::Unsuitable { authority, .. } => format!(
            "name another certificate of the {authority} authority under `pki.authorities`; where the cluster does not live \
             yet, leave it out and keelson makes one"
        ),
        PkiError::Locked { .. } | PkiError::WrongKey { .. } => {
            "set KEELSON_PKI_PASSPHRASE, or KEELSON_PKI_IDENTITIES to a file of age identities".to_owned()
        }
        PkiError::OtherAuthority { authority, .. } | PkiError::NotNamed { authority, .. } => format!(
            "nothing was touched; name the files of the {authority} authority that the cluster began with again, under \
             `pki.authorities`: it cannot change while the cluster lives"
        ),
        PkiError::NothingOpens { with_passphrase, .. } => {
            let variable = if *with_passphrase {
                "KEELSON_PKI_PASSPHRASE"
            } else {
                "KEELSON_PKI_IDENTITIES to a file with an age identity of one of the recipients"
            };
            format!("nothing was touched; set {variable}, now and whenever keelson runs")
        }
        PkiError::Identity { .. } => {
            "KEELSON_PKI_IDENTITIES names the file; each line of it is an identity, `AGE-SECRET-KEY-1…`, a comment or empty"
                .to_owned()
        }
        PkiError::StaysEncrypted { path, location } => format!(
            "nothing was touched; put `pki.encryption` back; or, where it is to go, decrypt each file in {}: `(umask 077; age -d \
             -o NEW FILE && mv NEW FILE)`, with `-i IDENTITIES` after `-d` where it is for recipients",
            folder(location, path)
        ),
        PkiError::NotEncrypted { path, location } => format!(
            "nothing was touched; to encrypt each file in {}: `age -p -o NEW FILE && mv NEW FILE` with a passphrase, `age -r \
             RECIPIENT -o NEW FILE && mv NEW FILE` to recipients",
            folder(location, path)
        ),
        PkiError::Store(error) => of_store(error),
        _ => return None,
    })
}

fn of_backup(error: &BackupError, again: &str) -> Option<String> {
    Some(match error {
        BackupError::Store(error) => of_store(error),
        BackupError::Pki(error) => return of_keys(error),
        BackupError::NotThere { .. } | BackupError::NoneWhole { .. } => "`keelson etcd snapshot list` shows those that there are".to_owned(),
        BackupError::Damaged { .. } => {
            "nothing is ever restored from it; `keelson etcd snapshot list` shows others, `keelson etcd snapshot save` takes a \
             new one"
                .to_owned()
        }
        BackupError::Unread { .. } => {
            format!("it may be whole: see to what is named above, then `{again}` looks again")
        }
        BackupError::Altered(_) => format!("nothing was kept of it; `{again}` tries again"),
        BackupError::Pack { .. } | BackupError::Unpack { .. } => REPORT.to_owned(),
    })
}

/// The folder of an object in a state store.
fn folder(location: &str, path: &str) -> String {
    let (folder, _) = path.rsplit_once('/').unwrap_or(("", path));
    format!("{location}/{folder}")
}

/// What to do about a state store that fails. What is damaged must not simply be moved away: each object is there
/// for a reason.
pub(super) fn of_store(error: &StoreError) -> String {
    let StoreError::Damaged { path, .. } = error else {
        let advice = advice(error).unwrap_or("see to what is named above");
        return format!("nothing was lost; {advice}, then try again");
    };
    match path.rsplit('/').next() {
        Some("cluster.json") => {
            "it was left as it is; restore it from a backup: without it keelson does not know what belongs to \
             this cluster, and would build another one beside it"
        }
        Some("lease") => {
            "it was left as it is; while no keelson works on the cluster, put it back from a backup or write it anew, with a \
             `generation` higher than that of any run before: the names in the folder `journal` beside it end with theirs; \
             docs/state-store.md has the form"
        }
        Some("spec.yaml") => {
            "it was left as it is; put it back from a backup, or, where it is still there, move it away: `keelson apply` \
             writes it anew; `keelson destroy --override-deletion-protection` goes without it"
        }
        Some("restore.json") => {
            "it was left as it is; put it back from a copy of the state store; where there is none, delete it, and run \
             `keelson etcd restore` before anything else: it begins anew"
        }
        _ if path.contains("/pki/") => {
            "nothing was changed; put it back from a copy of the state store: no other can take its place while the \
             cluster lives, since its machines believe only this one"
        }
        _ => "it was left as it is; restore it from a backup",
    }
    .to_owned()
}

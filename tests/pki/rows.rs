//! The table of certificates.

use std::collections::BTreeSet;

use keelson::pki::table::{AUTHORITIES, CERTIFICATES, MachineRole, Owner, SERVICE_ACCOUNT_FILES};
use keelson::pki::{AuthorityName, Layout};

/// Every file that a machine of these roles has, in order.
fn files(roles: &[MachineRole], layout: &Layout) -> Vec<String> {
    let mut files = Vec::new();
    for row in CERTIFICATES.iter().filter(|row| row.is_on(roles)) {
        files.extend([row.certificate_file(layout), row.key_file(layout)]);
    }
    let placed = AUTHORITIES
        .iter()
        .flat_map(|row| row.certificate_files.iter().chain(row.key_files));
    let placed = placed
        .chain(&SERVICE_ACCOUNT_FILES)
        .filter(|file| file.is_on(roles));
    files.extend(placed.map(|file| file.file(layout)));
    files.sort();
    files
}

#[test]
fn each_role_has_its_files() {
    use MachineRole::{ControlPlane, Etcd, Worker};
    let layout = Layout::default();
    let mut shown = String::new();
    for (title, roles) in [
        ("control plane", &[ControlPlane][..]),
        ("control plane with etcd", &[ControlPlane, Etcd]),
        ("etcd", &[Etcd]),
        ("worker", &[Worker]),
    ] {
        shown.extend([title, "\n  ", &files(roles, &layout).join("\n  "), "\n"]);
    }
    insta::assert_snapshot!("files", shown);
    let events = Layout {
        etcd: "/etc/etcd-events/pki".to_owned(),
        ..layout
    };
    assert!(
        files(&[Etcd], &events)
            .iter()
            .all(|file| file.starts_with("/etc/etcd-events/pki/"))
    );
}

#[test]
fn no_two_rows_are_the_same_file_and_each_authority_has_its_row() {
    let every = [MachineRole::ControlPlane, MachineRole::Etcd, MachineRole::Worker];
    let files = files(&every, &Layout::default());
    let different: BTreeSet<&String> = files.iter().collect();
    assert_eq!(different.len(), files.len());
    for name in AuthorityName::ALL {
        assert_eq!(name.row().name, name);
    }
    for row in CERTIFICATES {
        assert!(!row.usages.is_empty() && !row.roles.is_empty(), "{}", row.name);
        let is_etcds = row.owner == Owner::Etcd;
        assert_eq!(
            row.certificate_file(&Layout::default()).starts_with("/etc/etcd/"),
            is_etcds
        );
    }
}

//! Releases of Kubernetes and etcd.

use super::Found;
use crate::spec::errors::Finding;
use crate::spec::path::path_of;
use crate::spec::types::{ClusterSpec, EtcdPlacement};
use crate::spec::versions::{self, ETCD_FIRST_UNKNOWN_MAJOR, ETCD_OLDEST, KUBERNETES_RELEASES};

pub(super) fn kubernetes_is_supported(spec: &ClusterSpec, found: &mut Found) {
    let version = spec.kubernetes_version;
    if versions::release_of(version).is_some() {
        return;
    }
    let newest = versions::newest_kubernetes();
    let oldest = KUBERNETES_RELEASES
        .first()
        .map_or(newest, |release| release.newest_known);
    let (problem, nearest) = if version.minor_release() > newest.minor_release() {
        (
            format!("Kubernetes {version} is newer than this keelson knows"),
            newest,
        )
    } else {
        (format!("Kubernetes {version} is too old"), oldest)
    };
    let supported = versions::supported_minors();
    found.error(
        Finding::new(path_of!("spec", "kubernetesVersion"), problem)
            .expected(format!("a release of {supported}"))
            .help(format!("the nearest supported release is {nearest}")),
    );
}

pub(super) fn etcd_is_supported(spec: &ClusterSpec, found: &mut Found) {
    let path = path_of!("spec", "etcd", "version");
    let Some(version) = spec.etcd.version else {
        return;
    };
    if matches!(spec.etcd.placement, EtcdPlacement::External(_)) {
        found.error(
            Finding::new(path, "an external etcd has the version that it has")
                .help("remove the field; keelson does not install that etcd"),
        );
        return;
    }
    // An unsupported Kubernetes release is reported by its own rule.
    let Some(release) = versions::release_of(spec.kubernetes_version) else {
        return;
    };
    let (mut minimum, default) = (release.etcd_minimum, release.etcd_default);
    let mut user = format!("Kubernetes {}", spec.kubernetes_version);
    if spec.is_etcd_alone() {
        minimum = ETCD_OLDEST;
        "keelson".clone_into(&mut user);
    }
    let problem = if version < minimum {
        format!("etcd {version} is too old for {user}")
    } else if version.major >= ETCD_FIRST_UNKNOWN_MAJOR {
        format!("etcd {version} is newer than this keelson knows")
    } else {
        if version.minor_release() > default.minor_release() {
            let problem = format!("etcd {version} is newer than the {default} that this keelson knows");
            let finding = Finding::new(path, problem);
            found.warn(finding.help("an etcd cannot go back to an older minor release"));
        }
        return;
    };
    found.error(
        Finding::new(path, problem)
            .expected(format!(
                "at least {minimum}, and below {ETCD_FIRST_UNKNOWN_MAJOR}"
            ))
            .help(format!("leave the field out for {default}")),
    );
}

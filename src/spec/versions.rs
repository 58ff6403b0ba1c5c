//! The Kubernetes and etcd releases that keelson builds, as data.
//!
//! keelson builds the newest minor release and the three before it. Sources: kubeadm's constants of
//! Kubernetes 1.36.1 (`cmd/kubeadm/app/constants/constants.go`) for the etcd release of each minor and the oldest external
//! etcd, for CoreDNS and pause (those of 1.37 are taken from 1.36), the Kubernetes and etcd release pages for the rest.

use keelson_provider_api::values::Version;

/// One supported minor release of Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KubernetesRelease {
    /// Major and minor number, for example `(1, 36)`.
    pub minor: (u32, u32),
    /// The newest patch release known to this build. Newer patches of the same minor are accepted too.
    pub newest_known: Version,
    /// The etcd release that keelson installs with it unless the spec names another.
    pub etcd_default: Version,
    /// The oldest etcd release that its API server is supported with.
    pub etcd_minimum: Version,
    /// The tag of CoreDNS's image.
    pub coredns: &'static str,
    /// The tag of the image that holds a pod's namespaces.
    pub pause: &'static str,
}

/// What runs containers on a node, whichever minor of Kubernetes it is: releases of containerd, runc, the CNI plugins and
/// crictl. The CNI plugins are those that Kubernetes 1.36 is tested with (`build/dependencies.yaml`); a containerd
/// of 2.0 or newer is what kubelet 1.37 asks for (kubeadm's check `ContainerRuntimeVersion`,
/// `cmd/kubeadm/app/preflight/checks.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuntimeReleases {
    /// <https://github.com/containerd/containerd/releases>
    pub containerd: Version,
    /// <https://github.com/opencontainers/runc/releases>
    pub runc: Version,
    /// <https://github.com/containernetworking/plugins/releases>
    pub cni_plugins: Version,
    /// <https://github.com/kubernetes-sigs/cri-tools/releases>
    pub crictl: Version,
}

/// The releases that nodes get.
pub const RUNTIME_RELEASES: RuntimeReleases = RuntimeReleases {
    containerd: Version::new(2, 1, 9),
    runc: Version::new(1, 3, 6),
    cni_plugins: Version::new(1, 9, 1),
    crictl: Version::new(1, 36, 0),
};

const ETCD_3_6_8: Version = Version::new(3, 6, 8);
const ETCD_3_6_12: Version = Version::new(3, 6, 12);
const ETCD_MINIMUM: Version = Version::new(3, 5, 24);

/// Every supported minor release, oldest first.
pub const KUBERNETES_RELEASES: &[KubernetesRelease] = &[
    release(34, 3, ETCD_3_6_8, "v1.12.1", "3.10.1"),
    release(35, 1, ETCD_3_6_8, "v1.13.1", "3.10.1"),
    release(36, 2, ETCD_3_6_8, "v1.14.2", "3.10.2"),
    release(37, 0, ETCD_3_6_12, "v1.14.2", "3.10.2"),
];

/// The oldest etcd that keelson runs where no Kubernetes asks for a newer one: the last minor release but one.
pub const ETCD_OLDEST: Version = Version::new(3, 5, 0);

/// The first etcd major release that keelson does not know how to run.
pub const ETCD_FIRST_UNKNOWN_MAJOR: u32 = 4;

const fn release(
    minor: u32,
    patch: u32,
    etcd_default: Version,
    coredns: &'static str,
    pause: &'static str,
) -> KubernetesRelease {
    KubernetesRelease {
        minor: (1, minor),
        newest_known: Version::new(1, minor, patch),
        etcd_default,
        etcd_minimum: ETCD_MINIMUM,
        coredns,
        pause,
    }
}

/// The supported release that `version` is a patch of, or `None` when its minor is not supported.
pub fn release_of(version: Version) -> Option<&'static KubernetesRelease> {
    KUBERNETES_RELEASES
        .iter()
        .find(|release| release.minor == version.minor_release())
}

/// The supported release that `version` is a patch of; for an unsupported minor (which validation refuses), the newest.
pub fn nearest_release(version: Version) -> &'static KubernetesRelease {
    release_of(version).unwrap_or(&KUBERNETES_RELEASES[KUBERNETES_RELEASES.len() - 1])
}

/// The release that a spec gets when it names none: the newest known patch of the newest supported minor.
pub fn newest_kubernetes() -> Version {
    KUBERNETES_RELEASES
        .iter()
        .map(|release| release.newest_known)
        .max()
        .unwrap_or(Version::new(1, 37, 0))
}

/// The etcd release that goes with a Kubernetes release.
pub fn default_etcd(kubernetes: Version) -> Version {
    nearest_release(kubernetes).etcd_default
}

/// The supported minors as a reader writes them: `1.34, 1.35, 1.36, 1.37`.
pub fn supported_minors() -> String {
    let minors: Vec<String> = KUBERNETES_RELEASES
        .iter()
        .map(|release| format!("{}.{}", release.minor.0, release.minor.1))
        .collect();
    minors.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_four_consecutive_minors_whose_etcd_is_new_enough() {
        let minors: Vec<u32> = KUBERNETES_RELEASES
            .iter()
            .map(|release| release.minor.1)
            .collect();
        assert_eq!(minors, [34, 35, 36, 37]);
        for release in KUBERNETES_RELEASES {
            assert_eq!(release.newest_known.minor_release(), release.minor);
            assert!(release.etcd_default >= release.etcd_minimum);
            assert!(release.etcd_default.major < ETCD_FIRST_UNKNOWN_MAJOR);
        }
    }

    #[test]
    fn newer_patches_of_a_supported_minor_are_of_that_minor() {
        assert_eq!(release_of(Version::new(1, 36, 99)).unwrap().minor, (1, 36));
        assert_eq!(release_of(Version::new(1, 33, 0)), None);
        assert_eq!(default_etcd(Version::new(1, 34, 0)), Version::new(3, 6, 8));
        assert_eq!(newest_kubernetes(), Version::new(1, 37, 0));
    }
}

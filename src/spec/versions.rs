//! The Kubernetes and etcd releases that keelson builds, as data.
//!
//! keelson builds the newest minor release and the three before it. Sources: kubeadm's `constants.go` of Kubernetes
//! 1.36.1 for the etcd release of each minor and the oldest external etcd, the Kubernetes and etcd release pages for
//! the rest.

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
}

const ETCD_3_6_8: Version = Version::new(3, 6, 8);
const ETCD_3_6_12: Version = Version::new(3, 6, 12);
const ETCD_MINIMUM: Version = Version::new(3, 5, 24);

/// Every supported minor release, oldest first.
pub const KUBERNETES_RELEASES: &[KubernetesRelease] = &[
    release(34, 3, ETCD_3_6_8),
    release(35, 1, ETCD_3_6_8),
    release(36, 2, ETCD_3_6_8),
    release(37, 0, ETCD_3_6_12),
];

/// The oldest etcd that keelson runs where no Kubernetes asks for a newer one: the last minor release but one.
pub const ETCD_OLDEST: Version = Version::new(3, 5, 0);

/// The first etcd major release that keelson does not know how to run.
pub const ETCD_FIRST_UNKNOWN_MAJOR: u32 = 4;

const fn release(minor: u32, patch: u32, etcd_default: Version) -> KubernetesRelease {
    KubernetesRelease {
        minor: (1, minor),
        newest_known: Version::new(1, minor, patch),
        etcd_default,
        etcd_minimum: ETCD_MINIMUM,
    }
}

/// The supported release that `version` is a patch of, or `None` when its minor is not supported.
pub fn release_of(version: Version) -> Option<&'static KubernetesRelease> {
    KUBERNETES_RELEASES
        .iter()
        .find(|release| release.minor == version.minor_release())
}

/// The release that a spec gets when it names none: the newest known patch of the newest supported minor.
pub fn newest_kubernetes() -> Version {
    KUBERNETES_RELEASES
        .iter()
        .map(|release| release.newest_known)
        .max()
        .unwrap_or(Version::new(1, 37, 0))
}

/// The etcd release that goes with a Kubernetes release. For an unsupported minor (which validation refuses) this is
/// the default of the newest one.
pub fn default_etcd(kubernetes: Version) -> Version {
    release_of(kubernetes).map_or(ETCD_3_6_12, |release| release.etcd_default)
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

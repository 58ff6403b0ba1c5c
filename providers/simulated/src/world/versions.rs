//! Kubernetes' version skew policy, <https://kubernetes.io/releases/version-skew-policy/>.

use keelson_provider_api::kinds::{Kind, MachineRole, NodeBundle};
use keelson_provider_api::values::Version;
use keelson_provider_api::{ProviderError, Resource, ResourceKey};

use super::{Call, Holder, World, permanent};

/// How many minor releases a kubelet may be behind its API server.
const MOST_BEHIND: u32 = 3;

impl World {
    /// Refuses a bundle whose Kubernetes version does not go with the rest of the cluster.
    pub(super) fn check_versions(&self, call: &Call<'_>, bundle: &NodeBundle) -> Result<(), ProviderError> {
        let Some(version) = bundle.kubernetes_version else {
            return Ok(());
        };
        if self.is_control_plane(&call.holder, &bundle.machine) {
            self.check_control_plane(call, bundle, version)
        } else {
            self.check_worker(call, version)
        }
    }

    fn is_control_plane(&self, holder: &Holder, machine: &str) -> bool {
        let machine = self.things.get(holder, &ResourceKey::new(Kind::Machine, machine));
        matches!(
            machine.map(|thing| &thing.resource),
            Some(Resource::Machine(machine)) if machine.roles.contains(&MachineRole::ControlPlane)
        )
    }

    fn versions<'a>(
        &'a self,
        holder: &'a Holder,
        control_planes: bool,
    ) -> impl Iterator<Item = (&'a str, Version)> {
        self.things
            .held(holder, Kind::NodeBundle)
            .filter_map(move |thing| match &thing.resource {
                Resource::NodeBundle(bundle)
                    if self.is_control_plane(holder, &bundle.machine) == control_planes =>
                {
                    Some((bundle.machine.as_str(), bundle.kubernetes_version?))
                }
                _ => None,
            })
    }

    fn check_worker(&self, call: &Call<'_>, version: Version) -> Result<(), ProviderError> {
        // Found by the API servers that run, which are few: there may be a thousand workers to check.
        let oldest = self
            .things
            .held(&call.holder, Kind::ControlPlane)
            .filter_map(|thing| {
                let machine = thing.machine()?;
                Some((machine, self.bundle(&call.holder, machine)?.kubernetes_version?))
            })
            .min_by_key(|&(_, server)| server);
        match oldest {
            Some((machine, server)) if version.minor_release() > server.minor_release() => Err(permanent(
                format!("kubelet {version} is newer than the API server {server} on {machine}"),
            )
            .with_help("upgrade the control planes first")),
            _ => Ok(()),
        }
    }

    fn check_control_plane(
        &self,
        call: &Call<'_>,
        bundle: &NodeBundle,
        version: Version,
    ) -> Result<(), ProviderError> {
        for (machine, server) in self.versions(&call.holder, true) {
            if version.major != server.major || version.minor.abs_diff(server.minor) > 1 {
                return Err(if machine == bundle.machine {
                    permanent(format!(
                        "an API server cannot go from {server} to {version}: one minor release at a time"
                    ))
                } else {
                    permanent(format!(
                        "API servers {version} and {server} on {machine} are more than one minor release apart"
                    ))
                });
            }
            if machine == bundle.machine && version.minor_release() < server.minor_release() {
                return Err(permanent(format!(
                    "an API server cannot go back from {server} to {version}"
                )));
            }
        }
        let left_behind = self.versions(&call.holder, false).find(|(_, kubelet)| {
            version.minor_release() > kubelet.minor_release()
                && version.minor.abs_diff(kubelet.minor) > MOST_BEHIND
        });
        match left_behind {
            Some((machine, kubelet)) => Err(permanent(format!(
                "kubelet {kubelet} on {machine} is too old for API server {version}"
            ))
            .with_help("upgrade the workers first")),
            None => Ok(()),
        }
    }
}

//! Where the cluster's state is kept.

use super::Found;
use crate::spec::errors::Finding;
use crate::spec::path::path_of;
use crate::spec::text::StateStore;
use crate::spec::types::ClusterSpec;

/// What goes to a bucket is as secret as the cluster's keys are: those go there.
pub(super) fn way_there(spec: &ClusterSpec, found: &mut Found) {
    let StateStore::S3(bucket) = &spec.state_store else {
        return;
    };
    if bucket
        .endpoint
        .as_ref()
        .is_some_and(|endpoint| !endpoint.is_secure())
    {
        let problem = "the bucket's server is asked without encryption: the cluster's keys go over the network as they are";
        found.warn(
            Finding::new(path_of!("spec", "stateStore"), problem)
                .help("write an endpoint that begins with https://"),
        );
    }
}

//! What whoever runs keelson must be allowed, where the cloud asks for it.

use super::ConnectError;
use crate::ops::Planned;
use crate::spec::{Provider, ValidSpec};

/// The least policy of IAM by which `planned`, a plan for `spec`, can be carried out; JSON.
///
/// # Errors
/// [`ConnectError::NoPolicy`] when no IAM looks after the machines of `spec`.
#[cfg_attr(
    not(all(feature = "aws", feature = "ssh")),
    expect(unused_variables, reason = "there are no policies")
)]
pub fn policy_of_plan(spec: &ValidSpec, planned: &Planned) -> Result<String, ConnectError> {
    match &spec.spec().provider {
        #[cfg(all(feature = "aws", feature = "ssh"))]
        Provider::Aws(aws) => super::aws::policy_of_plan(spec, aws, planned),
        other => Err(no_policy(other)),
    }
}

/// The least policy of IAM by which the cluster of `spec` can be made, changed and taken away; JSON. Nobody is asked.
///
/// # Errors
/// [`ConnectError::NoPolicy`] when no IAM looks after the machines of `spec`.
pub fn policy_of_life(spec: &ValidSpec) -> Result<String, ConnectError> {
    match &spec.spec().provider {
        #[cfg(all(feature = "aws", feature = "ssh"))]
        Provider::Aws(aws) => super::aws::policy_of_life(spec, aws),
        other => Err(no_policy(other)),
    }
}

fn no_policy(provider: &Provider) -> ConnectError {
    let name = provider.field();
    match provider {
        // This build does not know what it would ask.
        Provider::Aws(_) => ConnectError::NoProvider(name),
        _ => ConnectError::NoPolicy(name),
    }
}

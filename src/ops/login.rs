//! Logging in on a machine.

use super::error::OperationError;
use super::machine_access::{Login, LoginRequest, MachineAccess};
use super::session::Session;
use crate::spec::ValidSpec;

/// Gets ready for someone to log in on the machine `name` of `spec`.
///
/// # Errors
/// [`OperationError::UnknownMachine`] when the spec has no such host, and [`OperationError::Machine`].
pub async fn login(
    access: &dyn MachineAccess,
    spec: &ValidSpec,
    name: &str,
    request: &LoginRequest,
) -> Result<Box<dyn Login>, OperationError> {
    let hosts = spec.provider.hosts();
    if !hosts.iter().any(|host| host.name.as_str() == name) {
        return Err(OperationError::UnknownMachine {
            name: name.to_owned(),
            known: hosts.iter().map(|host| host.name.to_string()).collect(),
        });
    }
    access
        .login(name, request)
        .await
        .map_err(|error| OperationError::Machine(Box::new(error)))
}

impl Session {
    /// Gets ready for someone to log in on the machine `name`.
    ///
    /// # Errors
    /// As [`login`], and [`OperationError::Simulated`] where machines are in memory.
    pub async fn login(&self, name: &str, request: &LoginRequest) -> Result<Box<dyn Login>, OperationError> {
        let access = self.machine_access().ok_or(OperationError::Simulated {
            name: self.spec().name().clone(),
            lacks: "machines that anyone could log in on",
        })?;
        login(access, self.spec(), name, request).await
    }
}

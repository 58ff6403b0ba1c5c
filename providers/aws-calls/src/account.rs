//! In whose name is called.

use aws_sdk_sts::Client;

use crate::failure::{CallError, Called as _};
use crate::settings::Clients;
use crate::whole::promised;

/// In whose name is called.
#[derive(Debug, Clone)]
pub struct Account {
    clients: Clients<Client>,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account's twelve digits.
    pub account: String,
    /// The user or the role that somebody has taken on, for example `arn:aws:sts::123456789012:assumed-role/admin/jane`.
    pub arn: String,
}

impl Account {
    pub(crate) fn new(clients: Clients<Client>) -> Self {
        Self { clients }
    }

    /// Who calls. Everybody may ask that (<https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>).
    ///
    /// # Errors
    ///
    /// When the credentials are nobody's, or STS cannot be asked.
    pub async fn caller(&self) -> Result<Caller, CallError> {
        const ACTION: &str = "GetCallerIdentity";
        let answer = self
            .clients
            .patient
            .get_caller_identity()
            .send()
            .await
            .called(ACTION)?;
        Ok(Caller {
            account: promised(ACTION, "account", answer.account)?,
            arn: promised(ACTION, "ARN", answer.arn)?,
        })
    }
}

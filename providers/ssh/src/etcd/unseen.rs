//! Why nothing is known of a machine's members, and what that asks of whoever needs to know.

use std::fmt;

use keelson_provider_api::{ErrorClass, ProviderError};

use super::step::transient;
use crate::shell::HostError;

/// Why nothing, or nothing whole, was seen on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unseen {
    /// A lower-case fragment without the machine's name.
    why: String,
    /// Of which class it is: [`ErrorClass::Unreachable`] where the machine does not answer, and nowhere else.
    class: ErrorClass,
    /// What to do about it, where the machine answers.
    help: Option<String>,
}

impl Unseen {
    /// Why, in words.
    pub(super) fn why(&self) -> &str {
        &self.why
    }

    /// True where the machine does not answer at all: it may be gone. One that does not let this user in, or whose host key is not
    /// known, is there.
    pub(super) fn is_unreachable(&self) -> bool {
        self.class == ErrorClass::Unreachable
    }

    /// The error of whoever has to know what `machine` has; `more` goes on with what that means.
    pub(super) fn error(&self, machine: &str, more: &str) -> ProviderError {
        let verb = if self.is_unreachable() {
            "does not answer"
        } else {
            "cannot be looked at"
        };
        ProviderError {
            help: self.help.clone(),
            ..ProviderError::new(self.class, format!("{machine} {verb}{more}: {}", self.why))
        }
    }
}

impl From<HostError> for Unseen {
    fn from(error: HostError) -> Self {
        let ProviderError { class, help, .. } = error.clone().into();
        Self {
            why: error.problem,
            class,
            help,
        }
    }
}

/// It was asked, and what it said is of no use.
impl From<String> for Unseen {
    fn from(why: String) -> Self {
        let ProviderError { message, class, help } = transient(why);
        Self {
            why: message,
            class,
            help,
        }
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.why)
    }
}

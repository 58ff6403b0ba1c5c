//! What was answered instead, and what it means for whoever called.

use std::error::Error;
use std::fmt;
use std::io;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use keelson_provider_api::{ErrorClass, Outcome, ProviderError};

/// What services say when they are called too often
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/throttling.html>).
const THROTTLING: &[&str] = &[
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// What services say of whoever may not do that, or is nobody
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>).
const RIGHTS: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "ExpiredToken",
    "InvalidClientTokenId",
    "UnauthorizedOperation",
];

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFailure {
    /// The service said no, and nothing was changed.
    Refused,
    /// The service is called too often, and nothing was changed.
    Throttled,
    /// Nobody was asked: there is no connection, or nobody knows in whose name to call. Nothing was changed.
    Unsent,
    /// Whether the call had an effect is not known: it was answered with 5xx, or not at all.
    Lost,
}

/// A call that had no success.
#[derive(Debug)]
pub struct CallError {
    /// The action, as the API calls it: `RunInstances`.
    pub action: &'static str,
    /// What kind of failure it is.
    pub failure: CallFailure,
    /// The service's code, for example `InvalidVpcID.NotFound`; empty where it gave none.
    pub code: String,
    /// The service's words, or what broke.
    pub message: String,
}

impl CallError {
    /// True when the service gave one of these codes.
    pub fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }

    /// True when what the call named is not there: EC2 ends such codes in `.NotFound`, the other services have words of
    /// their own.
    pub fn is_absent(&self) -> bool {
        let others = [
            "ListenerNotFound",
            "LoadBalancerNotFound",
            "NoSuchEntity",
            "NoSuchHostedZone",
            "TargetGroupNotFound",
        ];
        self.failure == CallFailure::Refused && (self.code.ends_with(".NotFound") || self.is(&others))
    }

    /// True when the call surely changed nothing.
    pub fn had_no_effect(&self) -> bool {
        self.failure != CallFailure::Lost
    }

    /// What to expect from trying again.
    pub fn class(&self) -> ErrorClass {
        match self.failure {
            CallFailure::Refused => ErrorClass::Permanent,
            CallFailure::Throttled => ErrorClass::Throttled,
            CallFailure::Unsent | CallFailure::Lost => ErrorClass::Transient,
        }
    }

    /// The same for whoever asked for `what`, a lower-case fragment such as `look at the subnets`.
    pub fn told(self, what: &str) -> ProviderError {
        let error = ProviderError::new(self.class(), format!("could not {what}: {self}"));
        match self.help() {
            Some(help) => error.with_help(help),
            None => error,
        }
    }

    /// How a change ended whose call this was.
    pub fn outcome(self, what: &str) -> Outcome {
        let had_no_effect = self.had_no_effect();
        let error = self.told(what);
        if had_no_effect {
            Outcome::Rejected(error)
        } else {
            Outcome::Indeterminate(error)
        }
    }

    fn help(&self) -> Option<String> {
        if self.is(RIGHTS) {
            return Some(format!(
                "see in whose name keelson calls (AWS_PROFILE and the like), and whether that one may {}",
                self.action
            ));
        }
        (self.failure == CallFailure::Unsent).then(|| {
            "see whether there are credentials, and whether the region's servers can be reached".to_owned()
        })
    }

    /// An answer that was understood and cannot be: something is missing in it that the API promises.
    pub(crate) fn strange(action: &'static str, missing: &str) -> Self {
        Self {
            action,
            failure: CallFailure::Lost,
            code: String::new(),
            message: format!("the answer has no {missing}"),
        }
    }

    /// A call that was not sent, since it cannot be right.
    pub(crate) fn unsent(action: &'static str, problem: impl fmt::Display) -> Self {
        Self {
            action,
            failure: CallFailure::Refused,
            code: String::new(),
            message: problem.to_string(),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            action,
            code,
            message,
            ..
        } = self;
        match (code.is_empty(), message.is_empty()) {
            (false, false) => write!(formatter, "{action} was answered with {code}: {message}"),
            (false, true) => write!(formatter, "{action} was answered with {code}"),
            (true, _) => write!(formatter, "{action} had no answer: {message}"),
        }
    }
}

impl Error for CallError {}

/// Names the action of a call that was sent.
pub(crate) trait Called<T> {
    /// The same, with failures in one form.
    fn called(self, action: &'static str) -> Result<T, CallError>;
}

impl<T, E> Called<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    fn called(self, action: &'static str) -> Result<T, CallError> {
        self.map_err(|error| of_sdk(action, &error))
    }
}

fn of_sdk<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let said = |failure, code: &str, message: String| CallError {
        action,
        failure,
        code: code.to_owned(),
        message,
    };
    match error {
        SdkError::ServiceError(refused) => {
            let code = refused.err().code().unwrap_or_default();
            let status = refused.raw().status().as_u16();
            let failure = if THROTTLING.contains(&code) || status == 429 {
                CallFailure::Throttled
            } else if status >= 500 {
                CallFailure::Lost
            } else {
                CallFailure::Refused
            };
            said(
                failure,
                code,
                refused.err().message().unwrap_or_default().to_owned(),
            )
        }
        SdkError::ConstructionFailure(_) => said(CallFailure::Unsent, "", words(error)),
        SdkError::DispatchFailure(failed) => {
            // Without a connection nothing was sent; one that broke may have carried the call.
            let unsent = failed.is_user() || was_refused_a_connection(error);
            let failure = if unsent {
                CallFailure::Unsent
            } else {
                CallFailure::Lost
            };
            said(failure, "", words(error))
        }
        _ => said(CallFailure::Lost, "", words(error)),
    }
}

fn was_refused_a_connection(error: &(dyn Error + 'static)) -> bool {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::ConnectionRefused)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn words(error: &(dyn Error + 'static)) -> String {
    let words: Vec<String> = causes(error).map(ToString::to_string).collect();
    words.join(": ")
}

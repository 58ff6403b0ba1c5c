//! What an API server answers when it does not do what was asked, in words.

use std::error::Error as StdError;
use std::io;

use keelson_provider_api::{ErrorClass, ProviderError};
use kube::core::Status;

/// What kube gives as the reason where the body of an answer is no Status, with that body as the message
/// (`handle_api_errors` in kube-client's `client/mod.rs`).
const UNREAD_REASON: &str = "Failed to parse error data";

/// Why a call did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Trouble {
    pub(super) kind: TroubleKind,
    /// What went wrong, in the server's own words where it has any: a fragment.
    pub(super) message: String,
    /// What it says of single causes: which budget forbids an eviction, which field is invalid.
    pub(super) causes: Vec<String>,
}

/// Troubles by what can be done about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TroubleKind {
    /// Nobody answered, or the answer broke off: whether something happened is not known.
    Unreachable,
    /// Nobody was there to ask: nothing happened.
    Refused,
    /// Too many calls, or, of an eviction, a budget that forbids it now.
    Throttled,
    /// The server failed; whether something happened is not known.
    Server,
    /// There is no such object.
    NotFound,
    /// There is no such kind of object.
    NoSuchKind,
    /// Someone else changed it meanwhile.
    Conflict,
    /// There is one of that name already.
    AlreadyExists,
    /// This user may not do that, or nobody may now.
    Forbidden,
    /// Who asks is not known to the server.
    Unauthorized,
    /// Everything else: it stays as it is until someone changes something.
    Refusal,
}

impl Trouble {
    pub(super) fn new(kind: TroubleKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
        }
    }

    /// True when the call surely had no effect.
    pub(super) fn is_without_effect(&self) -> bool {
        !matches!(self.kind, TroubleKind::Unreachable | TroubleKind::Server)
    }

    /// True when the connection, not the call, is what failed.
    pub(super) fn is_of_connection(&self) -> bool {
        matches!(
            self.kind,
            TroubleKind::Unreachable | TroubleKind::Refused | TroubleKind::Unauthorized
        )
    }

    /// The error for whoever asked for `what`: a fragment that follows "failed to".
    pub(super) fn into_error(self, what: &str) -> ProviderError {
        let class = match self.kind {
            TroubleKind::Unreachable
            | TroubleKind::Refused
            | TroubleKind::Server
            | TroubleKind::Conflict
            // Another add-on may be about to bring it.
            | TroubleKind::NoSuchKind
            | TroubleKind::Unauthorized => ErrorClass::Transient,
            TroubleKind::Throttled => ErrorClass::Throttled,
            TroubleKind::NotFound
            | TroubleKind::AlreadyExists
            | TroubleKind::Forbidden
            | TroubleKind::Refusal => ErrorClass::Permanent,
        };
        let error = ProviderError::new(class, format!("failed to {what}: {}", self.words()));
        match self.kind {
            TroubleKind::Forbidden => error.with_help(
                "an admission plugin, a quota or a role of the cluster forbids it; its message says which",
            ),
            TroubleKind::NoSuchKind => error
                .with_help("whatever brings that kind has to be installed first: a CRD, an aggregated API"),
            _ => error,
        }
    }

    /// The message with the causes that it does not name itself.
    pub(super) fn words(&self) -> String {
        let mut words = self.message.clone();
        for cause in self.causes.iter().filter(|cause| !self.message.contains(*cause)) {
            words.push_str("; ");
            words.push_str(cause);
        }
        words
    }

    fn of_status(status: &Status) -> Self {
        let reason = status.reason.as_str();
        let kind = match (status.code, reason) {
            (_, "AlreadyExists") => TroubleKind::AlreadyExists,
            (401, _) => TroubleKind::Unauthorized,
            (403, _) => TroubleKind::Forbidden,
            (404, _) => TroubleKind::NotFound,
            (409, _) => TroubleKind::Conflict,
            (429, _) => TroubleKind::Throttled,
            (500.., _) => TroubleKind::Server,
            _ => TroubleKind::Refusal,
        };
        let causes = status.details.iter().flat_map(|details| &details.causes);
        let causes = causes.map(|cause| match cause.field.as_str() {
            "" => cause.message.clone(),
            field => format!("{field}: {}", cause.message),
        });
        let message = match (status.message.as_str(), reason) {
            // What is no line of prose may hold anything, secrets too.
            (body, UNREAD_REASON) if !is_prose(body) => {
                format!("the API server answers {} in words of its own", status.code)
            }
            ("", "") => format!("the API server answers {}", status.code),
            ("", reason) => format!("the API server answers {} {reason}", status.code),
            (message, _) => message.trim().to_owned(),
        };
        Self {
            kind,
            message,
            causes: causes.filter(|cause| !cause.is_empty()).collect(),
        }
    }
}

impl From<kube::Error> for Trouble {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) => Self::of_status(status),
            kube::Error::Discovery(problem) => Self::new(TroubleKind::NoSuchKind, problem.to_string()),
            // Not a word of the body: it may hold a secret.
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => Self::new(
                TroubleKind::Server,
                "the API server's answer cannot be read: something else answers in its place",
            ),
            kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => {
                Self::new(TroubleKind::Refusal, innermost(&error))
            }
            _ if never_connected(&error) => Self::new(TroubleKind::Refused, innermost(&error)),
            _ => Self::new(TroubleKind::Unreachable, innermost(&error)),
        }
    }
}

/// True of a short line of words, as API servers write where they have no Status for it: `404 page not found`.
fn is_prose(body: &str) -> bool {
    body.len() <= 200 && !body.is_empty() && !body.contains(['{', '<', '\n'])
}

/// The innermost cause, which says what happened; those around it say that something happened.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// True when there was never anyone to send something to.
fn never_connected(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let refused = error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if refused {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(code: u16, reason: &str, message: &str) -> Trouble {
        let status = json!({ "status": "Failure", "code": code, "reason": reason, "message": message });
        let status: Status = serde_json::from_value(status).unwrap();
        kube::Error::Api(Box::new(status)).into()
    }

    #[test]
    fn an_answer_that_is_no_status_is_told_where_it_is_words() {
        let words = |body: &str| status(503, UNREAD_REASON, body).message;
        assert_eq!(words("no endpoints available"), "no endpoints available");
        let long = "x".repeat(201);
        for body in [r#"{"kind":"Statue"}"#, "<html>", "a\nb", "", &long] {
            assert_eq!(
                words(body),
                "the API server answers 503 in words of its own",
                "{body}"
            );
        }
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_does_not() {
        let table = [
            (
                status(429, "TooManyRequests", "slow down"),
                ErrorClass::Throttled,
                true,
            ),
            (
                status(500, "InternalError", "etcdserver: no leader"),
                ErrorClass::Transient,
                false,
            ),
            (
                status(503, "ServiceUnavailable", "starting"),
                ErrorClass::Transient,
                false,
            ),
            (
                status(409, "Conflict", "the object has been modified"),
                ErrorClass::Transient,
                true,
            ),
            (
                status(409, "AlreadyExists", "it exists"),
                ErrorClass::Permanent,
                true,
            ),
            (
                status(403, "Forbidden", "violates PodSecurity"),
                ErrorClass::Permanent,
                true,
            ),
            (
                status(422, "Invalid", "spec.replicas: Invalid value"),
                ErrorClass::Permanent,
                true,
            ),
        ];
        for (trouble, class, without_effect) in table {
            assert_eq!(trouble.is_without_effect(), without_effect, "{trouble:?}");
            let message = trouble.message.clone();
            let error = trouble.into_error("apply Deployment a");
            assert_eq!(error.class, class, "{error:?}");
            assert_eq!(error.message, format!("failed to apply Deployment a: {message}"));
        }
        assert_eq!(status(418, "", "").message, "the API server answers 418");
    }

    #[test]
    fn single_causes_are_told_once() {
        let status = json!({
            "status": "Failure", "code": 429, "reason": "TooManyRequests",
            "message": "Cannot evict pod as it would violate the pod's disruption budget.",
            "details": { "causes": [{ "reason": "DisruptionBudget",
                "message": "The disruption budget web needs 2 healthy pods and has 2 currently" }] },
        });
        let trouble = Trouble::from(kube::Error::Api(Box::new(
            serde_json::from_value(status).unwrap(),
        )));
        assert!(trouble.words().ends_with(
            "disruption budget.; The disruption budget web needs 2 healthy pods and has 2 currently"
        ));
    }
}

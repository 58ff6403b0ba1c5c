//! Why etcd refuses something, and what to expect from asking again.
//!
//! The texts are those of `api/v3rpc/rpctypes/error.go` in etcd 3.5 and 3.6; `etcdctl` prints them after `Error: `,
//! below lines of its log, which are JSON.

use keelson_provider_api::{ErrorClass, ProviderError};

use super::step::{permanent, transient};

/// What etcd's refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Another member is learning; etcd takes one at a time.
    TooManyLearners,
    /// A learner has not caught up yet.
    NotInSync,
    /// What was to be promoted votes already.
    VotesAlready,
    /// There is no such member.
    NotFound,
    /// A member with this URL is there already.
    Exists,
    /// Fewer members would have started than a quorum needs.
    NotEnoughStarted,
    /// Not all members have been connected for five seconds (`HealthInterval` in `server/etcdserver/server.go`).
    Unhealthy,
    /// There is no leader, or there was another one in between, or no answer in time.
    NoLeader,
    /// Something else.
    Other,
    /// It did not come as far as etcd.
    Machine,
}

/// A refusal, and what is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub why: Why,
    pub error: ProviderError,
}

/// In the order in which they are looked for: a text may contain another.
const TEXTS: &[(&str, Why)] = &[
    ("too many learner members in cluster", Why::TooManyLearners),
    (
        "can only promote a learner member which is in sync with leader",
        Why::NotInSync,
    ),
    ("can only promote a learner member", Why::VotesAlready),
    ("member not found", Why::NotFound),
    ("Peer URLs already exists", Why::Exists),
    ("member ID already exist", Why::Exists),
    ("not enough started members", Why::NotEnoughStarted),
    ("unhealthy cluster", Why::Unhealthy),
    ("no leader", Why::NoLeader),
    ("leader changed", Why::NoLeader),
    ("request timed out", Why::NoLeader),
    ("deadline exceeded", Why::NoLeader),
    ("connection refused", Why::NoLeader),
    ("server stopped", Why::NoLeader),
    ("not leader", Why::NoLeader),
    ("transport is closing", Why::NoLeader),
];

impl Refusal {
    /// Reads what `etcdctl` wrote while it failed to do `what`.
    pub(super) fn read(what: &str, stderr: &str) -> Self {
        let said = stderr.lines().rev().find(|line| line.starts_with("Error: "));
        let said = said.or_else(|| stderr.lines().rev().find(|line| !line.trim().is_empty()));
        let said = said
            .unwrap_or("it gave no reason")
            .trim_start_matches("Error: ")
            .trim();
        let why = TEXTS
            .iter()
            .find(|(text, _)| said.contains(text))
            .map_or(Why::Other, |&(_, why)| why);
        let message = format!("{what}: {said}");
        let error = match why {
            Why::Other => permanent(message),
            _ => transient(message),
        };
        Self { why, error }
    }

    /// The machine could not be asked.
    pub(super) fn of_machine(error: ProviderError) -> Self {
        Self {
            why: Why::Machine,
            error,
        }
    }

    /// True when the same may succeed a little later.
    pub(super) fn may_pass(&self) -> bool {
        self.why != Why::Machine && self.error.class == ErrorClass::Transient
    }
}

impl From<Refusal> for ProviderError {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_known_by_etcds_own_words() {
        let log = r#"{"level":"warn","error":"rpc error: code = FailedPrecondition desc = etcdserver: member not found"}"#;
        let cases = [
            (
                "Error: etcdserver: too many learner members in cluster",
                Why::TooManyLearners,
            ),
            (
                "Error: etcdserver: can only promote a learner member which is in sync with leader",
                Why::NotInSync,
            ),
            (
                "Error: etcdserver: can only promote a learner member",
                Why::VotesAlready,
            ),
            ("Error: etcdserver: member not found", Why::NotFound),
            ("Error: etcdserver: Peer URLs already exists", Why::Exists),
            (
                "Error: etcdserver: re-configuration failed due to not enough started members",
                Why::NotEnoughStarted,
            ),
            ("Error: etcdserver: unhealthy cluster", Why::Unhealthy),
            ("Error: etcdserver: no leader", Why::NoLeader),
            ("Error: context deadline exceeded", Why::NoLeader),
            ("Error: etcdserver: permission denied", Why::Other),
        ];
        for (text, why) in cases {
            let refusal = Refusal::read("failed to add", &format!("{log}\n{text}\n"));
            assert_eq!(refusal.why, why, "{text}");
            assert_eq!(refusal.may_pass(), why != Why::Other, "{text}");
        }
    }

    #[test]
    fn rubbish_is_a_refusal_that_stays() {
        for text in ["", "\n\n", "Segmentation fault", "\u{0}\u{1}", "{"] {
            let refusal = Refusal::read("failed to add", text);
            assert_eq!(refusal.why, Why::Other, "{text}");
            assert!(!refusal.may_pass());
        }
        assert_eq!(
            Refusal::read("failed to add", "").error.message,
            "failed to add: it gave no reason"
        );
    }
}

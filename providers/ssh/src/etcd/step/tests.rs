//! Statuses of scripts, and what is known of what they did.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::{ClusterIdentity, Progress};

use super::*;
use crate::shell::{HostError, HostErrorKind, OnLine, Shell};

/// A machine on which every script ends alike.
struct Machine {
    answer: Result<i32, HostErrorKind>,
    /// The limit of the last script.
    limit: Mutex<Duration>,
}

#[async_trait]
impl Shell for Machine {
    fn host(&self) -> &'static str {
        "a"
    }

    async fn run(&self, job: &Job<'_>, _: &OnLine<'_>) -> Result<Output, HostError> {
        *self.limit.lock().unwrap() = job.timeout;
        let answer = self.answer.map(|status| Output {
            status,
            stdout: String::new(),
            stderr: "its words".to_owned(),
        });
        answer.map_err(|kind| HostError {
            host: "a".to_owned(),
            address: "10.0.0.1".to_owned(),
            kind,
            problem: "gone".to_owned(),
            help: None,
        })
    }
}

struct One(Arc<Machine>);

impl Reach for One {
    fn machines(&self) -> Vec<String> {
        vec!["a".to_owned()]
    }

    fn shell(&self, _machine: &str) -> Option<Arc<dyn Shell>> {
        let shell: Arc<dyn Shell> = Arc::<Machine>::clone(&self.0);
        Some(shell)
    }

    fn internal_address(&self, _machine: &str) -> Option<IpAddr> {
        None
    }
}

/// How a step ends whose one script ends with `answer`, and how long that script was given.
async fn ended(answer: Result<i32, HostErrorKind>) -> (Outcome, Duration) {
    let machine = Arc::new(Machine {
        answer,
        limit: Mutex::default(),
    });
    let reach = One(Arc::clone(&machine));
    let context = StepContext {
        cluster: ClusterIdentity {
            name: "prod.example.com".parse().unwrap(),
            uid: Some(ClusterUid::new("uid")),
        },
        fencing_generation: 1,
        attempt: 0,
        progress: Progress::default(),
    };
    let step = Step::new(&reach, &SystemClock, &context, &MAIN).unwrap();
    let outcome = step.outcome(step.start("a").await);
    let limit = *machine.limit.lock().unwrap();
    (outcome, limit)
}

#[tokio::test]
async fn what_was_not_let_in_has_surely_done_nothing() {
    let cases = [
        (Ok(75), ErrorClass::Fenced),
        (Ok(76), ErrorClass::Transient),
        (Ok(77), ErrorClass::Permanent),
        (Ok(20), ErrorClass::Permanent),
        (Err(HostErrorKind::Unreachable), ErrorClass::Unreachable),
    ];
    for (answer, class) in cases {
        match ended(answer).await.0 {
            Outcome::Rejected(error) => assert_eq!(error.class, class, "{answer:?}: {error}"),
            other => panic!("{answer:?}: {other:?}"),
        }
    }
    for answer in [Ok(1), Err(HostErrorKind::Lost)] {
        let outcome = ended(answer).await.0;
        assert!(
            matches!(outcome, Outcome::Indeterminate(_)),
            "{answer:?}: {outcome:?}"
        );
    }
    assert_eq!(ended(Ok(0)).await.0, Outcome::Done);
}

#[tokio::test]
async fn a_script_has_its_time_besides_what_it_waits_to_be_let_in() {
    let (_, limit) = ended(Ok(0)).await;
    assert!(limit >= QUICK + Duration::from_secs(120), "{limit:?}");
}

//! Network load balancers, their listeners and targets.
//!
//! Creates are sent again when their answer is lost: for the same settings Elastic Load Balancing answers with what is there, and
//! it refuses other settings for a name that is taken
//! (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>).

mod balancers;
mod listeners;
mod marks;
mod target_groups;
mod targets;

use aws_sdk_elasticloadbalancingv2::Client;

use crate::failure::CallError;
use crate::settings::Clients;

pub use balancers::{BalancerAttributes, LoadBalancer, NewLoadBalancer, Scheme};
pub use listeners::{Listener, NewListener};
pub use marks::Owned;
pub use target_groups::{GroupAttributes, HealthCheck, NewTargetGroup, TargetGroup, TargetType};
pub use targets::{Target, TargetHealth};

/// The longest name of a load balancer and of a target group.
pub const LONGEST_NAME: usize = 32;
/// How many things a call names at most, by ARN or by name: the limit of `DescribeTags`, and a page of the others
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html>).
const BATCH: usize = 20;

/// Network load balancers, their listeners and targets.
#[derive(Debug, Clone)]
pub struct Elb {
    clients: Clients<Client>,
}

impl Elb {
    pub(crate) fn new(clients: Clients<Client>) -> Self {
        Self { clients }
    }
}

/// Says no to a name that Elastic Load Balancing does not take: letters, digits and hyphens, which neither begin nor end it.
fn check_name(action: &'static str, name: &str) -> Result<(), CallError> {
    let fits = (1..=LONGEST_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.starts_with("internal-");
    if fits {
        return Ok(());
    }
    let rule = format!(
        "1 to {LONGEST_NAME} letters, digits and hyphens, without a hyphen at an end or `internal-` before"
    );
    Err(CallError::unsent(action, format!("`{name}` is no name: {rule}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_that_the_api_takes() {
        let longest = "a".repeat(LONGEST_NAME);
        let too_long = "a".repeat(LONGEST_NAME + 1);
        let cases = [
            ("a", true),
            ("api-1", true),
            (&longest, true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("a.b", false),
            ("internal-a", false),
            (&too_long, false),
        ];
        for (name, fits) in cases {
            assert_eq!(check_name("CreateLoadBalancer", name).is_ok(), fits, "{name}");
        }
    }
}

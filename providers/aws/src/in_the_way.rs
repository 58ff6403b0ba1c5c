//! What keeps something from being deleted: interfaces that are in it, or have it.

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::Filters;
use keelson_provider_api::{Outcome, ResourceKey};

use crate::kept::holder;
use crate::step::{Step, refused};

/// So many interfaces are named.
const NAMED: usize = 5;

/// The refusal of a delete of `key`, with the interfaces that `filters` find: what made them is told by their descriptions, `ELB NAME`
/// for a classic load balancer
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-manage-subnets.html>).
pub(crate) async fn told(step: &Step<'_>, error: CallError, key: &ResourceKey, filters: &Filters) -> Outcome {
    let what = format!("delete {key}");
    if !error.is(&["DependencyViolation"]) {
        return refused(error, &what);
    }
    // Whatever becomes of this look, it is the delete that failed.
    let interfaces = Box::pin(step.ec2.list_interfaces(filters))
        .await
        .unwrap_or_default();
    if interfaces.is_empty() {
        return refused(error, &what);
    }
    let mut named: Vec<String> = interfaces.iter().map(holder::interface).collect();
    named.truncate(NAMED);
    let help = format!(
        "network interfaces are still there: {}; delete what has made them, such as a classic load balancer, which keelson does \
         not find (`ELB NAME`), and do the same again",
        named.join("; ")
    );
    Outcome::Rejected(error.told(&what).with_help(help))
}

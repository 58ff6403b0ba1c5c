//! Listeners: which port of a load balancer goes to which target group.

use aws_sdk_elasticloadbalancingv2::types::{self, Action, ActionTypeEnum, ProtocolEnum};

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;
use crate::whole::{deleted, every_page, if_there, next, promised};

use super::Elb;
use super::marks::written;

const CREATE: &str = "CreateListener";
const DESCRIBE: &str = "DescribeListeners";

/// A listener to create, for TCP.
#[derive(Debug, Clone)]
pub struct NewListener {
    /// The ARN of its load balancer.
    pub load_balancer: String,
    /// Its port, one of the load balancer.
    pub port: u16,
    /// The ARN of the target group that it forwards to.
    pub target_group: String,
    /// Its mark.
    pub tags: Tags,
}

/// A listener that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// What calls name it by.
    pub arn: String,
    /// Its port.
    pub port: u16,
    /// The ARNs of the target groups that it forwards to: one, where keelson made it.
    pub target_groups: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Elb {
    /// Creates a listener, with its tags; the same one again is the one that is there.
    ///
    /// # Errors
    ///
    /// When the port has another one (`DuplicateListener`), when it is refused or cannot be asked for.
    pub async fn create_listener(&self, new: &NewListener) -> Result<Listener, CallError> {
        let answer = self
            .clients
            .patient
            .create_listener()
            .load_balancer_arn(&new.load_balancer)
            .protocol(ProtocolEnum::Tcp)
            .port(new.port.into())
            .default_actions(forward(&new.target_group))
            .set_tags(written(&new.tags))
            .send()
            .await
            .called(CREATE)?;
        let made = answer.listeners.unwrap_or_default().into_iter().next();
        let mut made = read(CREATE, promised(CREATE, "listener", made)?)?;
        made.tags.clone_from(&new.tags);
        Ok(made)
    }

    /// The listeners of a load balancer; none where it is gone.
    ///
    /// # Errors
    ///
    /// When Elastic Load Balancing refuses or cannot be asked.
    pub async fn listeners(&self, load_balancer: &str) -> Result<Vec<Listener>, CallError> {
        let found = every_page(DESCRIBE, |from| async move {
            let call = self.clients.patient.describe_listeners();
            let call = call.load_balancer_arn(load_balancer).set_marker(from);
            let answer = call.send().await.called(DESCRIBE)?;
            Ok((answer.listeners.unwrap_or_default(), next(answer.next_marker)))
        });
        let found = if_there(found.await)?.unwrap_or_default();
        let arns: Vec<String> = found.iter().filter_map(|one| one.listener_arn.clone()).collect();
        let mut tags = self.tags(&arns).await?;
        let mut listeners = Vec::new();
        for one in found {
            let mut one = read(DESCRIBE, one)?;
            // One without tags went between the two calls.
            if let Some(tags) = tags.remove(&one.arn) {
                one.tags = tags;
                listeners.push(one);
            }
        }
        Ok(listeners)
    }

    /// Has a listener forward to another target group.
    ///
    /// # Errors
    ///
    /// When one of them is not there, when it is refused or cannot be asked for.
    pub async fn forward_listener(&self, listener: &str, target_group: &str) -> Result<(), CallError> {
        let call = self.clients.patient.modify_listener().listener_arn(listener);
        let answer = call.default_actions(forward(target_group)).send().await;
        answer.called("ModifyListener").map(drop)
    }

    /// Deletes a listener.
    ///
    /// # Errors
    ///
    /// When it is refused or cannot be asked for; not when it is gone.
    pub async fn delete_listener(&self, listener: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_listener().listener_arn(listener);
        deleted(call.send().await.called("DeleteListener"))
    }
}

fn forward(target_group: &str) -> Action {
    Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .target_group_arn(target_group)
        .build()
}

fn read(action: &'static str, found: types::Listener) -> Result<Listener, CallError> {
    let mut target_groups: Vec<String> = Vec::new();
    for action in found.default_actions.unwrap_or_default() {
        // The same group stands in both where there is one.
        let several = action
            .forward_config
            .and_then(|forward| forward.target_groups)
            .unwrap_or_default();
        let several = several.into_iter().filter_map(|group| group.target_group_arn);
        for group in action.target_group_arn.into_iter().chain(several) {
            if !target_groups.contains(&group) {
                target_groups.push(group);
            }
        }
    }
    Ok(Listener {
        arn: promised(action, "ARN", found.listener_arn)?,
        port: found
            .port
            .and_then(|port| port.try_into().ok())
            .unwrap_or_default(),
        target_groups,
        tags: Tags::new(),
    })
}

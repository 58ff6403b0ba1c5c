//! Instance profiles of instances that are there.

use aws_sdk_ec2::types::{
    IamInstanceProfileAssociation, IamInstanceProfileAssociationState, IamInstanceProfileSpecification,
};

use crate::failure::{CallError, Called as _};

use super::answers::{Page, every_page};
use super::{Ec2, Filters};

/// The longest page of `DescribeIamInstanceProfileAssociations`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIamInstanceProfileAssociations.html>).
const PAGE: i32 = 1000;

impl Ec2 {
    /// Gives an instance the rights of the instance profile `name` in the place of those that it has; nothing is changed where it
    /// has them.
    ///
    /// One that has a profile is never without one
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html>).
    ///
    /// # Errors
    /// When EC2 refuses, since one of them is not there for example, or cannot be asked.
    pub async fn give_profile(&self, instance: &str, name: &str) -> Result<(), CallError> {
        let profile = IamInstanceProfileSpecification::builder().name(name).build();
        let Some(association) = self.association_of(instance).await? else {
            let call = self.clients.patient.associate_iam_instance_profile();
            let call = call.instance_id(instance).iam_instance_profile(profile);
            return match call.send().await.called("AssociateIamInstanceProfile") {
                // A call whose answer was lost has given it this profile: nobody else did since the look.
                Err(error) if error.is(&["IncorrectState"]) => {
                    let has_one = self.association_of(instance).await?;
                    let is_it = has_one.is_some_and(|one| is_of(&one, name));
                    if is_it { Ok(()) } else { Err(error) }
                }
                answer => answer.map(drop),
            };
        };
        if is_of(&association, name) {
            return Ok(());
        }
        let call = self.clients.patient.replace_iam_instance_profile_association();
        let call = call
            .set_association_id(association.association_id)
            .iam_instance_profile(profile);
        let answer = call.send().await.called("ReplaceIamInstanceProfileAssociation");
        answer.map(drop)
    }

    /// The profile that an instance has or is about to have.
    async fn association_of(
        &self,
        instance: &str,
    ) -> Result<Option<IamInstanceProfileAssociation>, CallError> {
        const ACTION: &str = "DescribeIamInstanceProfileAssociations";
        let filters = Filters::default().with("instance-id", [instance]).written();
        let found = every_page(ACTION, |token| {
            let call = self.clients.patient.describe_iam_instance_profile_associations();
            let call = call
                .set_filters(filters.clone())
                .max_results(PAGE)
                .set_next_token(token);
            async move {
                let answer = call.send().await.called(ACTION)?;
                Ok(Page::new(
                    answer.iam_instance_profile_associations,
                    answer.next_token,
                ))
            }
        })
        .await?;
        let goes = [
            IamInstanceProfileAssociationState::Disassociating,
            IamInstanceProfileAssociationState::Disassociated,
        ];
        let stays = |one: &IamInstanceProfileAssociation| {
            !one.state.as_ref().is_some_and(|state| goes.contains(state))
        };
        Ok(found.into_iter().find(stays))
    }
}

/// Whether the profile's name, the last part of its ARN, is `name`.
fn is_of(association: &IamInstanceProfileAssociation, name: &str) -> bool {
    let profile = association.iam_instance_profile.as_ref();
    let arn = profile.and_then(|profile| profile.arn.as_deref());
    arn.and_then(|arn| arn.rsplit('/').next()) == Some(name)
}

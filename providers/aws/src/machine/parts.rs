//! What instances are started from, those of machines and those of groups.

use std::time::Duration;

use keelson_aws_calls::ec2::{Filters, Image};
use keelson_aws_calls::iam::Iam;
use keelson_provider_api::values::Quantity;
use keelson_provider_api::{ErrorClass, Kind, Outcome, ProviderError, ResourceKey, USER_DATA_LIMIT_BYTES};

use super::images::{self, Found};
use crate::kept::instance_profile_name;
use crate::places::PUBLIC_SUBNET;
use crate::step::{Step, missing, refused};

/// The root volume of a machine for which the spec says no size: twice what the smallest one may have.
pub(crate) const ROOT: Quantity = Quantity::from_gibibytes(20);

/// A profile that was just made is known to EC2 after seconds
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>).
pub(crate) const PROFILE_LIMIT: Duration = Duration::from_secs(60);

/// The image that the spec calls `image`, which instances of the type `machine_type` can be started from.
pub(crate) async fn image(
    step: &Step<'_>,
    key: &ResourceKey,
    machine_type: &str,
    image: Option<&str>,
) -> Result<Image, Outcome> {
    let types = step.ec2.instance_types(&[machine_type.to_owned()]).await;
    let types = types.map_err(|error| refused(error, "look at the machine type"))?;
    let Some(found) = types.into_iter().next() else {
        return Err(never(format!(
            "{key} is to be a {machine_type}, and this region has no such type"
        )));
    };
    let found = images::find(step.ec2, image, &found.architectures).await;
    match found.map_err(|error| refused(error, "look for the image"))? {
        Found::Image(image) => Ok(image),
        Found::None(why) => Err(never(format!("{key} has no image to start from: {why}"))),
    }
}

/// The name of the instance profile of `role`, which is there.
pub(crate) async fn profile(
    step: &Step<'_>,
    iam: &Iam,
    role: Option<&str>,
) -> Result<Option<String>, Outcome> {
    let Some(role) = role else {
        return Ok(None);
    };
    let name = instance_profile_name(&step.context.cluster, role);
    let found = iam.instance_profile(&name).await;
    match found.map_err(|error| refused(error, "look for the instance profile"))? {
        Some(_) => Ok(Some(name)),
        None => Err(missing(&ResourceKey::new(Kind::Role, role))),
    }
}

/// Whether what is started in the subnet `name`, which has this id, gets a public address.
pub(crate) async fn is_public(step: &Step<'_>, name: &str, id: &str) -> Result<bool, Outcome> {
    let itself = Filters::default().with("subnet-id", [id]);
    let found = step.ec2.list_subnets(&itself).await;
    let found = found.map_err(|error| refused(error, "look at the subnet"))?;
    let found = found.into_iter().next();
    let found = found.ok_or_else(|| missing(&ResourceKey::new(Kind::Subnet, name)))?;
    // A subnet that is only used says so by what it gives to others.
    Ok(found.tags.contains_key(PUBLIC_SUBNET) || found.maps_public_addresses)
}

/// What is run at a first boot, where that is no more than EC2 takes.
pub(crate) fn that_fits(key: &ResourceKey, user_data: Vec<u8>) -> Result<Vec<u8>, Outcome> {
    let bytes = user_data.len();
    if bytes > USER_DATA_LIMIT_BYTES {
        let problem = format!(
            "what {key} is to run when it first boots has {bytes} bytes, and EC2 takes {USER_DATA_LIMIT_BYTES} at the most"
        );
        return Err(never(problem));
    }
    Ok(user_data)
}

/// The machine type, where the spec says one.
pub(crate) fn machine_type<'a>(key: &ResourceKey, name: Option<&'a str>) -> Result<&'a str, Outcome> {
    name.ok_or_else(|| never(format!("{key} is to be of no machine type")))
}

/// A size as EC2 counts it; what is between two is the larger one.
pub(crate) fn gibibytes(key: &ResourceKey, size: Quantity) -> Result<u32, Outcome> {
    let gibibytes = size.bytes().div_ceil(Quantity::from_gibibytes(1).bytes());
    u32::try_from(gibibytes).map_err(|_| never(format!("{key} cannot have a root volume of {size}")))
}

/// What stays as it is until somebody changes something.
pub(crate) fn never(problem: impl Into<String>) -> Outcome {
    Outcome::Rejected(ProviderError::new(ErrorClass::Permanent, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_gibibytes_and_no_less_than_was_asked_for() {
        let key = ResourceKey::new(Kind::Machine, "a");
        let gibibyte = 1 << 30;
        let cases = [
            (gibibyte, Some(1)),
            (gibibyte + 1, Some(2)),
            (50 * gibibyte, Some(50)),
            (u64::MAX, None),
        ];
        for (bytes, expected) in cases {
            let found = gibibytes(&key, Quantity::from_bytes(bytes)).ok();
            // The largest number of bytes is 2^34 gibibytes.
            assert_eq!(found, expected, "{bytes}");
        }
    }
}

//! Types of instances: what a machine of each has.

use std::collections::BTreeSet;

use aws_sdk_ec2::types as sdk;

use crate::failure::{CallError, Called as _};

use super::answers::{Page, every_page};
use super::{Architecture, Ec2, Filters};

/// The longest page of `DescribeInstanceTypes`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html>).
const PAGE: i32 = 100;
/// The longest page of `DescribeInstanceTypeOfferings`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypeOfferings.html>).
const OFFERINGS_PAGE: i32 = 1000;

/// A type of instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType {
    /// Its name, for example `m6i.large`.
    pub name: String,
    /// What its processors run.
    pub architectures: Vec<Architecture>,
    /// How much memory it has.
    pub memory_mebibytes: u64,
    /// How many processors its system sees.
    pub virtual_processors: u32,
}

impl Ec2 {
    /// Those of `names` that this region has, by their names; at most 200 can be asked for at once.
    ///
    /// # Errors
    /// When EC2 refuses, cannot be asked, or the list has no end.
    pub async fn instance_types(&self, names: &[String]) -> Result<Vec<InstanceType>, CallError> {
        const ACTION: &str = "DescribeInstanceTypes";
        let filters = Filters::default().with("instance-type", names);
        let Some(filters) = filters.written() else {
            return Ok(Vec::new());
        };
        let types = every_page(ACTION, |token| {
            let call = self.clients.patient.describe_instance_types();
            let call = call
                .set_filters(Some(filters.clone()))
                .max_results(PAGE)
                .set_next_token(token);
            async move {
                let answer = call.send().await.called(ACTION)?;
                Ok(Page::new(answer.instance_types, answer.next_token))
            }
        })
        .await?;
        let known = |one| read(one).ok_or_else(|| CallError::strange(ACTION, "name, memory or processors"));
        let mut types: Vec<InstanceType> = types.into_iter().map(known).collect::<Result<_, _>>()?;
        types.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(types)
    }

    /// In which zones those of `names` can be had that there are: types with zones, for example `m6i.large` and `eu-west-1a`.
    /// At most 200 can be asked for at once.
    ///
    /// # Errors
    /// When EC2 refuses, cannot be asked, or the list has no end.
    pub async fn offered_types(&self, names: &[String]) -> Result<BTreeSet<(String, String)>, CallError> {
        const ACTION: &str = "DescribeInstanceTypeOfferings";
        let filters = Filters::default().with("instance-type", names);
        let Some(filters) = filters.written() else {
            return Ok(BTreeSet::new());
        };
        let offered = every_page(ACTION, |token| {
            let call = self.clients.patient.describe_instance_type_offerings();
            let call = call
                .location_type(sdk::LocationType::AvailabilityZone)
                .set_filters(Some(filters.clone()))
                .max_results(OFFERINGS_PAGE)
                .set_next_token(token);
            async move {
                let answer = call.send().await.called(ACTION)?;
                Ok(Page::new(answer.instance_type_offerings, answer.next_token))
            }
        })
        .await?;
        let pair =
            |one: sdk::InstanceTypeOffering| Some((one.instance_type?.as_str().to_owned(), one.location?));
        let strange = || CallError::strange(ACTION, "type or zone");
        let pairs = offered.into_iter().map(|one| pair(one).ok_or_else(strange));
        pairs.collect()
    }
}

fn read(found: sdk::InstanceTypeInfo) -> Option<InstanceType> {
    let architectures = found.processor_info?.supported_architectures.unwrap_or_default();
    Some(InstanceType {
        name: found.instance_type?.as_str().to_owned(),
        architectures: architectures
            .iter()
            .map(|one| Architecture::read(one.as_str()))
            .collect(),
        memory_mebibytes: found.memory_info?.size_in_mib?.try_into().ok()?,
        virtual_processors: found.v_cpu_info?.default_v_cpus?.try_into().ok()?,
    })
}

//! What a group starts its instances from.

use aws_sdk_autoscaling::types::{
    InstancesDistribution, LaunchTemplate, LaunchTemplateOverrides, LaunchTemplateSpecification,
    MixedInstancesPolicy,
};

use super::{count, number};

/// The launch template that a group starts its instances from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The template's id.
    pub template: String,
    /// The number of its version.
    pub version: String,
    /// Which types and how many spot instances there are; without it, the type of the template.
    pub mix: Option<Mix>,
}

/// Instances of several types, some of them spot ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    /// The types, the preferred ones first.
    pub types: Vec<String>,
    /// How many instances are surely no spot ones.
    pub on_demand_base: u32,
    /// How many per cent of those above that number are spot ones; more than 100 is 100.
    pub spot_percent: u32,
}

impl Launch {
    /// The template alone, where there is no mix.
    pub(super) fn alone(&self) -> Option<LaunchTemplateSpecification> {
        self.mix.is_none().then(|| self.specification())
    }

    /// The template and the mix, where there is one.
    pub(super) fn mixed(&self) -> Option<MixedInstancesPolicy> {
        let mix = self.mix.as_ref()?;
        let overrides = mix
            .types
            .iter()
            .map(|one| LaunchTemplateOverrides::builder().instance_type(one).build());
        let template = LaunchTemplate::builder()
            .launch_template_specification(self.specification())
            .set_overrides(Some(overrides.collect()));
        // The strategies that AWS recommends: the order of the types counts for instances that are paid by the hour, and how
        // likely a spot one is taken away for the others
        // (https://docs.aws.amazon.com/autoscaling/ec2/userguide/allocation-strategies.html).
        let distribution = InstancesDistribution::builder()
            .on_demand_allocation_strategy("prioritized")
            .on_demand_base_capacity(number(mix.on_demand_base))
            .on_demand_percentage_above_base_capacity(number(100 - mix.spot_percent.min(100)))
            .spot_allocation_strategy("price-capacity-optimized");
        let policy = MixedInstancesPolicy::builder()
            .launch_template(template.build())
            .instances_distribution(distribution.build());
        Some(policy.build())
    }

    fn specification(&self) -> LaunchTemplateSpecification {
        LaunchTemplateSpecification::builder()
            .launch_template_id(&self.template)
            .version(&self.version)
            .build()
    }

    /// What a group that is there starts its instances from; none where that is no launch template.
    pub(super) fn read(
        alone: Option<LaunchTemplateSpecification>,
        policy: Option<MixedInstancesPolicy>,
    ) -> Option<Self> {
        let Some(policy) = policy else {
            return Self::of(alone?, None);
        };
        let template = policy.launch_template?;
        let overrides = template.overrides.unwrap_or_default();
        let distribution = policy.instances_distribution;
        let base = distribution.as_ref().and_then(|one| one.on_demand_base_capacity);
        let percent = distribution.and_then(|one| one.on_demand_percentage_above_base_capacity);
        let mix = Mix {
            types: overrides
                .into_iter()
                .filter_map(|one| one.instance_type)
                .collect(),
            on_demand_base: count(base),
            spot_percent: 100 - count(Some(percent.unwrap_or(100))).min(100),
        };
        Self::of(template.launch_template_specification?, Some(mix))
    }

    fn of(template: LaunchTemplateSpecification, mix: Option<Mix>) -> Option<Self> {
        Some(Self {
            template: template.launch_template_id?,
            version: template.version?,
            mix,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_group_launches_is_read_as_it_was_written() {
        let mix = |spot_percent| Mix {
            types: vec!["m6i.large".to_owned(), "m5.large".to_owned()],
            on_demand_base: 1,
            spot_percent,
        };
        for mix in [None, Some(mix(0)), Some(mix(70)), Some(mix(100))] {
            let launch = Launch {
                template: "lt-1".to_owned(),
                version: "3".to_owned(),
                mix,
            };
            assert_eq!(Launch::read(launch.alone(), launch.mixed()), Some(launch.clone()));
            assert_ne!(
                launch.alone().is_some(),
                launch.mixed().is_some(),
                "the API takes one of them"
            );
        }
        assert_eq!(Launch::read(None, None), None);
    }
}

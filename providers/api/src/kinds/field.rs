//! Fields of a kind, and what changing one costs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Kind, Resource};

/// One field of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in plans (camelCase).
    pub name: &'static str,
    /// What changing it costs.
    pub effect: Effect,
}

impl Field {
    pub(super) const fn new(name: &'static str, effect: Effect) -> Self {
        Self { name, effect }
    }
}

/// What changing a field costs, from nothing to everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The field is for whoever carries a change out; a difference in it is no difference.
    Ignored,
    /// It changes in place and nothing notices.
    InPlace,
    /// It changes in place, and components on the machine restart.
    Restart,
    /// It changes in place after the node has been drained.
    Drain,
    /// The resource has to be made anew.
    Replace,
    /// It cannot change while the cluster lives.
    Immutable,
}

/// One field that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Difference {
    /// The field.
    pub field: String,
    /// What it is now.
    pub from: Value,
    /// What it is to be.
    pub to: Value,
    /// What changing it costs.
    pub effect: Effect,
}

pub(super) fn differences(kind: Kind, there: &Resource, wanted: &Resource) -> Vec<Difference> {
    let (mut actual, mut desired) = (fields_of(there), fields_of(wanted));
    kind.info()
        .fields
        .iter()
        .filter(|field| field.effect != Effect::Ignored)
        .filter_map(|field| {
            let from = actual.remove(field.name).unwrap_or(Value::Null);
            let to = desired.remove(field.name).unwrap_or(Value::Null);
            let differs = from != to && !wanted.accepts(field.name, there);
            differs.then(|| Difference {
                field: field.name.to_owned(),
                from,
                to,
                effect: field.effect,
            })
        })
        .collect()
}

/// The fields of a resource, out of its JSON form `{ kind: { field: value } }`.
pub(super) fn fields_of(resource: &Resource) -> Map<String, Value> {
    match serde_json::to_value(resource) {
        Ok(Value::Object(mut tagged)) => match tagged.remove(resource.kind().name()) {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        },
        _ => Map::new(),
    }
}

impl Resource {
    /// The resource's fields by name, for showing.
    pub fn fields(&self) -> Map<String, Value> {
        fields_of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::fields_of;

    fn one_of_each() -> Vec<Resource> {
        vec![
            Network::sample().into(),
            Subnet::sample().into(),
            NatGateway::sample().into(),
            WayOut::sample().into(),
            Firewall::sample().into(),
            LoadBalancer::sample().into(),
            DnsRecord::sample().into(),
            Role::sample().into(),
            Volume::sample().into(),
            NetworkInterface::sample().into(),
            Machine::sample().into(),
            NodeBundle::sample().into(),
            EtcdMember::sample().into(),
            EtcdSnapshot::sample().into(),
            ControlPlane::sample().into(),
            VirtualAddress::sample().into(),
            LoadBalancerTarget::sample().into(),
            NodeGroup::sample().into(),
            GroupMachine::sample().into(),
            Node::sample().into(),
            Addon::sample().into(),
            Leftover::sample().into(),
        ]
    }

    #[test]
    fn the_field_table_of_every_kind_names_exactly_its_fields() {
        let samples = one_of_each();
        assert_eq!(
            samples.iter().map(Resource::kind).collect::<Vec<_>>(),
            kinds_in_order()
        );
        for sample in samples {
            let fields: Vec<String> = fields_of(&sample).into_iter().map(|(name, _)| name).collect();
            let table: Vec<&str> = sample
                .kind()
                .info()
                .fields
                .iter()
                .map(|field| field.name)
                .collect();
            assert_eq!(fields, table, "{}", sample.kind());
        }
    }

    fn kinds_in_order() -> Vec<Kind> {
        KINDS.iter().map(|info| info.kind).collect()
    }

    #[test]
    fn resources_survive_their_json_form() {
        for sample in one_of_each() {
            let text = serde_json::to_string(&sample).unwrap();
            assert_eq!(serde_json::from_str::<Resource>(&text).unwrap(), sample);
        }
    }

    #[test]
    fn a_difference_names_the_field_and_its_price() {
        let actual = Machine::sample();
        let desired = Machine {
            machine_type: Some("m6i.4xlarge".to_owned()),
            ..actual.clone()
        };
        let differences = Resource::from(actual).differences(&desired.into());
        let [difference] = differences.as_slice() else {
            panic!("{differences:?}")
        };
        assert_eq!(
            (difference.field.as_str(), difference.effect),
            ("machineType", Effect::Replace)
        );
    }

    #[test]
    fn ignored_fields_make_no_difference() {
        let actual = EtcdMember::sample();
        let desired = EtcdMember {
            start: MemberStart::Join,
            ..actual.clone()
        };
        assert!(actual.start != MemberStart::Join);
        assert!(Resource::from(actual).differences(&desired.into()).is_empty());
    }
}

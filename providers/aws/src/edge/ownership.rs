//! Whose a name in a zone is: a text beside it says so, since records have no tags.

use keelson_aws_calls::dns::{Record, RecordData, RecordType};
use keelson_provider_api::{ClusterIdentity, ResourceKey};

/// The label before a name, under which the text is.
const LABEL: &str = "_keelson.";

/// The name of the text about `name`.
pub(crate) fn text_name(name: &str) -> String {
    format!("{LABEL}{name}")
}

/// The name that the text under `text_name` is about; nothing where it is no name of such a text.
pub(super) fn name_of(text_name: &str) -> Option<&str> {
    text_name.strip_prefix(LABEL)
}

/// The text that says that `key` of `cluster` has its name. How long the name may be remembered is said by the text's own TTL: an
/// alias has none.
pub(super) fn record(cluster: &ClusterIdentity, key: &ResourceKey, ttl_seconds: u32) -> Record {
    let uid = cluster.uid.as_ref().map_or("", |uid| uid.as_str());
    let text = format!("cluster={uid} resource={key}");
    Record::texts(&text_name(key.name()), ttl_seconds, &[&text])
}

/// Whose a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NameOwner {
    /// Nobody has it.
    Nobody,
    /// This cluster has it, in this life.
    ThisCluster,
    /// Somebody else has it: what is known, for a person.
    Other(String),
}

/// What a zone says of one name.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    /// The A record, where it is one that keelson could have made.
    pub(super) address: Option<&'a Record>,
    /// What else holds the name: records of other types that say where it leads, or that a policy chooses between.
    pub(super) others: Vec<&'a Record>,
    /// The text about it.
    pub(super) text: Option<&'a Record>,
}

impl<'a> Said<'a> {
    /// What `records`, all of a zone, say of `name`.
    pub(super) fn of(name: &str, records: &'a [Record]) -> Self {
        let text_name = text_name(name);
        let mut said = Self::default();
        for record in records {
            match &record.record_type {
                RecordType::Txt if record.name == text_name => said.text = Some(record),
                _ if record.name != name => {}
                RecordType::A if record.set_identifier.is_none() => said.address = Some(record),
                RecordType::A | RecordType::Aaaa => said.others.push(record),
                RecordType::Other(other) if other == "CNAME" => said.others.push(record),
                RecordType::Txt | RecordType::Other(_) => {}
            }
        }
        said
    }

    /// Whose the name of `key` is. An alias without a text is of this cluster when it leads to one of its load balancers:
    /// `leads_to_ours` says so.
    pub(super) fn owner(
        &self,
        cluster: &ClusterIdentity,
        key: &ResourceKey,
        leads_to_ours: impl Fn(&Record) -> bool,
    ) -> NameOwner {
        if let Some(text) = self.text {
            let ours = record(cluster, key, 0);
            return if cluster.uid.is_some() && values(text) == values(&ours) {
                NameOwner::ThisCluster
            } else {
                let says = values(text).join(", ");
                NameOwner::Other(format!("the text at {} says `{says}`", text.name))
            };
        }
        match (self.address, self.others.first()) {
            (Some(address), None) if leads_to_ours(address) => NameOwner::ThisCluster,
            (None, None) => NameOwner::Nobody,
            _ => NameOwner::Other("there are records of the name that keelson has not made".to_owned()),
        }
    }
}

fn values(record: &Record) -> &[String] {
    match &record.data {
        RecordData::Values { values, .. } => values,
        RecordData::Alias { .. } => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use keelson_provider_api::{ClusterUid, Kind};

    use super::*;

    const NAME: &str = "api.foo.example.com";

    fn cluster(uid: Option<&str>) -> ClusterIdentity {
        ClusterIdentity {
            name: "foo".parse().unwrap(),
            uid: uid.map(ClusterUid::new),
        }
    }

    fn text(uid: &str) -> Record {
        record(&cluster(Some(uid)), &ResourceKey::new(Kind::DnsRecord, NAME), 60)
    }

    fn other(kind: &str) -> Record {
        Record {
            record_type: RecordType::Other(kind.to_owned()),
            ..Record::addresses(NAME, 60, &[])
        }
    }

    #[test]
    fn a_name_is_its_cluster_s_by_the_whole_text_or_by_where_it_leads() {
        let ours = Record::alias(NAME, "Z", "ours.elb");
        let theirs = Record::alias(NAME, "Z", "theirs.elb");
        let address = Record::addresses(NAME, 60, &[Ipv4Addr::LOCALHOST]);
        let weighted = Record {
            set_identifier: Some("a".to_owned()),
            ..ours.clone()
        };
        let elsewhere = Record::addresses("api.foo.example.com.example.com", 60, &[Ipv4Addr::LOCALHOST]);
        let strange = Record::texts(
            &text_name(NAME),
            60,
            &["cluster=one resource=dns-record/api.foo.example.co"],
        );
        let (nobody, mine, another) = ("nobody", "mine", "another");
        let cases = [
            (vec![], nobody),
            (
                vec![elsewhere, other("MX"), Record::texts(NAME, 60, &["x"])],
                nobody,
            ),
            (vec![ours.clone(), text("one")], mine),
            (vec![theirs.clone(), text("one")], mine),
            (vec![text("one")], mine),
            (vec![ours.clone()], mine),
            (vec![theirs], another),
            (vec![address], another),
            (vec![weighted], another),
            (vec![other("CNAME")], another),
            (vec![ours.clone(), text("two")], another),
            (vec![text("on")], another),
            (vec![ours, strange], another),
        ];
        let key = ResourceKey::new(Kind::DnsRecord, NAME);
        let leads_to_ours = |record: &Record| *record == Record::alias(NAME, "Z", "ours.elb");
        for (records, expected) in cases {
            let said = Said::of(NAME, &records);
            let found = match said.owner(&cluster(Some("one")), &key, leads_to_ours) {
                NameOwner::Nobody => nobody,
                NameOwner::ThisCluster => mine,
                NameOwner::Other(_) => another,
            };
            assert_eq!(found, expected, "{records:?}");
        }
    }

    #[test]
    fn before_its_first_apply_a_cluster_has_no_name() {
        let texts = [text("")];
        let key = ResourceKey::new(Kind::DnsRecord, NAME);
        let owner = Said::of(NAME, &texts).owner(&cluster(None), &key, |_| false);
        assert!(matches!(owner, NameOwner::Other(_)), "{owner:?}");
    }
}

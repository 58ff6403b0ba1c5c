//! Records.

use std::net::Ipv4Addr;

use aws_sdk_route53::types::{AliasTarget, ResourceRecord, ResourceRecordSet, RrType};

use crate::failure::{CallError, Called as _};
use crate::whole::every_page;

use super::names::{bare_id, plain};
use super::text::{quoted, unquoted};
use super::{Dns, incomplete};

const LIST: &str = "ListResourceRecordSets";
const CHANGE: &str = "ChangeResourceRecordSets";

/// The type of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Texts.
    Txt,
    /// Another one, as Route 53 calls it: keelson makes none.
    Other(String),
}

impl RecordType {
    pub(super) fn written(&self) -> RrType {
        match self {
            Self::A => RrType::A,
            Self::Aaaa => RrType::Aaaa,
            Self::Txt => RrType::Txt,
            Self::Other(other) => RrType::from(other.as_str()),
        }
    }

    fn read(found: &RrType) -> Self {
        match found {
            RrType::A => Self::A,
            RrType::Aaaa => Self::Aaaa,
            RrType::Txt => Self::Txt,
            other => Self::Other(other.as_str().to_owned()),
        }
    }
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordData {
    /// The addresses of a load balancer.
    Alias {
        /// The zone that the load balancer's name is in.
        zone: String,
        /// The load balancer's name.
        dns_name: String,
    },
    /// Values: texts without quotation marks for TXT, otherwise as Route 53 has them.
    Values {
        /// How long resolvers may keep them.
        ttl_seconds: u32,
        /// The values, in the order that Route 53 shows them.
        values: Vec<String>,
    },
}

/// All that a name says of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name, in lower case and without the dot at its end.
    pub name: String,
    /// Its type.
    pub record_type: RecordType,
    /// What tells it from others of the name and type, where a policy chooses between them: keelson makes none such.
    pub set_identifier: Option<String>,
    /// What it says.
    pub data: RecordData,
}

impl Record {
    /// An A record that is an alias of the load balancer `dns_name`, whose zone is `zone`.
    pub fn alias(name: &str, zone: &str, dns_name: &str) -> Self {
        let data = RecordData::Alias {
            zone: zone.to_owned(),
            dns_name: plain(dns_name),
        };
        Self::new(name, RecordType::A, data)
    }

    /// An A record with these addresses.
    pub fn addresses(name: &str, ttl_seconds: u32, addresses: &[Ipv4Addr]) -> Self {
        let values = addresses.iter().map(ToString::to_string).collect();
        Self::new(name, RecordType::A, RecordData::Values { ttl_seconds, values })
    }

    /// A TXT record with these texts, of any length up to 4000 bytes together.
    pub fn texts(name: &str, ttl_seconds: u32, texts: &[&str]) -> Self {
        let values = texts.iter().map(|&text| text.to_owned()).collect();
        Self::new(name, RecordType::Txt, RecordData::Values { ttl_seconds, values })
    }

    fn new(name: &str, record_type: RecordType, data: RecordData) -> Self {
        Self {
            name: plain(name),
            record_type,
            set_identifier: None,
            data,
        }
    }

    /// True when the other is what a change of this one is about.
    pub(super) fn has_key_of(&self, other: &Self) -> bool {
        self.name == other.name
            && self.record_type == other.record_type
            && self.set_identifier == other.set_identifier
    }

    pub(super) fn written(&self) -> Result<ResourceRecordSet, CallError> {
        let set = ResourceRecordSet::builder()
            .name(&self.name)
            .r#type(self.record_type.written())
            .set_set_identifier(self.set_identifier.clone());
        let set = match &self.data {
            RecordData::Alias { zone, dns_name } => set.alias_target(
                AliasTarget::builder()
                    .hosted_zone_id(zone)
                    .dns_name(dns_name)
                    // The load balancer leaves unhealthy targets out by itself, and a name that does not resolve helps nobody.
                    .evaluate_target_health(false)
                    .build()
                    .map_err(incomplete(CHANGE))?,
            ),
            RecordData::Values { ttl_seconds, values } => {
                let mut set = set.ttl((*ttl_seconds).into());
                for value in values {
                    let value = match self.record_type {
                        RecordType::Txt => quoted(value),
                        _ => value.clone(),
                    };
                    let one = ResourceRecord::builder().value(value).build();
                    set = set.resource_records(one.map_err(incomplete(CHANGE))?);
                }
                set
            }
        };
        set.build().map_err(incomplete(CHANGE))
    }

    pub(super) fn read(found: &ResourceRecordSet) -> Self {
        let record_type = RecordType::read(&found.r#type);
        let data = match &found.alias_target {
            Some(alias) => RecordData::Alias {
                zone: bare_id(&alias.hosted_zone_id),
                dns_name: plain(&alias.dns_name),
            },
            None => RecordData::Values {
                ttl_seconds: found.ttl.and_then(|ttl| ttl.try_into().ok()).unwrap_or_default(),
                values: found
                    .resource_records()
                    .iter()
                    .map(|one| match record_type {
                        // What cannot be read as a text is shown as it is: no text of keelson's looks so.
                        RecordType::Txt => unquoted(&one.value).unwrap_or_else(|| one.value.clone()),
                        _ => one.value.clone(),
                    })
                    .collect(),
            },
        };
        Self {
            name: plain(&found.name),
            record_type,
            set_identifier: found.set_identifier.clone(),
            data,
        }
    }
}

impl Dns {
    /// The record of this very name and type: one, or more where a policy chooses between them.
    ///
    /// # Errors
    ///
    /// When the zone is not there, or Route 53 cannot be asked.
    pub async fn record(
        &self,
        zone: &str,
        name: &str,
        record_type: &RecordType,
    ) -> Result<Vec<Record>, CallError> {
        let found = self.record_sets(zone, name, record_type).await?;
        Ok(found.iter().map(Record::read).collect())
    }

    /// The same as Route 53 has it.
    pub(super) async fn record_sets(
        &self,
        zone: &str,
        name: &str,
        record_type: &RecordType,
    ) -> Result<Vec<ResourceRecordSet>, CallError> {
        let name = &plain(name);
        let is_it =
            |set: &ResourceRecordSet| plain(&set.name) == *name && set.r#type == record_type.written();
        // Records are listed in an order, from a name and type on.
        let begin = (name.clone(), Some(record_type.written()), None);
        let mut all = self.sets_from(zone, Some(begin), &is_it).await?;
        all.retain(is_it);
        Ok(all)
    }

    /// All records of a zone, also those it cannot be without.
    ///
    /// # Errors
    ///
    /// When it is not there, has more than a list's bound, or Route 53 cannot be asked.
    pub async fn records(&self, zone: &str) -> Result<Vec<Record>, CallError> {
        let all = self.sets_from(zone, None, &|_| true).await?;
        Ok(all.iter().map(Record::read).collect())
    }

    /// All records from one on, as long as a page has nothing but what is looked for.
    async fn sets_from(
        &self,
        zone: &str,
        begin: Option<Position>,
        is_looked_for: &impl Fn(&ResourceRecordSet) -> bool,
    ) -> Result<Vec<ResourceRecordSet>, CallError> {
        let begin = &begin;
        every_page(LIST, |from: Option<Position>| async move {
            let mut call = self
                .clients
                .patient
                .list_resource_record_sets()
                .hosted_zone_id(zone);
            if let Some((name, record_type, set_identifier)) = from.or_else(|| begin.clone()) {
                call = call
                    .start_record_name(name)
                    .set_start_record_type(record_type)
                    .set_start_record_identifier(set_identifier);
            }
            let answer = call.send().await.called(LIST)?;
            let goes_on = answer.is_truncated && answer.resource_record_sets.iter().all(is_looked_for);
            let next = answer.next_record_name.filter(|_| goes_on);
            Ok((
                answer.resource_record_sets,
                next.map(|name| (name, answer.next_record_type, answer.next_record_identifier)),
            ))
        })
        .await
    }
}

/// Where a page of records begins: name, type, set identifier.
type Position = (String, Option<RrType>, Option<String>);

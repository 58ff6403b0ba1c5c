//! The zone that the names of a cluster are in.

use keelson_aws_calls::dns::Dns;
use keelson_provider_api::{ErrorClass, ProviderError};

/// The zone that the names of a cluster are in. It is used, and never made, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EdgeZone {
    /// The public zone of this very name, also where there are private ones of it.
    Public(String),
}

impl EdgeZone {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Public(name) => name,
        }
    }

    /// What Route 53 calls it; nothing where it is not there.
    pub(super) async fn id(&self, dns: &Dns) -> Result<Option<String>, ProviderError> {
        let Self::Public(name) = self;
        let zones = dns.public_zones(name).await;
        let zones = zones.map_err(|error| error.told("look for the DNS zone"))?;
        match zones.as_slice() {
            [] => Ok(None),
            [zone] => Ok(Some(zone.id.clone())),
            several => {
                let ids: Vec<&str> = several.iter().map(|zone| zone.id.as_str()).collect();
                let problem = format!("there are several public zones `{name}`: {}", ids.join(", "));
                let error = ProviderError::new(ErrorClass::Permanent, problem);
                Err(error.with_help("leave the one that the domain's registrar names, and delete the others"))
            }
        }
    }
}

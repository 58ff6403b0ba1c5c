//! Who asks AWS, where nobody has named a key.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future;
use aws_sdk_s3::config::{
    Credentials, IdentityCache, ProvideCredentials, Region, SharedCredentialsProvider, SharedIdentityCache,
};
use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;
use tokio::sync::OnceCell;

use crate::s3::{AccessKey, default_http_client};

/// Longer nobody waits for credentials: a program that a profile names may ask a person for a code.
const LIMIT: Duration = Duration::from_secs(60);
/// The SDK's own limit only guards against this one.
const LOAD_LIMIT: Duration = Duration::from_secs(75);

/// Who asks AWS, and in which region, where nothing else says so. Clones share what was found out; by default it is nobody.
///
/// Nothing is read, and nobody is asked, before the first request is to be signed.
#[derive(Debug, Clone, Default)]
pub struct AwsAccess(Option<Arc<Access>>);

#[derive(Debug)]
struct Access {
    provider: SharedCredentialsProvider,
    /// One for all clients, so that whoever has to be asked is asked once.
    cache: SharedIdentityCache,
    region: WhichRegion,
    /// Where roles are taken on when the environment names no region.
    fallback: Arc<OnceLock<String>>,
    key_id: Arc<Mutex<Option<String>>>,
}

#[derive(Debug)]
enum WhichRegion {
    OfEnvironment,
    Given(Option<String>),
}

impl AwsAccess {
    /// Whoever the environment of this program says, as for all programs of AWS, in this order: variables
    /// (`AWS_ACCESS_KEY_ID`…), the profile in `~/.aws` that `AWS_PROFILE` names (keys, roles, programs, a sign-in by
    /// `aws sso login`), the token that Kubernetes gives a pod, the role of a container, that of a machine.
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>
    pub fn from_environment() -> Self {
        let fallback = Arc::new(OnceLock::new());
        let chain = Chain {
            fallback: fallback.clone(),
            built: OnceCell::new(),
        };
        Self::new(
            SharedCredentialsProvider::new(chain),
            WhichRegion::OfEnvironment,
            fallback,
        )
    }

    /// Whoever `provider` says; `region` where a spec says none.
    pub fn of_provider(provider: SharedCredentialsProvider, region: Option<String>) -> Self {
        Self::new(provider, WhichRegion::Given(region), Arc::default())
    }

    /// Whoever has this key; `region` where a spec says none.
    pub fn of_key(key: &AccessKey, region: Option<String>) -> Self {
        Self::of_provider(SharedCredentialsProvider::new(key.credentials()), region)
    }

    fn new(
        provider: SharedCredentialsProvider,
        region: WhichRegion,
        fallback: Arc<OnceLock<String>>,
    ) -> Self {
        let key_id = Arc::default();
        let asked = InTime {
            provider,
            key_id: Arc::clone(&key_id),
        };
        Self(Some(Arc::new(Access {
            provider: SharedCredentialsProvider::new(asked),
            cache: IdentityCache::lazy().load_timeout(LOAD_LIMIT).build(),
            region,
            fallback,
            key_id,
        })))
    }

    /// The region that holds where a spec says none: for the environment `AWS_REGION`, `AWS_DEFAULT_REGION` or that of the
    /// profile. The machine itself is not asked where it is.
    pub async fn region(&self) -> Option<String> {
        match &self.0.as_ref()?.region {
            WhichRegion::Given(region) => region.clone(),
            WhichRegion::OfEnvironment => {
                let region = of_environment().region().await;
                region.map(|region| region.as_ref().to_owned())
            }
        }
        .filter(|region| !region.is_empty())
    }

    /// True where nobody asks.
    pub(crate) fn is_nobody(&self) -> bool {
        self.0.is_none()
    }

    /// Who asks, and the memory of what they said; `region` is the bucket's. Nothing where it is nobody.
    pub(crate) fn provider(&self, region: &str) -> Option<(SharedCredentialsProvider, SharedIdentityCache)> {
        let access = self.0.as_ref()?;
        // The first bucket's is as good as the next one's.
        access.fallback.get_or_init(|| region.to_owned());
        Some((access.provider.clone(), access.cache.clone()))
    }

    /// The name of the key that was used last.
    pub(crate) fn key_id(&self) -> Option<String> {
        let last = self.0.as_ref()?.key_id.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn of_environment() -> RegionProviderChain {
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
}

/// The SDK's own chain, which is made when it is first needed.
#[derive(Debug)]
struct Chain {
    fallback: Arc<OnceLock<String>>,
    built: OnceCell<DefaultCredentialsChain>,
}

impl Chain {
    async fn ask(&self) -> Result<Credentials, CredentialsError> {
        let built = self.built.get_or_try_init(|| async {
            let http = default_http_client().map_err(CredentialsError::invalid_configuration)?;
            let fallback = self.fallback.get().map(|region| Region::new(region.clone()));
            let chain = DefaultCredentialsChain::builder()
                .configure(ProviderConfig::default().with_http_client(http))
                .region(of_environment().or_else(fallback));
            Ok::<_, CredentialsError>(chain.build().await)
        });
        built.await?.provide_credentials().await
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.ask())
    }
}

/// Somebody who is not waited for longer than [`LIMIT`], and whose last key is remembered by its name.
#[derive(Debug)]
struct InTime {
    provider: SharedCredentialsProvider,
    key_id: Arc<Mutex<Option<String>>>,
}

impl InTime {
    async fn ask(&self) -> Result<Credentials, CredentialsError> {
        let found = tokio::select! {
            found = self.provider.provide_credentials() => found?,
            () = SystemClock.sleep(LIMIT) => return Err(CredentialsError::provider_timed_out(LIMIT)),
        };
        let mut key_id = self.key_id.lock().unwrap_or_else(PoisonError::into_inner);
        *key_id = Some(found.access_key_id().to_owned());
        Ok(found)
    }
}

impl ProvideCredentials for InTime {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.ask())
    }
}

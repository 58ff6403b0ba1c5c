//! Whom to call, in whose name, and how patiently.

use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::identity::SharedIdentityCache;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::account::Account;
use crate::dns::Dns;
use crate::ec2::Ec2;
use crate::elb::Elb;
use crate::iam::Iam;
use crate::scaling::Scaling;

/// A server that is there takes a connection in less, also one on another continent.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// One attempt takes no longer: what the APIs are slowest at answers in seconds.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(30);
/// All attempts of a call together, with the pauses between them.
const CALL_LIMIT: Duration = Duration::from_secs(120);
/// How often a call is sent at most: an API that throttles a third of all calls refuses one in 20,000 so often.
const ATTEMPTS: u32 = 9;
const FIRST_BACKOFF: Duration = Duration::from_millis(300);
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);

/// Whom to call, and in whose name.
#[derive(Debug, Clone)]
pub struct CallSettings {
    /// The region, for example `eu-west-1`.
    pub region: String,
    /// A server that stands for all of AWS; without it, each service's own in the region.
    pub endpoint: Option<String>,
    /// In whose name.
    pub credentials: SharedCredentialsProvider,
    /// What remembers credentials between calls, for all clients together.
    pub identity_cache: Option<SharedIdentityCache>,
    /// What speaks HTTP, with the authorities that it trusts.
    pub http_client: SharedHttpClient,
    /// The first pause before a call is sent again; tests shorten it.
    pub first_backoff: Duration,
}

impl CallSettings {
    /// Settings for `region` in the name of `credentials`, over `http_client`.
    pub fn new(
        region: impl Into<String>,
        credentials: SharedCredentialsProvider,
        http_client: SharedHttpClient,
    ) -> Self {
        Self {
            region: region.into(),
            endpoint: None,
            credentials,
            identity_cache: None,
            http_client,
            first_backoff: FIRST_BACKOFF,
        }
    }

    /// Throttling is answered by all calls of a client together: the SDK's adaptive mode sends fewer for a while.
    fn patient(&self) -> SdkConfig {
        self.config(
            RetryConfig::adaptive()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(self.first_backoff)
                .with_max_backoff(LONGEST_BACKOFF),
        )
    }

    fn once(&self) -> SdkConfig {
        self.config(RetryConfig::disabled())
    }

    fn config(&self, retries: RetryConfig) -> SdkConfig {
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.credentials.clone())
            .http_client(self.http_client.clone())
            .retry_config(retries)
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_LIMIT)
                    .read_timeout(ATTEMPT_LIMIT)
                    .operation_attempt_timeout(ATTEMPT_LIMIT)
                    .operation_timeout(CALL_LIMIT)
                    .build(),
            );
        config.set_endpoint_url(self.endpoint.clone());
        if let Some(cache) = &self.identity_cache {
            config = config.identity_cache(cache.clone());
        }
        config.build()
    }
}

/// A service's two clients.
#[derive(Debug, Clone)]
pub(crate) struct Clients<C> {
    /// For reading, and for writes that have the same effect twice: sends a call again when an answer passes.
    pub(crate) patient: C,
    /// For creates without a token: sends a call once.
    pub(crate) once: C,
}

impl<C> Clients<C> {
    fn new(settings: &CallSettings, client: impl Fn(&SdkConfig) -> C) -> Self {
        Self {
            patient: client(&settings.patient()),
            once: client(&settings.once()),
        }
    }
}

/// The services of one region in one account.
#[derive(Debug, Clone)]
pub struct AwsCalls {
    /// Networks, addresses, volumes, interfaces, instances, images, launch templates.
    pub ec2: Ec2,
    /// Network load balancers.
    pub elb: Elb,
    /// Zones and records.
    pub dns: Dns,
    /// Roles, profiles, policies.
    pub iam: Iam,
    /// Auto Scaling groups.
    pub scaling: Scaling,
    /// In whose name is called.
    pub account: Account,
}

impl AwsCalls {
    /// Clients for all services; nothing is sent yet.
    pub fn new(settings: &CallSettings) -> Self {
        Self {
            ec2: Ec2::new(Clients::new(settings, aws_sdk_ec2::Client::new)),
            elb: Elb::new(Clients::new(
                settings,
                aws_sdk_elasticloadbalancingv2::Client::new,
            )),
            dns: Dns::new(Clients::new(settings, aws_sdk_route53::Client::new)),
            iam: Iam::new(Clients::new(settings, aws_sdk_iam::Client::new)),
            scaling: Scaling::new(Clients::new(settings, aws_sdk_autoscaling::Client::new)),
            account: Account::new(Clients::new(settings, aws_sdk_sts::Client::new)),
        }
    }
}

//! One connection to an API server, kept and opened anew when it is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use keelson_provider_api::{
    API_SERVER_NAME, ApiPath, Clock, ClusterIdentity, ErrorClass, ProviderError, ReachApi,
};
use kube::api::{Api, PostParams};
use kube::config::AuthInfo;
use kube::{Client, Config};
use tokio::sync::Mutex;

use super::credentials::{ApiCredentials, CredentialSource, Standing};
use super::discovery::Discovered;
use super::trouble::{Trouble, TroubleKind};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may be silent. API servers end calls by themselves after 60 s (`--request-timeout`).
const SILENCE_TIMEOUT: Duration = Duration::from_secs(65);

/// A certificate that ends within this time is not used any more.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(1);

/// How long a founder's connection is used before it is asked again whether an administrator's would do.
const FOUNDER_TIME: SignedDuration = SignedDuration::from_secs(15);

/// A way to an API server, and who speaks on it.
pub(super) struct Connection {
    pub(super) client: Client,
    /// Which path a kind of object has, as far as it was asked for.
    pub(super) discovered: Mutex<BTreeMap<String, Vec<Discovered>>>,
    cluster: ClusterIdentity,
    good_until: Timestamp,
    is_lost: AtomicBool,
    /// Keeps the way open.
    path: ApiPath,
}

impl Connection {
    /// Notes that the connection is of no more use.
    pub(super) fn lose(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
    }

    /// Where the API server is, for messages.
    pub(super) fn place(&self) -> String {
        match &self.path.machine {
            Some(machine) => format!("the API server on {machine}"),
            None => "the API server".to_owned(),
        }
    }

    fn is_good(&self, cluster: &ClusterIdentity, now: Timestamp) -> bool {
        !self.is_lost.load(Ordering::Relaxed) && self.cluster == *cluster && now < self.good_until
    }
}

/// Opens connections and keeps one.
pub(super) struct Connections {
    reach: Arc<dyn ReachApi>,
    credentials: Arc<dyn CredentialSource>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Option<Arc<Connection>>>,
}

impl Connections {
    pub(super) fn new(
        reach: Arc<dyn ReachApi>,
        credentials: Arc<dyn CredentialSource>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            reach,
            credentials,
            clock,
            kept: Mutex::new(None),
        }
    }

    /// The connection that is kept, or a new one where it is lost or its certificate is about to end.
    ///
    /// # Errors
    /// When no API server answers, or no certificate can be issued.
    pub(super) async fn get(&self, cluster: &ClusterIdentity) -> Result<Arc<Connection>, ProviderError> {
        // Held while a connection is opened: others that come meanwhile want the same one.
        let mut kept = self.kept.lock().await;
        if let Some(connection) = kept.as_ref()
            && connection.is_good(cluster, self.clock.now())
        {
            return Ok(connection.clone());
        }
        *kept = None;
        let connection = Arc::new(self.open(cluster).await?);
        *kept = Some(connection.clone());
        Ok(connection)
    }

    /// Opens a connection as an administrator, and as a founder where administrators have no rights: their binding is
    /// the first thing that is applied to a new cluster.
    async fn open(&self, cluster: &ClusterIdentity) -> Result<Connection, ProviderError> {
        let path = self.reach.reach(cluster).await?;
        let connection = self.speak(path, cluster, Standing::Administrator).await?;
        match may_do_everything(&connection.client).await {
            Ok(true) => Ok(connection),
            Ok(false) => self.speak(connection.path, cluster, Standing::Founder).await,
            Err(trouble) => Err(trouble.into_error(&format!("ask {}", connection.place()))),
        }
    }

    async fn speak(
        &self,
        path: ApiPath,
        cluster: &ClusterIdentity,
        standing: Standing,
    ) -> Result<Connection, ProviderError> {
        let credentials = self.credentials.issue(cluster, standing).await?;
        let until = credentials.not_after.saturating_sub(RENEW_BEFORE);
        let until = until.unwrap_or(credentials.not_after);
        Ok(Connection {
            client: client(&path, &credentials)?,
            discovered: Mutex::new(BTreeMap::new()),
            cluster: cluster.clone(),
            good_until: match standing {
                Standing::Administrator => until,
                Standing::Founder => {
                    let soon = self.clock.now().saturating_add(FOUNDER_TIME);
                    soon.map_or(until, |soon| soon.min(until))
                }
            },
            is_lost: AtomicBool::new(false),
            path,
        })
    }

    /// True when a control plane of this cluster has ever been made.
    pub(super) async fn has_control_plane(&self, cluster: &ClusterIdentity) -> Result<bool, ProviderError> {
        self.reach.has_control_plane(cluster).await
    }
}

fn client(path: &ApiPath, credentials: &ApiCredentials) -> Result<Client, ProviderError> {
    let unusable = |problem: String| {
        let message = format!("cannot speak to the API server at {}: {problem}", path.address);
        ProviderError::new(ErrorClass::Permanent, message)
    };
    let url = format!("https://{}", path.address);
    let mut config = Config::new(url.parse().map_err(|_| unusable(format!("{url} is no URL")))?);
    let authorities = pem::parse_many(&credentials.authority_pem)
        .map_err(|problem| unusable(format!("its authority's certificate cannot be read: {problem}")))?;
    config.root_cert = Some(authorities.into_iter().map(pem::Pem::into_contents).collect());
    config.tls_server_name = Some(API_SERVER_NAME.to_owned());
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(SILENCE_TIMEOUT);
    config.write_timeout = Some(SILENCE_TIMEOUT);
    config.reset_reader_on_write = true;
    // Who waits and tries again is the step that asked, by its own clock.
    config.default_retry = false;
    config.auth_info = AuthInfo {
        client_certificate_data: Some(BASE64_STANDARD.encode(&credentials.certificate_pem)),
        client_key_data: Some(BASE64_STANDARD.encode(credentials.key_pem.expose()).into()),
        ..AuthInfo::default()
    };
    Client::try_from(config).map_err(|problem| unusable(problem.to_string()))
}

/// True when the user on this connection has an administrator's rights.
async fn may_do_everything(client: &Client) -> Result<bool, Trouble> {
    let everything = || Some("*".to_owned());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: everything(),
                resource: everything(),
                verb: everything(),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    match reviews
        .create(&PostParams::default(), &review)
        .await
        .map_err(Trouble::from)
    {
        Ok(review) => Ok(review.status.is_some_and(|status| status.allowed)),
        // Not even this question is allowed before the API server has written its own bindings.
        Err(trouble) if trouble.kind == TroubleKind::Forbidden => Ok(false),
        Err(trouble) => Err(trouble),
    }
}

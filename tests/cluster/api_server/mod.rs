//! A Kubernetes API server in memory: TLS with certificates of the cluster's authority, discovery, server-side apply,
//! eviction with budgets, and faults.

mod http;
mod kinds;
mod merge;
mod requests;
mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use keelson::pki::{Authority, AuthorityName, Requirement, SubjectName, Terms, Usage, issue};
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::{API_SERVER_NAME, Clock as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

pub(crate) use http::Request;
use http::failure;
pub(crate) use world::{Stage, World};

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ends before anything has happened.
    DropBefore,
    /// It has its effect, and the connection ends before the answer.
    DropAfter,
    /// There are too many.
    Throttle,
    /// The server fails.
    Internal,
}

/// Decides by number, from 0, and by what it is, what goes wrong with a request.
pub(crate) type Faults = Box<dyn Fn(usize, &Request) -> Option<Fault> + Send>;

/// A Kubernetes API server in memory.
pub(crate) struct ApiServer {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Authority,
    state: Mutex<State>,
}

struct State {
    world: World,
    faults: Faults,
    requests: Vec<String>,
    connections: usize,
}

impl ApiServer {
    /// A server on a port of its own; it ends with the runtime.
    pub(crate) async fn start() -> Arc<Self> {
        let authority =
            Authority::create(AuthorityName::Kubernetes, Terms::AUTHORITY, SystemClock.now()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            state: Mutex::new(State {
                world: World::new(),
                faults: Box::new(|_, _| None),
                requests: Vec::new(),
                connections: 0,
            }),
            authority,
        });
        let acceptor = TlsAcceptor::from(Arc::new(server_config(&server.authority)));
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (serving, acceptor) = (serving.clone(), acceptor.clone());
                tokio::spawn(async move { Box::pin(serving.serve(stream, &acceptor)).await });
            }
        });
        server
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Does something with the objects.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        work(&mut self.state().world)
    }

    /// From here on, requests count from 0 and go wrong as `faults` say.
    pub(crate) fn fail(&self, faults: impl Fn(usize, &Request) -> Option<Fault> + Send + 'static) {
        let mut state = self.state();
        state.faults = Box::new(faults);
        state.requests.clear();
    }

    /// From here on everything goes well.
    pub(crate) fn mend(&self) {
        self.fail(|_, _| None);
    }

    /// `METHOD PATH` of every request since the last [`fail`](Self::fail).
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.state().connections
    }

    async fn serve(&self, stream: TcpStream, acceptor: &TlsAcceptor) {
        let Ok(mut stream) = acceptor.accept(stream).await else {
            return;
        };
        self.state().connections += 1;
        let groups = groups(stream.get_ref().1.peer_certificates());
        while let Some(request) = http::read(&mut stream, &groups).await {
            let fault = {
                let mut state = self.state();
                let number = state.requests.len();
                let fault = (state.faults)(number, &request);
                state
                    .requests
                    .push(format!("{} {}", request.method, request.path));
                fault
            };
            let answer = match fault {
                Some(Fault::DropBefore) => return,
                Some(Fault::Throttle) => failure(
                    429,
                    "TooManyRequests",
                    "the server has received too many requests",
                ),
                Some(Fault::Internal) => failure(500, "InternalError", "etcdserver: leader changed"),
                Some(Fault::DropAfter) => {
                    requests::answer(&mut self.state().world, &request);
                    return;
                }
                None => requests::answer(&mut self.state().world, &request),
            };
            let date = self.state().world.date.clone();
            if !http::write(&mut stream, &answer, date.as_deref()).await {
                return;
            }
        }
    }
}

fn server_config(authority: &Authority) -> ServerConfig {
    let terms = Terms::CERTIFICATE;
    let mut requirement = Requirement::user("kube-apiserver", &[], terms);
    requirement.usages = [Usage::Server].into();
    requirement.names = [SubjectName::Dns(API_SERVER_NAME.to_owned())].into();
    let issued = issue(&requirement, authority, SystemClock.now()).unwrap();
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(issued.certificate_pem.as_bytes())
            .map(Result::unwrap)
            .collect();
    let key = PrivateKeyDer::from_pem_slice(issued.key_pem.expose().as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.trust_pem().as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(certificates, key)
        .unwrap()
}

/// The groups in a client's certificate: its organizations.
fn groups(certificates: Option<&[CertificateDer<'_>]>) -> Vec<String> {
    let Some(first) = certificates.and_then(<[_]>::first) else {
        return Vec::new();
    };
    let (_, certificate) = x509_parser::parse_x509_certificate(first).unwrap();
    let organizations = certificate.subject().iter_organization();
    organizations
        .map(|one| one.as_str().unwrap().to_owned())
        .collect()
}

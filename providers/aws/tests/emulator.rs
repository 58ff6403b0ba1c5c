//! An emulator of S3, and a bucket in it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::values::Secret;
use keelson_provider_aws::{AccessKey, S3Credentials, S3Settings, S3Store};
use keelson_test_hosts::Moto;

use crate::proxy::Proxy;

/// The bucket that every emulator has.
pub(crate) const BUCKET: &str = "clusters";
pub(crate) const ACCESS_KEY: &str = "AKIAKEELSON";
/// With all that has to be quoted somewhere.
pub(crate) const SECRET: &str = "s3cr3t/+=%'$x";

/// moto, and before it the proxy that tests talk to.
pub(crate) struct Emulator {
    moto: Moto,
    pub(crate) proxy: Proxy,
}

impl Emulator {
    /// Starts one; none, after saying so, where there is no moto on this machine.
    pub(crate) fn start_or_skip(test: &str) -> Option<Self> {
        Self::start(test, &[])
    }

    /// The same, with TLS: files with a certificate and its key. The proxy does not get through to it.
    pub(crate) fn start_with_tls(test: &str, certificate: &Path, key: &Path) -> Option<Self> {
        Self::start(test, &[certificate, key])
    }

    fn start(test: &str, files: &[&Path]) -> Option<Self> {
        let moto = Moto::start_or_skip(test, Ipv4Addr::LOCALHOST.into(), BUCKET, files).unwrap()?;
        Some(Self {
            proxy: Proxy::new(moto.address),
            moto,
        })
    }

    /// Where moto itself listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.moto.address
    }

    /// What it takes to get at the objects below `prefix`.
    pub(crate) fn settings(&self, prefix: &str) -> S3Settings {
        settings(&self.proxy.url(), prefix)
    }

    /// How many uploads nobody has ended.
    pub(crate) fn uploads(&self) -> usize {
        ask(self.address(), "?uploads").matches("<UploadId>").count()
    }

    /// The objects below `prefix`.
    pub(crate) fn store(&self, prefix: &str) -> S3Store {
        store(&self.settings(prefix))
    }
}

pub(crate) fn settings(endpoint: &str, prefix: &str) -> S3Settings {
    S3Settings {
        bucket: BUCKET.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        region: "us-east-1".to_owned(),
        path_style: true,
        credentials: S3Credentials::Key(key()),
        authorities: None,
        answer_limit: Duration::from_secs(20),
        data_limit: Duration::from_secs(200),
    }
}

/// The key that opens every emulator.
pub(crate) fn key() -> AccessKey {
    AccessKey {
        access_key_id: ACCESS_KEY.to_owned(),
        secret_access_key: Secret::new(SECRET.to_owned()),
        session_token: None,
    }
}

/// The key in `settings`.
pub(crate) fn key_in(settings: &mut S3Settings) -> &mut AccessKey {
    match &mut settings.credentials {
        S3Credentials::Key(key) => key,
        S3Credentials::Access(_) => panic!("there is no key in these settings"),
    }
}

pub(crate) fn store(settings: &S3Settings) -> S3Store {
    S3Store::new(settings, Arc::new(SystemClock)).unwrap()
}

/// Asks moto itself about the bucket, without a signature, and gives the whole answer.
fn ask(moto: SocketAddr, query: &str) -> String {
    let mut stream = TcpStream::connect(moto).unwrap();
    let head = "Host: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    write!(stream, "GET /{BUCKET}{query} HTTP/1.1\r\n{head}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

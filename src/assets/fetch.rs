//! Reading files over HTTP: bounded in time and size. A request is made again when that may help; a file whose transfer
//! breaks off is not: running the command again goes on with what is missing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use keelson_provider_api::{Clock, causes};
use reqwest::{Client, NoProxy, Response, StatusCode};

/// Checksum files are small.
const TEXT_LIMIT_BYTES: usize = 1 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a server may be silent.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Why a release file is not to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssetError {
    /// Nothing could be read over the network.
    #[error("cannot read {url}: {problem}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What went wrong.
        problem: String,
    },
    /// A file could not be read or written.
    #[error("cannot {verb} {}", path.display())]
    File {
        /// `read` or `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// There is a list of digests, and what is needed is not in it.
    #[error("{place} has no digest of {}", names.join(" or "))]
    NotListed {
        /// The list.
        place: String,
        /// The files that it might have had.
        names: Vec<String>,
    },
    /// A file is not what its digest says.
    #[error("{place} is damaged: its SHA-256 is not {expected}")]
    Damaged {
        /// The file.
        place: String,
        /// What it should be, in hexadecimal digits.
        expected: String,
    },
    /// There is no client for HTTP: a defect, or a system without trusted authorities.
    #[error("cannot use HTTP: {0}")]
    Client(String),
}

/// Reads files over HTTP.
#[derive(Clone)]
pub struct Fetcher {
    client: Client,
    clock: Arc<dyn Clock>,
}

impl Fetcher {
    /// A fetcher that goes through `proxy`, and through no other; but not to the hosts `no_proxy` and what is below them.
    ///
    /// # Errors
    /// [`AssetError::Client`] when `proxy` is no URL, or the system has no trusted authorities.
    pub fn new(proxy: Option<&str>, no_proxy: &[String], clock: Arc<dyn Clock>) -> Result<Self, AssetError> {
        let mut builder = Client::builder()
            // The environment is the command's to read, not the library's.
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(concat!("keelson/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = proxy {
            let proxy = reqwest::Proxy::all(proxy).map_err(|problem| AssetError::Client(reason(&problem)))?;
            builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&no_proxy.join(","))));
        }
        let client = builder
            .build()
            .map_err(|problem| AssetError::Client(reason(&problem)))?;
        Ok(Self { client, clock })
    }

    /// The text at `url`; `None` when the server says that there is none.
    ///
    /// # Errors
    /// [`AssetError::Unreachable`], also for a text of more than a mebibyte.
    pub async fn text(&self, url: &str) -> Result<Option<String>, AssetError> {
        let bytes = self.bytes(url, TEXT_LIMIT_BYTES).await?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// What is at `url`; `None` when the server says that there is nothing.
    ///
    /// # Errors
    /// [`AssetError::Unreachable`], also for more than `limit_bytes`.
    pub async fn bytes(&self, url: &str, limit_bytes: usize) -> Result<Option<Vec<u8>>, AssetError> {
        let Some(response) = self.get(url).await? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|problem| unreachable(url, reason(&problem)))?;
            if bytes.len() + chunk.len() > limit_bytes {
                return Err(unreachable(url, format!("it is larger than {limit_bytes} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(bytes))
    }

    /// The answer for `url`; `None` when the server says that there is none.
    pub(super) async fn get(&self, url: &str) -> Result<Option<Response>, AssetError> {
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            let problem = match self.client.get(url).send().await {
                Ok(response) => match response.status() {
                    status if status.is_success() => return Ok(Some(response)),
                    StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
                    status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                        format!("the server answers {status}")
                    }
                    status => return Err(unreachable(url, format!("the server answers {status}"))),
                },
                Err(problem) => reason(&problem),
            };
            if attempt == ATTEMPTS {
                return Err(unreachable(url, problem));
            }
            attempt += 1;
            self.clock.sleep(wait).await;
            wait *= 2;
        }
    }
}

pub(super) fn unreachable(url: &str, problem: impl Into<String>) -> AssetError {
    AssetError::Unreachable {
        url: url.to_owned(),
        problem: problem.into(),
    }
}

/// The innermost cause: what reqwest says around it names the URL once more.
pub(super) fn reason(problem: &reqwest::Error) -> String {
    causes(problem)
        .last()
        .map_or_else(|| problem.to_string(), ToString::to_string)
}

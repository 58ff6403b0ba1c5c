//! Reading a snapshot that lies on a machine, over connections that are lost on the way.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::{BoxFuture, BulkReader, Clock, ProviderError, StoreError};
use tokio::sync::mpsc::{self, Receiver};

use super::ONE;
use crate::exit_status;
use crate::fence;
use crate::shell::{HostError, HostErrorKind, Job, Output, Shell};

/// How long reading may take, whoever is slow: 8 GiB at 2.3 MiB a second.
const LIMIT: Duration = Duration::from_secs(3600);
/// So often it is read on after a connection was lost.
const RESUMPTIONS_LIMIT: u32 = 10;
/// The pause after the first loss in a row; each one after it is twice as long. Together they are longer than a machine takes to
/// boot.
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_LIMIT: Duration = Duration::from_secs(30);

/// A snapshot that is being read. What is in memory of it are two pieces.
pub(super) struct HostReader {
    shell: Arc<dyn Shell>,
    clock: Arc<dyn Clock>,
    path: String,
    location: String,
    size_bytes: u64,
    passed_bytes: u64,
    resumptions: u32,
    pause: Duration,
    flow: Option<Flow>,
}

/// What comes over one connection.
struct Flow {
    pieces: Receiver<Vec<u8>>,
    work: BoxFuture<'static, Result<Output, HostError>>,
    ended: Option<Result<Output, HostError>>,
}

impl HostReader {
    /// Reads the object at `path`, which has `size_bytes`. `location` says where it lies.
    pub(super) fn new(
        shell: Arc<dyn Shell>,
        clock: Arc<dyn Clock>,
        path: &str,
        location: String,
        size_bytes: u64,
    ) -> Self {
        Self {
            shell,
            clock,
            path: path.to_owned(),
            location,
            size_bytes,
            passed_bytes: 0,
            resumptions: 0,
            pause: PAUSE,
            flow: None,
        }
    }

    fn begin(&self) -> Flow {
        let (sender, pieces) = mpsc::channel(1);
        let shell = Arc::clone(&self.shell);
        let arguments = vec![
            "stream".to_owned(),
            self.path.clone(),
            self.size_bytes.to_string(),
            self.passed_bytes.to_string(),
        ];
        let work = Box::pin(async move {
            let job = Job {
                name: "read a snapshot",
                script: ONE,
                arguments,
                input: Vec::new(),
                timeout: LIMIT,
            };
            shell.stream(&job, sender).await
        });
        Flow {
            pieces,
            work,
            ended: None,
        }
    }

    /// What it means that a connection has `ended`: nothing where all has come, an error, or that it is read on.
    async fn judge(&mut self, ended: Result<Output, HostError>) -> Result<Option<()>, StoreError> {
        let error: ProviderError = match ended {
            Ok(output) if output.status == 0 => return Ok(None),
            Ok(output) if matches!(output.status, exit_status::NOT_THERE | exit_status::OTHER_SIZE) => {
                let problem = match output.status {
                    exit_status::NOT_THERE => "it is not there any more",
                    _ => output.stderr.trim(),
                };
                return Err(StoreError::Damaged {
                    path: self.path.clone(),
                    location: self.location.clone(),
                    problem: problem.to_owned(),
                });
            }
            Ok(output) => fence::failure(self.shell.host(), "read a snapshot", &output),
            Err(error) => {
                let passes = matches!(error.kind, HostErrorKind::Lost | HostErrorKind::Unreachable);
                if passes && self.resumptions < RESUMPTIONS_LIMIT {
                    self.resumptions += 1;
                    self.clock.sleep(self.pause).await;
                    self.pause = self.pause.saturating_mul(2).min(PAUSE_LIMIT);
                    return Ok(Some(()));
                }
                error.into()
            }
        };
        Err(StoreError::Unavailable {
            verb: "read",
            path: self.path.clone(),
            location: self.location.clone(),
            source: error.into(),
        })
    }
}

impl Flow {
    /// The next piece, or how it ended.
    async fn next(&mut self) -> Result<Vec<u8>, Result<Output, HostError>> {
        let ended = if let Some(ended) = self.ended.take() {
            ended
        } else {
            tokio::select! {
                biased;
                piece = self.pieces.recv() => match piece {
                    Some(piece) => return Ok(piece),
                    None => (&mut self.work).await,
                },
                ended = &mut self.work => ended,
            }
        };
        // What came before the end may still be on its way here.
        match self.pieces.recv().await {
            Some(piece) => {
                self.ended = Some(ended);
                Ok(piece)
            }
            None => Err(ended),
        }
    }
}

#[async_trait]
impl BulkReader for HostReader {
    async fn read(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        loop {
            let mut flow = match self.flow.take() {
                Some(flow) => flow,
                None => self.begin(),
            };
            match flow.next().await {
                Ok(piece) => {
                    self.flow = Some(flow);
                    self.passed_bytes = self.passed_bytes.saturating_add(piece.len() as u64);
                    self.pause = PAUSE;
                    return Ok(Some(piece));
                }
                Err(ended) => {
                    if self.judge(ended).await?.is_none() {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

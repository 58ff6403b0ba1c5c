//! Ports of a host, forwarded to this machine over the connection that stands.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use openssh::ForwardType;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Mutex;

use super::master::Master;
use keelson_provider_api::{Clock, with_causes};

/// Another process may take a port between two lines of ours.
const ATTEMPTS: u32 = 8;
/// A sshd that forwards nothing hangs up at once; a server that speaks TLS waits for the first word.
const REFUSAL_LIMIT: Duration = Duration::from_millis(150);

/// The ports that are forwarded already, and where: each once for as long as the connection stands.
#[derive(Default)]
pub(super) struct Forwards(Mutex<BTreeMap<u16, SocketAddr>>);

/// What keeps a forwarded port open: the connection, and a client of it, without which ssh would end when nobody uses it
/// for a while.
struct Guard {
    _client: UnixStream,
    _master: Arc<Master>,
}

/// Forwards a port of this machine to `port` on the host's own loopback.
///
/// # Errors
/// What ssh says, or the system.
pub(super) async fn forward(
    master: &Arc<Master>,
    clock: &dyn Clock,
    port: u16,
) -> Result<crate::shell::Forward, String> {
    let client = UnixStream::connect(master.session.control_socket())
        .await
        .map_err(|cause| cause.to_string())?;
    let guard = Guard {
        _client: client,
        _master: Arc::clone(master),
    };
    let mut forwards = master.forwards.0.lock().await;
    if let Some(address) = forwards.get(&port) {
        return Ok(crate::shell::Forward::new(*address, guard));
    }
    let address = open(master, port).await?;
    if is_refused(address, clock).await {
        let words = master.last_words().unwrap_or_default();
        return Err(format!("its sshd forwards no ports: {words}"));
    }
    forwards.insert(port, address);
    Ok(crate::shell::Forward::new(address, guard))
}

async fn open(master: &Master, port: u16) -> Result<SocketAddr, String> {
    let mut problem = String::new();
    for _ in 0..ATTEMPTS {
        let here = free_port().await.map_err(|cause| cause.to_string())?;
        let there = (Ipv4Addr::LOCALHOST, port);
        let asked = master
            .session
            .request_port_forward(ForwardType::Local, here, there)
            .await;
        match asked {
            Ok(()) => return Ok(here),
            Err(cause) => problem = with_causes(&cause),
        }
    }
    Err(problem)
}

async fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()
}

/// True when whoever connects is hung up on at once. Where nothing listens on the host that is so as well, but who asks
/// has seen it answer.
async fn is_refused(address: SocketAddr, clock: &dyn Clock) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return true;
    };
    let mut word = [0];
    tokio::select! {
        read = stream.read(&mut word) => match read {
            Ok(count) => count == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        },
        () = clock.sleep(REFUSAL_LIMIT) => false,
    }
}

//! The name server of instances, in this process, at the machine's own address in the lab's network, which the resolvers of all
//! hosts name.
//!
//! It answers by what the emulator has at that moment: `scripts/aws/names.py` says which names there are. It tells addresses of
//! IPv4 alone; what stands for another name is answered with the addresses of that one, as if they were its own.

mod wire;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::worker::Worker;
use crate::{LabError, moto};
use wire::{Code, MESSAGE_LIMIT_BYTES};

const PORT: u16 = 53;
/// So soon it notices that it is to end.
const TURN: Duration = Duration::from_millis(200);
/// For so long what the emulator told is used: a resolver asks for both kinds of addresses at once.
const FRESH_LIMIT: Duration = Duration::from_millis(200);

/// Each name, in lower case and without the dot at its end, with its addresses.
type Names = BTreeMap<String, Vec<Ipv4Addr>>;

/// Answers until it is dropped.
#[derive(Debug)]
pub(super) struct NameServer {
    _worker: Worker,
}

impl NameServer {
    /// Answers at an address of this machine, by what the emulator at `emulator` has.
    pub(super) fn start(emulator: SocketAddr, address: Ipv4Addr) -> Result<Self, LabError> {
        let refused = |error| {
            LabError::refused(
                format!("failed to listen at {address}, UDP port {PORT}: {error}"),
                "end what listens there: ss --udp --listening --numeric --processes",
            )
        };
        let socket = UdpSocket::bind((address, PORT)).map_err(refused)?;
        socket.set_read_timeout(Some(TURN)).map_err(refused)?;
        let mut known = Known {
            emulator,
            names: Names::new(),
            since: None,
        };
        let worker = Worker::start(move || {
            serve(&socket, &mut known);
            ControlFlow::Continue(())
        });
        Ok(Self { _worker: worker })
    }
}

/// What the emulator has told.
struct Known {
    emulator: SocketAddr,
    names: Names,
    since: Option<Instant>,
}

impl Known {
    fn look(&mut self) -> Result<&Names, LabError> {
        if self.since.is_none_or(|since| since.elapsed() > FRESH_LIMIT) {
            self.names = moto::ask(self.emulator, "names")?;
            self.since = Some(Instant::now());
        }
        Ok(&self.names)
    }
}

/// Waits for one message, for a moment, and answers it.
fn serve(socket: &UdpSocket, known: &mut Known) {
    let mut message = [0; MESSAGE_LIMIT_BYTES];
    match socket.recv_from(&mut message) {
        Ok((length, asker)) => {
            let message = message.get(..length).unwrap_or_default();
            if let Some(answer) = answer(message, || known.look()) {
                // Who is gone needs none.
                socket.send_to(&answer, asker).ok();
            }
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
        Err(_) => std::thread::sleep(TURN),
    }
}

fn answer<'names>(message: &[u8], look: impl FnOnce() -> Result<&'names Names, LabError>) -> Option<Vec<u8>> {
    let question = match wire::read(message) {
        Ok(question) => question,
        Err(refusal) => return refusal,
    };
    // Why nothing is known is in the trouble of the watcher, which asks the same emulator.
    let Ok(names) = look() else {
        return Some(question.refuse(Code::ServerFailure));
    };
    let found = names.get(question.name());
    Some(found.map_or_else(
        || question.refuse(Code::NoSuchName),
        |addresses| question.answer(addresses),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_addresses_or_are_none() {
        let text = r#"{"api.example.org": ["10.90.0.11", "10.90.0.12"], "example.org": []}"#;
        let names: Names = serde_json::from_str(text).unwrap();
        // The code, and how many addresses; questions for A, AAAA and TXT.
        for (name, record_type, code, count) in [
            ("api.example.org", 1, 0, 2),
            ("API.Example.Org", 1, 0, 2),
            ("api.example.org", 28, 0, 0),
            ("api.example.org", 16, 0, 0),
            ("example.org", 1, 0, 0),
            ("pi.example.org", 1, 3, 0),
            ("a.api.example.org", 1, 3, 0),
            ("org", 1, 3, 0),
            ("", 1, 3, 0),
        ] {
            let message = wire::tests::question(name, record_type);
            let answer = answer(&message, || Ok(&names)).unwrap();
            assert_eq!(
                (answer[3] & 0x0f, answer[7]),
                (code, count),
                "{name} {record_type}"
            );
        }
    }

    #[test]
    fn without_the_emulator_it_fails() {
        let gone = || Err(LabError::refused("gone", "start it"));
        let message = wire::tests::question("api.example.org", 1);
        assert_eq!(answer(&message, gone).unwrap()[3] & 0x0f, 2);
        assert_eq!(answer(&message[..5], gone), None);
    }
}

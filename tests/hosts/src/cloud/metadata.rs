//! The metadata service of instances: EC2 user guide, "Use the Instance Metadata Service to access instance metadata".
//!
//! It is in this process, and listens at 169.254.169.254 in the namespace of the lab's switch, which hosts see and nothing else
//! does. Who asks is known by the address.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::instance::Instance;
use super::watcher::Shared;
use crate::LabError;
use crate::host::METADATA_ADDRESS;
use crate::listener::{Head, Listener};
use crate::namespace::Namespace;
use crate::record::Record;

const PORT: u16 = 80;
/// A token may be good for six hours at most.
const TOKEN_SECONDS_LIMIT: u64 = 6 * 60 * 60;
/// More than a test asks for; then the oldest are forgotten with all others.
const TOKENS_LIMIT: usize = 10_000;
const TOKEN_PATH: &str = "/latest/api/token";
const TOKEN: &str = "X-aws-ec2-metadata-token";
const TOKEN_SECONDS: &str = "X-aws-ec2-metadata-token-ttl-seconds";
const FORWARDED: &str = "X-Forwarded-For";

/// Answers until it is dropped.
#[derive(Debug)]
pub(super) struct Metadata {
    _listener: Listener,
}

/// A token's instance, and until when it is good.
type Tokens = Arc<Mutex<BTreeMap<String, (String, Instant)>>>;

/// The status, a field more, and what is sent.
type Answer = (u16, Option<String>, Vec<u8>);

impl Metadata {
    /// Answers the instances of a lab as the emulator tells of them.
    pub(super) fn start(record: &Record, shared: Arc<Shared>) -> Result<Self, LabError> {
        let namespace = Namespace::open(&record.path("switch"))?;
        let tokens = Tokens::default();
        let address = SocketAddr::from((METADATA_ADDRESS, PORT));
        let listener = Listener::inside(Some(namespace), address, move |stream| {
            // Whoever hangs up in the middle is not of interest here.
            serve(stream, &shared, &tokens).ok();
        })?;
        Ok(Self { _listener: listener })
    }
}

fn serve(stream: TcpStream, shared: &Shared, tokens: &Tokens) -> std::io::Result<()> {
    let IpAddr::V4(peer) = stream.peer_addr()?.ip() else {
        return Ok(());
    };
    let mut reader = BufReader::new(stream);
    let Some(head) = Head::read(&mut reader) else {
        return Ok(());
    };
    let mut stream = reader.into_inner();
    let instance = shared.lock().instances.get(&peer).cloned();
    // Nobody else is there on AWS.
    let Some(instance) = instance else {
        return Ok(());
    };
    let (status, field, body) = answer(&head, &instance, tokens)?;
    if head.method == "PUT" {
        // What is further away than that many hops never gets it, as on AWS.
        stream.set_ttl(instance.metadata_options.hop_limit)?;
    }
    let field = field.map(|field| format!("{field}\r\n")).unwrap_or_default();
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} x\r\nServer: EC2ws\r\nContent-Type: text/plain\r\n{field}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    if head.method != "HEAD" {
        stream.write_all(&body)?;
    }
    Ok(())
}

fn answer(head: &Head, instance: &Instance, tokens: &Tokens) -> std::io::Result<Answer> {
    let refused = |status| Ok((status, None, Vec::new()));
    if !instance.metadata_options.enabled {
        return refused(403);
    }
    match head.method.as_str() {
        "PUT" if head.target != TOKEN_PATH => refused(405),
        // A proxy that lets anybody through.
        "PUT" if head.field(FORWARDED).is_some() => refused(403),
        "PUT" => match head.field(TOKEN_SECONDS).and_then(|seconds| seconds.parse().ok()) {
            Some(seconds @ 1..=TOKEN_SECONDS_LIMIT) => {
                let token = make_token(instance, seconds, tokens)?;
                Ok((
                    200,
                    Some(format!("{TOKEN_SECONDS}: {seconds}")),
                    token.into_bytes(),
                ))
            }
            _ => refused(400),
        },
        "GET" | "HEAD" => {
            let may = head
                .field(TOKEN)
                .map_or(!instance.metadata_options.tokens_required, |token| {
                    is_good(token, instance, tokens)
                });
            if !may {
                return refused(401);
            }
            Ok(look_up(&head.target, instance)
                .map_or_else(|| (404, None, Vec::new()), |found| (200, None, found)))
        }
        _ => refused(405),
    }
}

fn make_token(instance: &Instance, seconds: u64, tokens: &Tokens) -> std::io::Result<String> {
    let mut bytes = [0; 28];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    let token = format!("{}==", digits.collect::<String>());
    let mut tokens = tokens.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    tokens.retain(|_, (_, until)| *until > now);
    if tokens.len() >= TOKENS_LIMIT {
        tokens.clear();
    }
    let until = now + Duration::from_secs(seconds);
    tokens.insert(token.clone(), (instance.id.clone(), until));
    Ok(token)
}

fn is_good(token: &str, instance: &Instance, tokens: &Tokens) -> bool {
    let tokens = tokens.lock().unwrap_or_else(PoisonError::into_inner);
    tokens
        .get(token)
        .is_some_and(|(id, until)| *id == instance.id && *until > Instant::now())
}

/// A file's content, or the names in a folder, each a line.
fn look_up(target: &str, instance: &Instance) -> Option<Vec<u8>> {
    let (version, path) = target
        .trim_start_matches('/')
        .split_once('/')
        .unwrap_or((target.trim_start_matches('/'), ""));
    if version.is_empty() {
        return Some(b"latest".to_vec());
    }
    // Each version has all that the latest one has.
    let is_version = |version: &str| {
        version == "latest"
            || (version.len() == 10 && version.chars().all(|one| one.is_ascii_digit() || one == '-'))
    };
    if !is_version(version) {
        return None;
    }
    let bytes = |text: &String| {
        text.chars()
            .filter_map(|one| u8::try_from(u32::from(one)).ok())
            .collect()
    };
    if let Some(text) = instance.metadata.get(path) {
        // All but user data is text, and of ASCII alone unless a tag is not.
        let whole = text.clone().into_bytes();
        return Some(if path == "user-data" { bytes(text) } else { whole });
    }
    let path = path.trim_end_matches('/');
    let folder = if path.is_empty() {
        String::new()
    } else {
        format!("{path}/")
    };
    let inside = instance
        .metadata
        .keys()
        .filter_map(|one| one.strip_prefix(&folder));
    let names: BTreeSet<_> = inside.map(first_part).collect();
    let names: Vec<_> = names.into_iter().collect();
    (!names.is_empty()).then(|| names.join("\n").into_bytes())
}

/// A folder's name ends with a slash.
fn first_part(path: &str) -> &str {
    path.find('/').map_or(path, |end| &path[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(options: &str) -> Instance {
        serde_json::from_str(&format!(
            r##"{{"id": "i-1", "state": "running", "private_address": "10.90.0.10", "mac": null, "volumes": [],
                 "credentials": null, "metadata_options": {options}, "metadata": {{
                 "meta-data/instance-id": "i-1", "meta-data/placement/region": "eu-central-1",
                 "meta-data/tags/instance/Name": "é", "user-data": "#!\u00ff"}}}}"##
        ))
        .unwrap()
    }

    fn head(request: &str) -> Head {
        let mut lines = request.lines().map(str::to_owned);
        let first = lines.next().unwrap();
        let (method, target) = first.split_once(' ').unwrap();
        Head {
            method: method.to_owned(),
            target: target.to_owned(),
            fields: lines.collect(),
        }
    }

    #[test]
    fn paths_are_files_folders_or_nothing() {
        let instance = instance(r#"{"tokens_required": true, "hop_limit": 1, "enabled": true}"#);
        for (target, expected) in [
            ("/latest/meta-data/instance-id", Some("i-1")),
            ("/2021-03-23/meta-data/placement/region", Some("eu-central-1")),
            ("/latest/meta-data/", Some("instance-id\nplacement/\ntags/")),
            ("/latest/meta-data", Some("instance-id\nplacement/\ntags/")),
            ("/latest/meta-data/tags/instance/Name", Some("é")),
            ("/latest/", Some("meta-data/\nuser-data")),
            ("/", Some("latest")),
            ("/latest/meta-data/instance", None),
            ("/newest/meta-data/instance-id", None),
        ] {
            let found = look_up(target, &instance);
            assert_eq!(found, expected.map(|text| text.as_bytes().to_vec()), "{target}");
        }
        assert_eq!(
            look_up("/latest/user-data", &instance).unwrap(),
            [b'#', b'!', 0xff]
        );
    }

    #[test]
    fn who_may_ask_what() {
        let required = r#"{"tokens_required": true, "hop_limit": 1, "enabled": true}"#;
        let optional = r#"{"tokens_required": false, "hop_limit": 1, "enabled": true}"#;
        let disabled = r#"{"tokens_required": true, "hop_limit": 1, "enabled": false}"#;
        let get = "GET /latest/meta-data/instance-id";
        let wrong = format!("{get}\n{TOKEN}: wrong");
        let put = |seconds: &str| format!("PUT {TOKEN_PATH}\n{TOKEN_SECONDS}: {seconds}");
        let forwarded = format!("{}\n{FORWARDED}: 192.0.2.1", put("60"));
        for (options, request, status) in [
            (required, get, 401),
            (required, &wrong, 401),
            (required, &put("60"), 200),
            (required, &put("21600"), 200),
            (required, &put("21601"), 400),
            (required, &put("0"), 400),
            (required, &format!("PUT {TOKEN_PATH}"), 400),
            (required, &forwarded, 403),
            (required, "PUT /latest/user-data", 405),
            (required, "POST /latest/user-data", 405),
            (optional, get, 200),
            (optional, &wrong, 401),
            (optional, "GET /latest/meta-data/iam", 404),
            (disabled, &put("60"), 403),
            (disabled, get, 403),
        ] {
            let answered = answer(&head(request), &instance(options), &Tokens::default()).unwrap();
            assert_eq!(answered.0, status, "{options} {request}");
        }
    }

    #[test]
    fn a_token_is_good_for_its_instance_and_its_time() {
        let one = instance(r#"{"tokens_required": true, "hop_limit": 1, "enabled": true}"#);
        let mut other = one.clone();
        other.id = "i-2".to_owned();
        let tokens = Tokens::default();
        let token = make_token(&one, 60, &tokens).unwrap();
        assert!(is_good(&token, &one, &tokens));
        assert!(!is_good(&token, &other, &tokens));
        let ended = make_token(&one, 0, &tokens).unwrap();
        assert!(!is_good(&ended, &one, &tokens));
        assert_ne!(token, ended);
    }
}

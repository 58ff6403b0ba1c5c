//! A lab's network: a switch in a namespace of its own, with a port for each host and one for the machine. No firewall
//! of the machine has a say there, and it goes in one piece.

use std::fs;

use crate::LabError;
use crate::command::{Tool, tool};
use crate::error::AboutFile;
use crate::host::METADATA_ADDRESS;
use crate::record::{HostRecord, PREFIX, Record};

/// Frames between two ports in `cut` are dropped. The names of ports, not addresses: nothing gets around it.
const PARTITIONS: &str = "\
table bridge keelson {
    set cut {
        type ifname . ifname
    }
    chain forward {
        type filter hook forward priority 0
        iifname . oifname @cut drop
    }
}
";

/// Makes the switch and connects the machine to it.
pub(crate) fn make(record: &Record) -> Result<(), LabError> {
    let switch = record.path("switch");
    fs::write(&switch, "").about("failed to make", &switch)?;
    let mut option = std::ffi::OsString::from("--net=");
    option.push(&switch);
    tool("unshare", 10).arg(option).arg("true").run()?;
    inside(record).words("ip link set lo up").run()?;
    inside(record)
        .words("ip link add switch type bridge stp_state 0 forward_delay 0")
        .run()?;
    inside(record).words("ip link set switch up").run()?;
    // Bridged frames are nobody's business but the switch's.
    inside(record)
        .args(["sh", "-c", "for file in /proc/sys/net/bridge/bridge-nf-call-*tables; do [ ! -e $file ] || echo 0 >$file; done"])
        .run()?;
    inside(record).words("nft --file -").stdin(PARTITIONS).run()?;

    let uplink = record.uplink();
    tool("ip", 10)
        .words(&format!("link add {uplink} type veth peer name uplink netns"))
        .arg(&switch)
        .run()?;
    tool("ip", 10)
        .words(&format!("address add {}/{PREFIX} dev {uplink}", record.gateway()))
        .run()?;
    tool("ip", 10).words(&format!("link set {uplink} up")).run()?;
    inside(record)
        .words("ip link set uplink master switch up")
        .run()
        .map(drop)
}

/// Puts the address of the metadata service at the switch, where all hosts of this lab find it and nothing else does.
pub(crate) fn add_metadata_service(record: &Record) -> Result<(), LabError> {
    inside(record)
        .words(&format!("ip address add {METADATA_ADDRESS}/32 dev switch"))
        .run()?;
    let network = record.network();
    inside(record)
        .words(&format!(
            "ip route add {network} dev switch src {METADATA_ADDRESS}"
        ))
        .run()
        .map(drop)
}

/// Pulls a host's cable, or puts it back. It stays so when the host is off and on again.
pub(crate) fn set_cable(record: &Record, host: &HostRecord, plugged: bool) -> Result<(), LabError> {
    let mark = record.path("hosts").join(&host.name).join("cut");
    if plugged {
        if mark.exists() {
            fs::remove_file(&mark).about("failed to remove", &mark)?;
        }
    } else {
        fs::write(&mark, "").about("failed to write", &mark)?;
    }
    let port = host.port();
    let state = if plugged { "up" } else { "down" };
    let done = inside(record)
        .words(&format!("ip link set {port} {state}"))
        .output()?;
    // A host that is off has no port; the mark waits for it.
    if done.success() || done.stderr.contains("Cannot find device") {
        return Ok(());
    }
    Err(LabError::Command {
        command: format!("ip link set {port} {state}"),
        status: done.status.to_string(),
        stderr: done.stderr,
    })
}

/// Keeps two hosts from each other, or no longer; both go on to see everyone else.
pub(crate) fn set_partition(
    record: &Record,
    one: &HostRecord,
    other: &HostRecord,
    cut: bool,
) -> Result<(), LabError> {
    let (one, other) = (one.port(), other.port());
    let pairs = format!("{{ {one} . {other}, {other} . {one} }}");
    let add = format!("add element bridge keelson cut {pairs}\n");
    let delete = format!("delete element bridge keelson cut {pairs}\n");
    // First added in any case, so that taking away what is not there is no failure.
    let rules = if cut { add } else { add + &delete };
    inside(record).words("nft --file -").stdin(rules).run().map(drop)
}

/// A program in the switch's namespace.
fn inside(record: &Record) -> Tool {
    let mut option = std::ffi::OsString::from("--net=");
    option.push(record.path("switch"));
    tool("nsenter", 10).arg(option).arg("--")
}

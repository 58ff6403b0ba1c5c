//! The processes of the machine that keelson runs on, as Linux tells of them.

use std::io::ErrorKind;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::execute::{HolderProcess, Processes};

/// The processes beside this one.
pub(super) struct LocalProcesses;

impl Processes for LocalProcesses {
    fn own(&self) -> Option<HolderProcess> {
        let pid = std::process::id();
        Some(HolderProcess {
            boot_id: boot_id()?,
            namespaces: namespaces(pid)?,
            pid,
            started: State::of(pid).ok()??.started,
        })
    }

    fn has_ended(&self, process: &HolderProcess) -> bool {
        let here = self.own();
        let is_here =
            here.is_some_and(|own| own.boot_id == process.boot_id && own.namespaces == process.namespaces);
        if !is_here {
            return false;
        }
        let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else {
            return false;
        };
        // A process of another user may be hidden in /proc, and is found here.
        if test_kill_process(pid) == Err(Errno::SRCH) {
            return true;
        }
        match State::of(process.pid) {
            Ok(Some(state)) => state.started != process.started || state.is_dead,
            Ok(None) | Err(_) => false,
        }
    }
}

/// What /proc tells of a process.
struct State {
    /// When it began, in ticks since the boot.
    started: u64,
    /// True when nothing of it runs any more, and only its parent has not heard of that yet.
    is_dead: bool,
}

impl State {
    /// The state of a process; nothing where it is told in another form than `proc_pid_stat(5)` has.
    fn of(pid: u32) -> Result<Option<Self>, ErrorKind> {
        let text = read(format!("/proc/{pid}/stat"))?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Option<Self> {
        // The name may hold blanks and brackets; what follows it holds none.
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // The fields 3, 20 and 22, counted from 1.
        let threads: u32 = fields.get(17)?.parse().ok()?;
        Some(Self {
            started: fields.get(19)?.parse().ok()?,
            // Where its first thread alone has ended, the others go on.
            is_dead: matches!(*fields.first()?, "Z" | "X") && threads <= 1,
        })
    }
}

fn read(path: impl AsRef<Path>) -> Result<String, ErrorKind> {
    std::fs::read_to_string(path).map_err(|error| error.kind())
}

fn boot_id() -> Option<String> {
    let id = read("/proc/sys/kernel/random/boot_id").ok()?;
    let id = id.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

/// The namespaces in which `pid`, this process, is known under its number and its times count. Nothing where /proc is that
/// of other namespaces, and tells of other processes under these numbers.
fn namespaces(pid: u32) -> Option<String> {
    let status = read("/proc/self/status").ok()?;
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    if numbers != [pid.to_string().as_str()] {
        return None;
    }
    let link = |name: &str| std::fs::read_link(format!("/proc/self/ns/{name}")).ok();
    let processes = link("pid")?;
    // Kernels before 5.6 have one time for all.
    let time = link("time").unwrap_or_default();
    Some(
        format!("{} {}", processes.display(), time.display())
            .trim()
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_name_cannot_pretend_to_be_more() {
        let rest = "S 1 7 7 0 -1 4194304 100 0 0 0 0 0 0 0 20 0 3 0 4242 1000 1";
        let state = State::parse(&format!("7 (a) Z 1) b) {rest}\n")).unwrap();
        assert_eq!((state.started, state.is_dead), (4242, false));
        let dead = State::parse(&format!(
            "7 (a) {}\n",
            rest.replacen('S', "Z", 1).replace(" 3 0 4242", " 1 0 4242")
        ));
        assert!(dead.unwrap().is_dead);
        let leader = State::parse(&format!("7 (a) {}\n", rest.replacen('S', "Z", 1)));
        assert!(!leader.unwrap().is_dead, "its other threads go on");
        assert!(State::parse("7 (a) S 1").is_none());
    }

    #[test]
    fn only_what_certainly_was_this_process_and_is_not_there_has_ended() {
        let processes = LocalProcesses;
        let own = processes.own().unwrap();
        assert!(!processes.has_ended(&own));
        let mut child = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let of_child = HolderProcess {
            pid: child.id(),
            started: State::of(child.id()).unwrap().unwrap().started,
            ..own.clone()
        };
        assert!(!processes.has_ended(&of_child));
        let earlier = HolderProcess {
            started: of_child.started - 1,
            ..of_child.clone()
        };
        assert!(processes.has_ended(&earlier), "its number was given out again");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(processes.has_ended(&of_child));
        for elsewhere in [
            HolderProcess {
                boot_id: "another".to_owned(),
                ..of_child.clone()
            },
            HolderProcess {
                namespaces: "pid:[1]".to_owned(),
                ..of_child.clone()
            },
            HolderProcess {
                pid: 0,
                ..of_child.clone()
            },
        ] {
            assert!(!processes.has_ended(&elsewhere), "{elsewhere:?}");
        }
    }
}

//! Whoever is not root is told so, by the command and by the demo.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's `nobody`.
const NOBODY: u32 = 65534;

/// A folder that everyone can read, with copies of programs: where those are built, not everyone may look.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("keelson-{name}-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let folder = Self(folder);
        folder.open_to_all(&folder.0);
        folder
    }

    fn open_to_all(&self, path: &Path) {
        std::fs::set_permissions(self.0.join(path), PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn copy(&self, from: &Path, to: &str) -> PathBuf {
        let to = self.0.join(to);
        let parent = to.parent().unwrap();
        std::fs::create_dir_all(parent).unwrap();
        self.open_to_all(parent);
        std::fs::copy(from, &to).unwrap();
        self.open_to_all(&to);
        to
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of a test in a folder for what is temporary does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a program says to somebody who is not root, and fails with.
fn refusal(command: &mut Command) -> String {
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn making_hosts_without_root_is_refused_in_one_line() {
    let folder = Folder::new("without-root");
    let program = folder.copy(Path::new(env!("CARGO_BIN_EXE_test-hosts")), "test-hosts");
    assert_eq!(
        refusal(Command::new(program).args(["up", "1"])),
        "test-hosts: test hosts need root: namespaces, mounts and network interfaces; run this as root\n"
    );
}

#[test]
fn the_demo_without_root_is_refused_before_anything_is_built() {
    let folder = Folder::new("demo-without-root");
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/demo");
    let demo = folder.copy(&demo, ".ci/demo");
    assert_eq!(
        refusal(&mut Command::new(demo)),
        "The hosts of the demo are made out of namespaces, which needs root: sudo make demo\n"
    );
}

//! The scripts that hosts are made with.

use std::path::Path;
use std::process::Command;

#[test]
fn scripts_pass_shellcheck() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut command = Command::new("shellcheck");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sh") {
            command.arg(path);
        }
    }
    match command.output() {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        ),
        Err(error) => keelson_test_hosts::skip("scripts_pass_shellcheck", format!("shellcheck: {error}")),
    }
}

//! Files stay small, none is forgotten, and nothing is allowed silently.

use std::collections::BTreeSet;
use std::path::Path;

use super::{code_lines, expect_none, root, rust_files};

const LINE_LIMIT: usize = 600;

/// Where Rust files live.
const FOLDERS: &[&str] = &[
    "src",
    "providers",
    "tests",
    "examples",
    "benches",
    "fuzz/fuzz_targets",
];

/// The folders whose files are each named by another one, but for the root of their crate.
const SOURCES: &[&str] = &[
    "src",
    "tests",
    "tests/hosts/src",
    "tests/hosts/tests",
    "providers/api/src",
    "providers/aws-calls/src",
    "providers/aws/src",
    "providers/simulated/src",
    "providers/ssh/src",
];

#[test]
fn no_file_is_too_long() {
    let files = FOLDERS.iter().flat_map(|folder| rust_files(folder));
    let long = files.filter(|(_, text)| text.lines().count() > LINE_LIMIT);
    let problems: Vec<String> = long
        .map(|(path, text)| {
            format!(
                "{}: {} lines, more than {LINE_LIMIT}",
                path.display(),
                text.lines().count()
            )
        })
        .collect();
    expect_none(&problems);
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    // Put together here, so that this file does not find itself.
    let forbidden = [format!("#[{}(", "allow"), format!("#![{}(", "allow")];
    let mut problems = Vec::new();
    for (path, text) in FOLDERS.iter().flat_map(|folder| rust_files(folder)) {
        for (number, line) in code_lines(&text) {
            if forbidden
                .iter()
                .any(|forbidden| line.contains(forbidden.as_str()))
            {
                problems.push(format!(
                    "{}:{number}: say #[expect(…, reason = …)]",
                    path.display()
                ));
            }
        }
    }
    expect_none(&problems);
}

/// A text that goes on in the next line without a `\` before the break has the indentation in it.
#[test]
fn no_text_has_a_hole() {
    let hole = regex::Regex::new("[a-z,.;:)`] {8,}[a-z(`]").unwrap();
    let mut problems = Vec::new();
    for (path, text) in ["src", "providers"].iter().flat_map(|folder| rust_files(folder)) {
        for (index, line) in text.lines().enumerate() {
            if !line.trim_start().starts_with("//") && hole.is_match(line) {
                problems.push(format!(
                    "{}:{}: blanks in the middle of a text",
                    path.display(),
                    index + 1
                ));
            }
        }
    }
    expect_none(&problems);
}

#[test]
fn no_file_is_forgotten() {
    let mut problems = Vec::new();
    for folder in SOURCES {
        let mut files = rust_files(folder);
        // A folder of sources within another one is a crate of its own.
        let inner = |path: &Path| {
            let mut others = SOURCES.iter().filter(|other| *other != folder);
            others.any(|other| other.starts_with(folder) && path.starts_with(other))
        };
        files.retain(|(path, _)| !inner(path));
        for (path, _) in &files {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let parent = path.parent().unwrap();
            let (name, home) = match stem {
                "main" | "lib" if parent == Path::new(folder) => continue,
                "mod" => (
                    parent.file_name().unwrap().to_str().unwrap(),
                    parent.parent().unwrap(),
                ),
                _ => (stem, parent),
            };
            // The module is declared by the folder's own file: `mod.rs`, the crate's root, or the file named like
            // the folder beside it.
            let homes = [
                home.join("mod.rs"),
                home.join("lib.rs"),
                home.join("main.rs"),
                home.with_extension("rs"),
            ];
            let declared = files
                .iter()
                .filter(|(file, _)| homes.contains(file))
                .any(|(_, text)| {
                    let declaration = format!("mod {name};");
                    code_lines(text).any(|(_, line)| line.trim_end().ends_with(&declaration))
                });
            if !declared {
                problems.push(format!("{}: no `mod {name};` names it", path.display()));
            }
        }
    }
    expect_none(&problems);
}

#[test]
fn there_is_one_binary_of_tests() {
    let files = std::fs::read_dir(root().join("tests"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let binaries: BTreeSet<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(
        binaries,
        BTreeSet::from(["main.rs".to_owned()]),
        "each file in tests/ is linked as a program of its own"
    );
}

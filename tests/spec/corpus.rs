//! Wrong specs and what is said about each: `invalid/NAME.yaml` beside `invalid/NAME.stderr`.
//!
//! `KEELSON_UPDATE_CORPUS=1 cargo test spec::corpus` writes the expected texts anew; read the difference before
//! committing it, because those texts are the product.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use keelson::spec::load;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec/invalid")
}

pub(super) fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    cases.sort();
    cases
}

fn wants_update() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch for the people who work on the tests"
    )]
    std::env::var_os("KEELSON_UPDATE_CORPUS").is_some()
}

#[test]
fn every_wrong_spec_is_refused_in_the_expected_words() {
    let mut differences = Vec::new();
    for case in cases() {
        let bytes = fs::read(&case).unwrap();
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let said = match load(&bytes, &name) {
            Ok(_) => panic!("{name} is accepted"),
            Err(errors) => format!("{errors}\n"),
        };
        let expected = case.with_extension("stderr");
        if wants_update() {
            fs::write(&expected, &said).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != said {
            differences.push(said);
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_error_has_a_place_a_path_and_a_problem() {
    for case in cases() {
        let bytes = fs::read(&case).unwrap();
        let errors = load(&bytes, "spec.yaml").unwrap_err();
        let lines = bytes.split(|byte| *byte == b'\n').count();
        for error in &errors.errors {
            let shown = format!("{}: {error:?}", case.display());
            assert!((1..=lines + 1).contains(&error.line), "{shown}");
            assert!(
                error.column >= 1 && !error.path.is_empty() && !error.problem.is_empty(),
                "{shown}"
            );
            assert!(
                error.expected.is_some() || error.help.is_some() || error.problem.len() > 20,
                "{shown}"
            );
        }
        let places: Vec<_> = errors
            .errors
            .iter()
            .map(|error| (error.line, error.column))
            .collect();
        assert!(places.is_sorted(), "{}", case.display());
        let json = serde_json::to_value(&errors).unwrap();
        assert_eq!(json["origin"], "spec.yaml");
    }
}

/// A field that is missing, appended to a spec that has no add-ons.
const GAP: &str = "\n  addons: [{ name: without-its-manifest }]\n";

#[test]
fn a_missing_field_hides_no_other_error() {
    let mut compared = 0;
    for case in cases() {
        let Ok(text) = fs::read_to_string(&case) else {
            continue;
        };
        let with_gap = format!("{}{GAP}", text.trim_end());
        let said = |text: &str| load(text.as_bytes(), "spec.yaml").unwrap_err().errors;
        let (before, after) = (said(&text), said(&with_gap));
        let has_gap = after.iter().any(|error| error.path == "spec.addons[0].manifest");
        let is_in_the_way = |path: &str| path == "spec" || path.starts_with("spec.addons");
        if !has_gap || before.iter().any(|error| is_in_the_way(&error.path)) {
            // The gap did not become a field of the spec: the case is one of YAML itself, or of the whole document.
            continue;
        }
        compared += 1;
        for error in before {
            let is_kept = |other: &keelson::spec::SpecError| {
                (&other.path, &other.problem) == (&error.path, &error.problem)
            };
            assert!(
                after.iter().any(is_kept),
                "{}: {} is hidden",
                case.display(),
                error.problem
            );
        }
    }
    assert!(compared >= 200, "{compared} cases");
}

#[test]
fn the_corpus_is_large_and_every_case_is_another() {
    let said: BTreeSet<Vec<u8>> = cases().iter().map(|case| fs::read(case).unwrap()).collect();
    assert_eq!(said.len(), cases().len(), "two cases are equal");
    assert!(said.len() >= 220, "{} cases", said.len());
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            path.with_extension("yaml").exists(),
            "{} has no spec",
            path.display()
        );
    }
}

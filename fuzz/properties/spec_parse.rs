//! Any bytes are a spec or a list of errors; a spec survives being written and read again.

use keelson::spec::load;

/// Panics where it does not hold of `bytes`.
pub(super) fn check(bytes: &[u8]) {
    match load(bytes, "fuzz.yaml") {
        Ok(spec) => {
            let written = spec.to_yaml();
            match load(written.as_bytes(), "written.yaml") {
                Ok(again) => assert!(again == spec, "reading again gives another spec:\n{written}"),
                Err(errors) => panic!("{errors}\n{written}"),
            }
        }
        Err(errors) => {
            assert!(!errors.errors.is_empty());
            assert!(!errors.to_string().is_empty());
            for error in &errors.errors {
                assert!(error.line >= 1 && error.column >= 1 && !error.path.is_empty());
            }
        }
    }
}

//! The emulator of AWS: its own tests, which are in Python, and what it is told from here.

use std::net::Ipv4Addr;

use keelson_test_hosts::{Moto, moto_python_or_skip};

#[test]
fn the_emulator_of_aws_does_what_aws_does() {
    let Some(mut python) = moto_python_or_skip("emulator::the_emulator_of_aws_does_what_aws_does") else {
        return;
    };
    // Without a patch moto may warn of answers that it cannot give well.
    python.args(["-W", "ignore", "-m", "unittest", "discover"]);
    let output = python.args(["-s", "aws/tests", "-t", "."]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(!told.contains("Ran 0 tests"), "{told}");
}

#[test]
fn the_emulator_of_aws_takes_what_it_is_told() {
    let test = "emulator::the_emulator_of_aws_takes_what_it_is_told";
    let Some(moto) = Moto::start_or_skip(test, Ipv4Addr::LOCALHOST.into(), "clusters", &[]).unwrap() else {
        return;
    };
    let rule = r#"{"kind": "throttle", "share": 0.3, "seed": 1}"#;
    let rules = moto.tell("POST", "faults", rule).unwrap();
    assert!(rules.contains("throttle"), "{rules}");
    let settings = moto.tell("POST", "settings", r#"{"delay": 0.2}"#).unwrap();
    assert!(settings.contains(r#""delay": 0.2"#), "{settings}");
    assert_eq!(moto.tell("GET", "calls", "").unwrap(), "[]");
    let refused = moto.tell("POST", "faults", r#"{"kind": "explode"}"#).unwrap_err();
    assert!(refused.to_string().contains("no rule"), "{refused}");
}

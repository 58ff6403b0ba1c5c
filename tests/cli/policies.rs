//! What an operator must be allowed on AWS, as `keelson plan --iam-policy` prints it.

use std::path::Path;

use super::lab::Lab;
use super::plans::SPEC;

/// A lab with the example `name`, whose state nobody can ask for.
fn example(name: &str) -> Lab {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    Lab::with_spec(&std::fs::read_to_string(file).unwrap())
}

#[test]
fn a_policy_for_a_whole_life_is_printed_and_nobody_is_asked() {
    for name in ["aws-private", "aws-public"] {
        let lab = example(&format!("{name}.yaml"));
        let printed = lab.expect(0, "plan --iam-policy=life");
        let policy = printed.json();
        assert_eq!(policy["Version"], "2012-10-17");
        assert!(
            printed
                .stderr
                .contains("a managed policy of IAM has 6144 at most"),
            "{}",
            printed.stderr
        );
        assert_eq!(lab.expect(0, "plan --iam-policy=life").stdout, printed.stdout);
        insta::assert_snapshot!(name, printed.stdout);
    }
}

#[test]
fn who_has_no_iam_is_told_so() {
    let lab = Lab::with_spec(SPEC);
    for of in ["", "=plan", "=life"] {
        lab.expect(1, &format!("plan --iam-policy{of}")).says(&[
            "no policy of IAM says what may be done to machines of the provider `simulated`",
            "help: leave out --iam-policy",
        ]);
    }
}

#[test]
fn wrong_usage_is_told() {
    let lab = example("aws-private.yaml");
    for arguments in [
        "plan --iam-policy=all",
        "plan --iam-policy -o json",
        "plan --iam-policy --out x",
        "plan --iam-policy=life --destroy",
    ] {
        let ran = lab.expect(2, arguments);
        assert_eq!(ran.stdout, "", "{arguments}");
    }
}

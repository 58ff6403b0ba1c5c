//! What a call says that has no success.

use std::net::TcpListener;

use keelson_aws_calls::ec2::Filters;
use keelson_aws_calls::mark::Tags;
use keelson_aws_calls::{AwsCalls, CallFailure};

use crate::emulator::{Emulator, settings};

#[tokio::test]
async fn nothing_was_sent_where_a_connection_is_refused() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let calls = AwsCalls::new(&settings(format!("http://{address}")));
    let created = calls
        .ec2
        .create_vpc("10.0.0.0/16", &Tags::new())
        .await
        .unwrap_err();
    let listed = calls.ec2.list_vpcs(&Filters::default()).await.unwrap_err();
    for (error, action) in [(created, "CreateVpc"), (listed, "DescribeVpcs")] {
        assert_eq!(error.failure, CallFailure::Unsent, "{error}");
        assert_eq!(error.action, action);
        assert!(error.had_no_effect() && !error.is_absent(), "{error}");
    }
}

#[tokio::test]
async fn an_answer_says_whether_the_call_had_an_effect() {
    let test = "aws_calls::failures::an_answer_says_whether_the_call_had_an_effect";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let rule = |rest: &str| format!(r#"{{"action": "CreateVpc", "times": 1, {rest}}}"#);
    let fail = |status: u16, code: &str| {
        rule(&format!(
            r#""kind": "fail", "status": {status}, "code": "{code}""#
        ))
    };
    let cases = [
        (fail(500, "InternalError"), CallFailure::Lost, "InternalError"),
        (fail(503, "Unavailable"), CallFailure::Lost, "Unavailable"),
        (rule(r#""kind": "lose""#), CallFailure::Lost, "InternalError"),
        (rule(r#""kind": "fail", "reset": true"#), CallFailure::Lost, ""),
        (
            rule(r#""kind": "throttle""#),
            CallFailure::Throttled,
            "RequestLimitExceeded",
        ),
        (fail(400, "Throttling"), CallFailure::Throttled, "Throttling"),
        (
            fail(403, "UnauthorizedOperation"),
            CallFailure::Refused,
            "UnauthorizedOperation",
        ),
        (
            fail(400, "VpcLimitExceeded"),
            CallFailure::Refused,
            "VpcLimitExceeded",
        ),
    ];
    for (rule, failure, code) in cases {
        emulator.trouble(&rule);
        let created = emulator.calls.ec2.create_vpc("10.0.0.0/16", &Tags::new()).await;
        let error = created.unwrap_err();
        assert_eq!(
            (error.failure, error.code.as_str()),
            (failure, code),
            "{rule}: {error}"
        );
        assert_eq!(error.had_no_effect(), failure != CallFailure::Lost, "{rule}");
        // Sent once: no second attempt found the rule used up.
        assert_eq!(emulator.count("CreateVpc"), 1, "{rule}");
        emulator.moto.tell("DELETE", "calls", "").unwrap();
    }
}

#[tokio::test]
async fn what_passes_is_not_told_of_calls_with_the_same_effect_twice() {
    let test = "aws_calls::failures::what_passes_is_not_told_of_calls_with_the_same_effect_twice";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let rules = [
        r#"{"action": "DescribeVpcs", "times": 2, "kind": "fail"}"#,
        r#"{"action": "DescribeVpcs", "times": 1, "kind": "fail", "reset": true}"#,
        r#"{"action": "DescribeVpcs", "times": 2, "kind": "throttle"}"#,
    ];
    for rule in rules {
        emulator.trouble(rule);
        let found = emulator.calls.ec2.list_vpcs(&Filters::default()).await.unwrap();
        assert!(found.iter().all(|vpc| vpc.is_default), "{rule}: {found:?}");
    }
    assert_eq!(emulator.count("DescribeVpcs"), 5 + rules.len());
}

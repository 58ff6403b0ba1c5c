//! The bucket of a state store: made, put right where keelson made it, and looked at where it is somebody's own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use keelson_provider_api::{BulkStore as _, Finding, Precondition, Severity, Store as _, with_causes};
use keelson_provider_aws::{BUCKET_CHANGED, BUCKET_MISSING, S3Settings, S3Store};
use keelson_test_hosts::Moto;

use crate::{emulator, scene};

/// How the actions begin that change nothing.
const READS: [&str; 3] = ["Get", "Head", "List"];
/// What a bucket is made by, one after the other.
const WRITES: [&str; 5] = [
    "CreateBucket",
    "PutPublicAccessBlock",
    "PutBucketOwnershipControls",
    "PutBucketEncryption",
    "PutBucketVersioning",
];
/// What keeps the public out.
const BLOCK: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>\
                     <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>\
                     </PublicAccessBlockConfiguration>";
const ENCRYPTION: &str = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256\
                          </SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";

fn start_or_skip(test: &str) -> Option<Moto> {
    let test = format!("aws::state_bucket::{test}");
    Moto::start_or_skip(&test, Ipv4Addr::LOCALHOST.into(), emulator::BUCKET, &[]).unwrap()
}

fn store(moto: &Moto, bucket: &str, region: &str) -> S3Store {
    let settings = S3Settings {
        bucket: bucket.to_owned(),
        region: region.to_owned(),
        ..emulator::settings(&format!("http://{}", moto.address), "state")
    };
    emulator::store(&settings).looking_after_bucket()
}

fn names(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.name.as_str()).collect()
}

fn writes(moto: &Moto) -> usize {
    scene::writes(moto, &READS)
}

/// Asks the emulator about a bucket, or changes it, behind everybody's back.
fn by_hand(moto: &Moto, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(moto.address).unwrap();
    let length = body.len();
    let head =
        format!("Host: localhost\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\nConnection: close");
    write!(stream, "{method} /{path} HTTP/1.1\r\n{head}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 20"), "{method} {path}: {answer}");
    answer
}

fn trouble(moto: &Moto, kind: &str, action: &str, code: &str, status: u16) {
    let rule = format!(r#"{{"kind": "{kind}", "action": "{action}", "code": "{code}", "status": {status}}}"#);
    moto.tell("POST", "faults", &rule).unwrap();
}

fn no_more_trouble(moto: &Moto) {
    moto.tell("DELETE", "faults", "").unwrap();
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_empty_and_is_made_once_as_it_is_to_be() {
    let Some(moto) = start_or_skip("a_bucket_that_is_not_there_is_empty") else {
        return;
    };
    for region in ["us-east-1", "eu-west-1"] {
        let bucket = &format!("made-in-{region}");
        let store = store(&moto, bucket, region);
        let before = writes(&moto);
        assert_eq!(store.read("prod/cluster.json").await.unwrap(), None);
        assert_eq!(store.size("prod/cluster.json").await.unwrap(), None);
        assert_eq!(store.list("prod/").await.unwrap(), Vec::<String>::new());
        assert_eq!(names(&store.preflight().await), [BUCKET_MISSING]);
        let refused = store.write("prod/lease", b"1", Precondition::Absent).await;
        let told = with_causes(&refused.unwrap_err());
        assert!(told.contains(&format!("there is no bucket {bucket}")), "{told}");
        assert_eq!(writes(&moto), before + 1, "nothing else was to be written");

        store.prepare().await.unwrap();
        let settings = [
            ("versioning", "<Status>Enabled</Status>"),
            ("encryption", "<SSEAlgorithm>AES256</SSEAlgorithm>"),
            ("ownershipControls", "BucketOwnerEnforced"),
            ("tagging", "keelson.dev/made-for"),
        ];
        for (setting, words) in settings {
            let told = by_hand(&moto, "GET", &format!("{bucket}?{setting}"), "");
            assert!(told.contains(words), "{setting}: {told}");
        }
        let block = by_hand(&moto, "GET", &format!("{bucket}?publicAccessBlock"), "");
        assert_eq!(block.to_lowercase().matches(">true<").count(), 4, "{block}");
        let location = by_hand(&moto, "GET", &format!("{bucket}?location"), "");
        assert_eq!(
            location.contains("eu-west-1"),
            region == "eu-west-1",
            "{location}"
        );

        assert_eq!(store.preflight().await, []);
        let before = writes(&moto);
        store.prepare().await.unwrap();
        assert_eq!(writes(&moto), before);
        store
            .write("prod/lease", b"1", Precondition::Absent)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn what_keelson_made_is_put_right() {
    let Some(moto) = start_or_skip("what_keelson_made_is_put_right") else {
        return;
    };
    let store = store(&moto, "ours", "eu-west-1");
    store.prepare().await.unwrap();
    let suspended = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let hands = [
        ("PUT", "versioning", suspended),
        ("DELETE", "publicAccessBlock", ""),
        ("DELETE", "ownershipControls", ""),
        ("DELETE", "encryption", ""),
    ];
    for (method, setting, body) in hands {
        by_hand(&moto, method, &format!("ours?{setting}"), body);
        assert_eq!(names(&store.preflight().await), [BUCKET_CHANGED], "{setting}");
        let before = writes(&moto);
        store.prepare().await.unwrap();
        assert_eq!(writes(&moto), before + 1, "{setting}");
        assert_eq!(store.preflight().await, [], "{setting}");
    }
}

#[tokio::test]
async fn a_run_that_ends_while_a_bucket_is_made_is_gone_on_with() {
    let Some(moto) = start_or_skip("a_run_that_ends_while_a_bucket_is_made") else {
        return;
    };
    for (index, action) in WRITES.iter().enumerate() {
        let store = store(&moto, &format!("begun-{index}"), "eu-west-1");
        trouble(&moto, "lose", action, "Ended", 400);
        store.prepare().await.unwrap_err();
        no_more_trouble(&moto);
        store.prepare().await.unwrap();
        assert_eq!(store.preflight().await, [], "{action}");
    }
    // An answer that was lost is asked for again, and that it is there already is no trouble.
    let store = store(&moto, "lost", "eu-west-1");
    let lost = r#"{"kind": "lose", "action": "CreateBucket", "times": 1, "reset": true}"#;
    moto.tell("POST", "faults", lost).unwrap();
    store.prepare().await.unwrap();
    assert_eq!(store.preflight().await, []);
}

#[tokio::test]
async fn somebody_s_own_bucket_is_looked_at_and_never_changed() {
    let Some(moto) = start_or_skip("somebody_s_own_bucket_is_looked_at") else {
        return;
    };
    let store = store(&moto, emulator::BUCKET, "us-east-1");
    let of = |setting: &str| format!("{}?{setting}", emulator::BUCKET);
    let all = [
        "state-bucket-public-access",
        "state-bucket-versions",
        "state-bucket-encryption",
    ];
    let before = writes(&moto);
    store.prepare().await.unwrap();
    let found = store.preflight().await;
    assert_eq!(names(&found), all);
    for finding in &found {
        assert_eq!(
            (finding.severity, finding.can_be_ignored),
            (Severity::Warning, true)
        );
    }
    assert_eq!(writes(&moto), before);

    let open = [
        (
            "policy",
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::clusters/*"}]}"#,
            "its policy",
        ),
        (
            "acl",
            "<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>",
            "its access control list",
        ),
    ];
    for (setting, body, by) in open {
        by_hand(&moto, "PUT", &of(setting), body);
        let found = store.preflight().await;
        assert_eq!(names(&found), ["state-bucket-public"], "{setting}");
        let [finding] = found.as_slice() else {
            unreachable!()
        };
        assert_eq!(
            (finding.severity, finding.can_be_ignored),
            (Severity::Error, false)
        );
        assert!(finding.problem.ends_with(by), "{finding:?}");
        // What lets nobody in is no matter.
        by_hand(&moto, "PUT", &of("publicAccessBlock"), BLOCK);
        assert_eq!(names(&store.preflight().await), &all[1..], "{setting}");
        by_hand(&moto, "DELETE", &of("publicAccessBlock"), "");
        if setting == "policy" {
            by_hand(&moto, "DELETE", &of(setting), "");
        }
    }

    by_hand(&moto, "PUT", &of("publicAccessBlock"), BLOCK);
    by_hand(&moto, "PUT", &of("encryption"), ENCRYPTION);
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    by_hand(&moto, "PUT", &of("versioning"), enabled);
    assert_eq!(store.preflight().await, []);
}

#[tokio::test]
async fn a_bucket_of_another_account_and_rights_that_are_missing_are_told() {
    let Some(moto) = start_or_skip("a_bucket_of_another_account") else {
        return;
    };
    let theirs = store(&moto, "theirs", "eu-west-1");
    trouble(&moto, "fail", "CreateBucket", "BucketAlreadyExists", 409);
    let told = with_causes(&theirs.prepare().await.unwrap_err());
    assert!(
        told.contains("the name theirs is that of another account's bucket"),
        "{told}"
    );
    no_more_trouble(&moto);

    // Whoever may not ask whose a bucket is may keep state there all the same.
    let store = store(&moto, emulator::BUCKET, "us-east-1");
    trouble(&moto, "fail", "GetBucketTagging", "AccessDenied", 403);
    store.prepare().await.unwrap();
    assert_eq!(names(&store.preflight().await), ["state-bucket-checks"]);
    no_more_trouble(&moto);
    trouble(&moto, "fail", "PutObject", "AccessDenied", 403);
    let told = with_causes(
        &store
            .write("prod/lease", b"1", Precondition::Absent)
            .await
            .unwrap_err(),
    );
    assert!(
        told.contains("or choose another name where the bucket is another account's"),
        "{told}"
    );
}

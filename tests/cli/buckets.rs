//! Specs that keep their state in S3: who asks there, and what is said where nobody does.

use std::net::{Ipv4Addr, TcpListener};

use jiff::SignedDuration;
use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;
use keelson_test_hosts::Moto;

use super::lab::{Lab, Ran, Running};

const BUCKET: &str = "clusters";

/// A spec of bare hosts, which nobody has to ask to read what is in the state store.
fn spec(state_store: &str) -> String {
    format!(
        "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: prod }}\nspec:\n  stateStore: {state_store}\n  \
         provider: {{ ssh: {{ hosts: [{{ name: a, address: 10.0.0.11, roles: [etcd] }}] }} }}\n  \
         etcd: {{ placement: {{ dedicated: {{}} }} }}\n"
    )
}

/// Runs the program with `environment`, in which `LAB` stands for the lab's folder.
fn run(lab: &Lab, arguments: &str, environment: Environment<'_>) -> Ran {
    let mut command = lab.command(arguments.split_whitespace());
    let folder = lab.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    command.env("HOME", folder);
    for (name, value) in environment {
        command.env(name, value.replace("LAB", folder));
    }
    Running::start(command).end()
}

/// Nobody listens there.
const NOWHERE: &str = "s3://clusters/state?endpoint=http://127.0.0.1:1";

const CONFIG: &str = "[default]\nregion = eu-west-1\n\
                      [profile fails]\ncredential_process = sh -c 'exit 3'\n\
                      [profile signs-in]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = operator\n\
                      [sso-session work]\nsso_region = eu-west-1\nsso_start_url = https://work.awsapps.com/start\n";

/// Names and values.
type Environment<'a> = &'a [(&'a str, &'a str)];

/// A state store, the environment, and what is said.
const NOBODY: &[(&str, Environment<'_>, &[&str])] = &[
    (
        "s3://clusters/state",
        &[],
        &[
            "nobody has said in which region the bucket clusters is",
            "help: write the region",
        ],
    ),
    (
        "s3://clusters/state",
        &[("AWS_REGION", "eu-west-1")],
        &["cannot read prod/", "s3://clusters/state", "set AWS_PROFILE"],
    ),
    (
        "s3://clusters/state",
        &[("AWS_CONFIG_FILE", "LAB/config")],
        &["set AWS_PROFILE"],
    ),
    (NOWHERE, &[], &["set AWS_PROFILE, or AWS_ACCESS_KEY_ID"]),
    (
        NOWHERE,
        &[("AWS_PROFILE", "missing"), ("AWS_CONFIG_FILE", "LAB/config")],
        &["what AWS_PROFILE or the variables of AWS name", "missing"],
    ),
    (
        NOWHERE,
        &[("AWS_PROFILE", "fails"), ("AWS_CONFIG_FILE", "LAB/config")],
        &["who asks cannot be found out"],
    ),
    (
        NOWHERE,
        &[("AWS_PROFILE", "signs-in"), ("AWS_CONFIG_FILE", "LAB/config")],
        &["`aws sso login`"],
    ),
];

#[test]
fn where_nobody_asks_what_to_do_is_said() {
    for (state_store, environment, words) in NOBODY {
        let lab = Lab::with_spec(&spec(state_store));
        lab.write("config", CONFIG);
        let ran = run(&lab, "etcd snapshot list", environment);
        ran.expect(1, &format!("with {state_store} and {environment:?}"))
            .says(words);
    }
}

/// As on a machine whose network lets nobody through to the place where others have their role from.
#[test]
fn nobody_waits_long_for_a_role_that_is_not_there() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let environment = [
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint.as_str()),
    ];
    let lab = Lab::with_spec(&spec(NOWHERE));
    let begun = SystemClock.now();
    let ran = run(&lab, "etcd snapshot list", &environment);
    ran.expect(1, "without a role").says(&["set AWS_PROFILE"]);
    let took = SystemClock.now().duration_since(begun);
    assert!(took < SignedDuration::from_secs(30), "{took:#}");
}

#[test]
fn whoever_the_environment_names_asks() {
    let test = "cli::buckets::whoever_the_environment_names_asks";
    let Some(moto) = Moto::start_or_skip(test, Ipv4Addr::LOCALHOST.into(), BUCKET, &[]).unwrap() else {
        return;
    };
    let lab = Lab::with_spec(&spec(&format!(
        "s3://{BUCKET}/state?endpoint=http://{}",
        moto.address
    )));
    lab.write(
        "config",
        "[profile program]\ncredential_process = cat key.json\n[profile file]\nregion = eu-west-1\n",
    );
    lab.write(
        "key.json",
        r#"{ "Version": 1, "AccessKeyId": "AKIA1", "SecretAccessKey": "secret" }"#,
    );
    lab.write(
        "keys",
        "[file]\naws_access_key_id = AKIA1\naws_secret_access_key = secret\n",
    );
    let environments: [Environment<'_>; 3] = [
        &[
            ("AWS_ACCESS_KEY_ID", "AKIA1"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ],
        &[("AWS_PROFILE", "program"), ("AWS_CONFIG_FILE", "LAB/config")],
        &[
            ("AWS_PROFILE", "file"),
            ("AWS_CONFIG_FILE", "LAB/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "LAB/keys"),
        ],
    ];
    for environment in environments {
        let ran = run(&lab, "etcd snapshot list -o json", environment);
        let list = ran.expect(0, &format!("with {environment:?}")).json();
        assert_eq!(
            list["locations"][0], "s3://clusters/state/prod/backups/etcd",
            "{list:#}"
        );
    }
}

#[test]
fn a_spec_without_a_bucket_reads_nothing_of_aws() {
    let lab = Lab::with_spec(super::plans::SPEC);
    // Whoever read it would wait for ever.
    lab.put_pipe("config");
    let environment = [
        ("AWS_CONFIG_FILE", "LAB/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "LAB/config"),
    ];
    run(&lab, "plan", &environment).expect(2, "plan");
}

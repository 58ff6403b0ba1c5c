//! Roles, instance profiles, policies, providers of OpenID Connect.

use keelson_aws_calls::iam::{NewInstanceProfile, NewOidcProvider, NewRole, path_of};
use serde_json::json;

use super::{lost, tags};
use crate::emulator::Emulator;

pub(super) fn new_role(name: &str) -> NewRole {
    let statement = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "ec2.amazonaws.com" } });
    NewRole {
        name: name.to_owned(),
        path: path_of("u1"),
        trust: json!({ "Version": "2012-10-17", "Statement": [statement] }),
        permissions_boundary: None,
        tags: tags("u1", "role/nodes"),
    }
}

pub(super) fn policy(resource: &str) -> serde_json::Value {
    let statement = json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": resource });
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

#[tokio::test]
async fn roles_and_profiles_are_found_by_their_path_and_deleted() {
    let Some(emulator) = Emulator::start_or_skip("roles_and_profiles_are_found_by_their_path_and_deleted")
    else {
        return;
    };
    let iam = &emulator.calls.iam;
    let new = new_role("nodes");
    let made = iam.create_role(&new).await.unwrap();
    let refused = iam.create_role(&new).await.unwrap_err();
    assert!(refused.is(&["EntityAlreadyExists"]), "{refused}");
    assert_eq!(iam.role("nodes").await.unwrap(), Some(made.clone()));
    assert_eq!(iam.role("node").await.unwrap(), None);
    iam.create_role(&NewRole {
        path: path_of("u11"),
        ..new_role("others")
    })
    .await
    .unwrap();
    let listed = iam.roles(&path_of("u1")).await.unwrap();
    assert_eq!(listed.iter().map(|one| &one.arn).collect::<Vec<_>>(), [&made.arn]);
    let mut trust = new.trust.clone();
    trust["Statement"][0]["Principal"]["Service"] = json!("ssm.amazonaws.com");
    iam.set_trust("nodes", &trust).await.unwrap();
    assert_eq!(iam.role("nodes").await.unwrap().unwrap().trust, trust);

    let boundary = "arn:aws:iam::123456789012:policy/boundary";
    for wanted in [Some(boundary), None] {
        for _ in 0..2 {
            iam.set_boundary("nodes", wanted).await.unwrap();
        }
        let found = iam.role("nodes").await.unwrap().unwrap();
        assert_eq!(found.permissions_boundary.as_deref(), wanted);
    }

    let written = policy("arn:aws:s3:::bucket/100% of+it/*");
    iam.put_role_policy("nodes", "reads", &policy("*")).await.unwrap();
    iam.put_role_policy("nodes", "reads", &written).await.unwrap();
    assert_eq!(iam.role_policy("nodes", "reads").await.unwrap(), Some(written));
    assert_eq!(iam.role_policy("nodes", "read").await.unwrap(), None);
    assert_eq!(iam.role_policies("nodes").await.unwrap(), ["reads"]);

    let profile = NewInstanceProfile {
        name: "nodes".to_owned(),
        path: path_of("u1"),
        tags: tags("u1", "role/nodes"),
    };
    iam.create_instance_profile(&profile).await.unwrap();
    let refused = iam.create_instance_profile(&profile).await.unwrap_err();
    assert!(refused.is(&["EntityAlreadyExists"]), "{refused}");
    for _ in 0..2 {
        iam.add_role("nodes", "nodes").await.unwrap();
    }
    let found = iam.instance_profile("nodes").await.unwrap().unwrap();
    assert_eq!(
        (&found.roles[..], &found.tags),
        (&["nodes".to_owned()][..], &profile.tags)
    );
    let refused = iam.add_role("nodes", "others").await.unwrap_err();
    assert!(refused.is(&["LimitExceeded"]), "{refused}");
    assert_eq!(iam.instance_profiles(&path_of("u1")).await.unwrap().len(), 1);
    assert_eq!(iam.instance_profiles(&path_of("u")).await.unwrap(), []);

    for _ in 0..2 {
        iam.remove_role("nodes", "nodes").await.unwrap();
        iam.delete_instance_profile("nodes").await.unwrap();
        iam.delete_role_policy("nodes", "reads").await.unwrap();
        iam.delete_role("nodes").await.unwrap();
    }
    assert_eq!(iam.role("nodes").await.unwrap(), None);
    assert_eq!(iam.instance_profile("nodes").await.unwrap(), None);
    assert_eq!(iam.role_policies("nodes").await.unwrap(), Vec::<String>::new());
    assert_eq!(
        iam.attached_policies("nodes").await.unwrap(),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn providers_of_tokens_are_found_by_their_mark() {
    let Some(emulator) = Emulator::start_or_skip("providers_of_tokens_are_found_by_their_mark") else {
        return;
    };
    let iam = &emulator.calls.iam;
    let new = |url: &str, uid: &str| NewOidcProvider {
        url: url.to_owned(),
        audiences: vec!["sts.amazonaws.com".to_owned()],
        thumbprints: vec!["0".repeat(40)],
        tags: tags(uid, "oidc/main"),
    };
    iam.create_oidc_provider(&new("https://other.example.com", "u11"))
        .await
        .unwrap();
    let arn = iam
        .create_oidc_provider(&new("https://issuer.example.com/u1", "u1"))
        .await
        .unwrap();
    let found = iam.owned_oidc_providers("u1").await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0].arn, &found[0].url[..]),
        (&arn, "issuer.example.com/u1")
    );
    assert_eq!(found[0].audiences, ["sts.amazonaws.com"]);
    for _ in 0..2 {
        iam.delete_oidc_provider(&arn).await.unwrap();
    }
    assert_eq!(iam.oidc_provider(&arn).await.unwrap(), None);
}

#[tokio::test]
async fn a_lost_create_is_told_and_found_by_its_path_and_mark() {
    let Some(emulator) = Emulator::start_or_skip("a_lost_create_is_told_and_found_by_its_path_and_mark")
    else {
        return;
    };
    let iam = &emulator.calls.iam;
    emulator.trouble(r#"{"kind": "lose", "service": "iam", "action": "Create*", "times": 2, "reset": true}"#);
    lost(iam.create_role(&new_role("nodes")).await);
    assert_eq!(iam.roles(&path_of("u1")).await.unwrap().len(), 1);
    let profile = NewInstanceProfile {
        name: "nodes".to_owned(),
        path: path_of("u1"),
        tags: tags("u1", "role/nodes"),
    };
    lost(iam.create_instance_profile(&profile).await);
    assert_eq!(iam.instance_profiles(&path_of("u1")).await.unwrap().len(), 1);
    assert_eq!(
        iam.instance_profile("nodes").await.unwrap().unwrap().tags,
        profile.tags
    );
}

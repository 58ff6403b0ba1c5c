//! The mark that a claimed host bears.

pub use keelson_provider_api::mark::Mark;

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;
    use keelson_provider_api::ClusterUid;
    use keelson_provider_api::kinds::Machine;

    use super::*;

    /// The mark of the host `a` of the cluster `prod.example.com`, whose uid is `uid`.
    pub(crate) fn mark(uid: &str) -> Mark {
        let machine = Machine {
            group: "etcd".to_owned(),
            roles: BTreeSet::new(),
            machine_type: None,
            image: None,
            root_volume: None,
            spot: false,
            zone: None,
            subnet: None,
            firewall: None,
            address: None,
            volume: None,
            network_interface: None,
            role: None,
        };
        Mark {
            uid: ClusterUid::new(uid),
            cluster: "prod.example.com".parse().unwrap(),
            name: "a".to_owned(),
            claimed_at: Timestamp::UNIX_EPOCH,
            generation: 3,
            machine,
        }
    }

    #[test]
    fn a_shell_finds_the_uid_and_the_name() {
        let mark = mark("u-1");
        let text = serde_json::to_string(&mark).unwrap();
        assert!(
            text.starts_with("{\"uid\":\"u-1\",\"cluster\":\"prod.example.com\",\"name\":\"a\","),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Mark>(&text).unwrap(), mark);
    }
}

//! A client of etcd that writes all the time, and wants everything back that was acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use keelson_test_hosts::Host;

/// Puts one key after the other to the endpoints in `$1` until it is stopped, and writes down which were acknowledged,
/// and when, in milliseconds.
const CLIENT: &str = r#"
n=0
while ! [ -e /run/client-stops ]; do
    n=$((n + 1))
    if CTL --endpoints="$1" --command-timeout=3s put "client/$n" "$n" >/dev/null 2>&1; then
        echo "$n $(($(date +%s%N) / 1000000))" >>/run/client-acknowledged
    fi
done
"#;

/// As long as the client may take to write its first key, and to stop.
const POLLS: u32 = 100;
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// etcdctl on a host, without endpoints.
pub(super) const ETCDCTL: &str = "env ETCDCTL_API=3 /opt/keelson/bin/etcdctl --cacert=/etc/etcd/pki/ca.crt \
                                  --cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key";

/// The client, on a host that stays. It is stopped by [`Client::stop`].
pub(super) struct Client<'a> {
    host: &'a Host,
}

/// What became of a client's keys.
#[derive(Debug)]
pub(super) struct Account {
    /// How many were acknowledged.
    pub(super) acknowledged: usize,
    /// The longest time without an acknowledgement.
    pub(super) longest_gap: Duration,
    /// Those that were acknowledged and are not there.
    pub(super) lost: Vec<u32>,
}

impl<'a> Client<'a> {
    /// Starts it on `host`; it writes to the members on `members`.
    pub(super) fn start(host: &'a Host, members: &[&Host]) -> Self {
        let endpoints: Vec<String> = members
            .iter()
            .map(|member| format!("https://{}:2379", member.address()))
            .collect();
        host.write_file("/run/client", CLIENT.replace("CTL", ETCDCTL))
            .unwrap();
        let start = format!(
            "rm -f /run/client-stops /run/client-acknowledged; systemd-run --quiet --collect --unit client sh /run/client {}",
            endpoints.join(",")
        );
        host.run(&start).unwrap();
        let client = Self { host };
        client.wait("test -s /run/client-acknowledged");
        client
    }

    /// Stops it and compares what it was told with what is there.
    pub(super) fn stop(self) -> Account {
        self.host.run("touch /run/client-stops").unwrap();
        self.wait("! systemctl is-active --quiet client");
        let told = self.host.run("cat /run/client-acknowledged").unwrap();
        let told: BTreeMap<u32, u64> = told
            .lines()
            .map(|line| {
                let (key, moment) = line.split_once(' ').unwrap();
                (key.parse().unwrap(), moment.parse().unwrap())
            })
            .collect();
        let get = format!("{ETCDCTL} get client/ --prefix --keys-only");
        let there = self.host.run(&get).unwrap();
        let there: Vec<&str> = there.lines().filter(|line| !line.is_empty()).collect();
        let mut there: Vec<u32> = there
            .iter()
            .map(|key| key.strip_prefix("client/").unwrap().parse().unwrap())
            .collect();
        there.sort_unstable();
        let moments: Vec<u64> = told.values().copied().collect();
        let gaps = moments.windows(2).map(|pair| pair[1].abs_diff(pair[0]));
        Account {
            acknowledged: told.len(),
            longest_gap: Duration::from_millis(gaps.max().unwrap_or(0)),
            lost: told
                .into_keys()
                .filter(|key| there.binary_search(key).is_err())
                .collect(),
        }
    }

    fn wait(&self, condition: &str) {
        for _ in 0..POLLS {
            if self.host.run(condition).is_ok() {
                return;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        panic!("on {} it never came to `{condition}`", self.host.name());
    }
}

impl Account {
    /// Nothing was lost, there was something to lose, and nobody waited for longer than `limit`.
    pub(super) fn expect(&self, limit: Duration) {
        assert!(self.lost.is_empty(), "{self:?}");
        assert!(self.acknowledged > 20, "{self:?}");
        assert!(self.longest_gap < limit, "{self:?}");
        println!(
            "figure: {} keys acknowledged, none lost, longest wait {:?}",
            self.acknowledged, self.longest_gap
        );
    }
}

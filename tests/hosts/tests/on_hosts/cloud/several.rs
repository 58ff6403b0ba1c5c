//! Instances beside each other, as control planes are: what takes the place of one has its interface and its volume.

use keelson_test_hosts::{Cloud, CloudOptions, Host};

use super::{ZONE, address, aws, begin_at, prepare, terminate};
use crate::traces::Traces;

const NUMBERS: [u8; 3] = [21, 22, 23];

/// What outlives a machine.
struct Seat {
    interface: String,
    volume: String,
}

impl Seat {
    fn begin(&self, cloud: &Cloud) -> String {
        let interface = &self.interface;
        let place = format!(
            "NetworkInterfaces=[{{'DeviceIndex': 0, 'NetworkInterfaceId': {interface:?}, 'DeleteOnTermination': False}}]"
        );
        begin_at(cloud, &place, &self.volume)
    }
}

fn seats(cloud: &Cloud) -> Vec<Seat> {
    let (subnet, _) = prepare(cloud);
    let addresses = NUMBERS.map(|last| address(cloud, last));
    let made = aws(
        &cloud.url(),
        &format!(
            "for address in {addresses:?}:
    interface = ec2.create_network_interface(SubnetId={subnet:?}, PrivateIpAddress=address)['NetworkInterface']
    volume = ec2.create_volume(AvailabilityZone={ZONE:?}, Size=1)
    print(interface['NetworkInterfaceId'], volume['VolumeId'])"
        ),
    );
    let seats = made.lines().map(|line| {
        let (interface, volume) = line.split_once(' ').unwrap();
        Seat {
            interface: interface.to_owned(),
            volume: volume.to_owned(),
        }
    });
    seats.collect()
}

fn reaches(from: &Host, to: &str) -> bool {
    // The status of `timeout` itself would be taken for that of a command that does not end.
    let open = format!("timeout 2 bash -c '</dev/tcp/{to}/22' || exit 1");
    from.run_as("root", &open).unwrap().success()
}

#[test]
fn an_interface_and_a_volume_go_on_to_the_next_instance() {
    let test = "on_hosts::cloud::several::an_interface_and_a_volume_go_on_to_the_next_instance";
    let Some(cloud) = Cloud::start_or_skip(test, &CloudOptions::default()).unwrap() else {
        return;
    };
    let traces = Traces::of(cloud.lab());
    let seats = seats(&cloud);
    let instances: Vec<_> = seats.iter().map(|seat| seat.begin(&cloud)).collect();
    let hosts: Vec<_> = instances
        .iter()
        .map(|instance| cloud.wait_for_user_data(instance).unwrap())
        .collect();
    for (host, last) in hosts.iter().zip(NUMBERS) {
        assert_eq!(host.address().to_string(), address(&cloud, last));
        for other in NUMBERS {
            assert!(reaches(host, &address(&cloud, other)), "{last} to {other}");
        }
    }
    let hardware = |host: &Host| host.run("cat /sys/class/net/eth0/address").unwrap();
    let before = hardware(&hosts[1]);
    terminate(&cloud, &instances[1]);
    assert!(!reaches(&hosts[0], &address(&cloud, 22)));

    let next = seats[1].begin(&cloud);
    let host = cloud.wait_for_user_data(&next).unwrap();
    assert_eq!(host.address().to_string(), address(&cloud, 22));
    assert_eq!(hardware(&host), before);
    let seen = host.run("cat /data/instances /var/lib/ran").unwrap();
    assert_eq!(seen, format!("{}\n{next}\nran\n", instances[1]));
    // The others are as they were.
    for (index, other) in [(0, &hosts[0]), (2, &hosts[2])] {
        assert_eq!(other.boots(), 1);
        let seen = other.run("cat /data/instances").unwrap();
        assert_eq!(seen, format!("{}\n", instances[index]));
        assert!(reaches(other, &address(&cloud, 22)));
    }
    cloud.down().unwrap();
    assert_eq!(traces.find(), Vec::<String>::new());
}

//! Ctrl-C and its like.

use rustix::process::Signal;

use super::lab::Lab;
use super::locks::{LEASE, SLOW, check_whole, hurry, start_until};

#[test]
fn the_first_signal_stops_in_good_order() {
    for signal in [Signal::INT, Signal::TERM] {
        let lab = Lab::with_spec(SLOW);
        let run = start_until(&lab, 8);
        run.signal(signal);
        let ran = run.end().expect(130, "apply").says(&[
            "stopping: what is in flight is finished first",
            "press Ctrl-C again",
            "not started",
            "keelson apply -f cluster.yaml",
        ]);
        assert!(!ran.stderr.contains("failed to"), "{}", ran.stderr);
        assert!(lab.read(LEASE).contains("\"released\": true"));
        hurry(&lab);
        lab.expect(0, "apply --yes --progress none");
        check_whole(&lab);
    }
}

#[test]
fn the_second_signal_ends_at_once() {
    let lab = Lab::with_spec(SLOW);
    lab.edit("cluster.yaml", "speed: 60", "speed: 1");
    let run = start_until(&lab, 2);
    run.signal(Signal::INT);
    // Signals of one kind that come too close together are one signal, and one too many is no harm.
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(300));
        run.signal(Signal::INT);
    }
    run.end()
        .expect(130, "apply")
        .says(&["stopped at once", "help: the same command goes on from there"]);
    lab.edit("cluster.yaml", "speed: 1", "speed: 0");
    lab.expect(0, "apply --yes --progress none");
    check_whole(&lab);
}

#[test]
fn an_interrupted_destroy_is_gone_on_from() {
    let lab = Lab::with_spec(SLOW);
    hurry(&lab);
    lab.expect(0, "apply --yes --progress none");
    lab.edit("cluster.yaml", "speed: 0", "speed: 20");
    let log = std::fs::read_to_string(lab.path(".keelson/simulated_world/aws/world.log")).unwrap();
    let run = lab.start("destroy --yes");
    let begun = super::lab::wait_for(|| {
        lab.read(".keelson/simulated_world/aws/world.log").lines().count() > log.lines().count() + 2
    });
    assert!(begun);
    run.signal(Signal::INT);
    run.end()
        .expect(130, "destroy")
        .says(&["keelson destroy -f cluster.yaml"]);
    lab.edit("cluster.yaml", "speed: 20", "speed: 0");
    lab.expect(0, "destroy --yes --progress none");
    lab.expect(1, "status");
}

#[test]
fn json_stays_json_when_it_is_interrupted() {
    let lab = Lab::with_spec(SLOW);
    let run = lab.start("apply --yes --progress json");
    assert!(super::lab::wait_for(|| lab.path(LEASE).exists()));
    std::thread::sleep(std::time::Duration::from_millis(300));
    run.signal(Signal::INT);
    let ran = run.end().expect(130, "apply");
    let events: Vec<serde_json::Value> = ran
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(
        events.iter().any(|event| event["event"] == "stop-requested"),
        "{events:?}"
    );
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["exitCode"]),
        (&"error".into(), &130.into())
    );
}

use std::fs;

use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{Clock, ErrorClass};
use tempfile::TempDir;

use super::locked::LEAST_LINES;
use super::*;
use crate::testing::{Fixture, create, rejection};
use crate::{Like, SimulatedOptions, SimulatedWorld};

fn options() -> SimulatedOptions {
    SimulatedOptions::new(Like::Aws, 7)
}

fn open(directory: &TempDir) -> SimulatedWorld {
    SimulatedWorld::open(&directory.path().join("world"), options()).unwrap()
}

fn path(directory: &TempDir) -> PathBuf {
    directory.path().join("world/world.log")
}

#[tokio::test]
async fn a_world_outlives_its_process_and_time_goes_on() {
    let directory = TempDir::new().unwrap();
    let fixture = Fixture::over(open(&directory));
    fixture.done_all(["a", "b"].map(Fixture::machine)).await;
    let (before, then) = (
        fixture.world.footprint(&fixture.context.cluster),
        fixture.world.clock().now(),
    );
    drop(fixture);
    let fixture = Fixture::over(open(&directory));
    assert_eq!(fixture.world.footprint(&fixture.context.cluster), before);
    assert_eq!(fixture.world.clock().now(), then);
    fixture.done(Fixture::machine("a")).await;
    assert_eq!(
        fixture.world.footprint(&fixture.context.cluster).len(),
        2,
        "tokens are remembered"
    );
}

#[tokio::test]
async fn two_processes_see_each_others_effects_and_leases() {
    let directory = TempDir::new().unwrap();
    let (first, mut second) = (Fixture::over(open(&directory)), Fixture::over(open(&directory)));
    first.done(Fixture::machine("a")).await;
    assert!(second.observe(Kind::Machine, &[]).await.contains_key("a"));
    assert!(second.world.clock().now() >= first.world.clock().now());
    second.context.fencing_generation = 2;
    second.done(Fixture::machine("b")).await;
    let (class, _) = rejection(first.carry_out(&create(Fixture::machine("c"))).await);
    assert_eq!(class, ErrorClass::Fenced);
    assert_eq!(first.observe(Kind::Machine, &[]).await.len(), 2);
}

#[tokio::test]
async fn a_torn_last_line_never_counted() {
    let directory = TempDir::new().unwrap();
    let fixture = Fixture::over(open(&directory));
    fixture.done(Fixture::machine("a")).await;
    fixture.done(Fixture::machine("b")).await;
    let text = fs::read_to_string(path(&directory)).unwrap();
    fs::write(path(&directory), &text[..text.len() - 20]).unwrap();
    let fixture = Fixture::over(open(&directory));
    assert_eq!(fixture.observe(Kind::Machine, &[]).await.len(), 1);
    fixture.done(Fixture::machine("c")).await;
    let fixture = Fixture::over(open(&directory));
    let names: Vec<String> = fixture.observe(Kind::Machine, &[]).await.into_keys().collect();
    assert_eq!(names, ["a", "c"]);
}

#[tokio::test]
async fn damage_is_reported_by_line_and_left_as_it_is() {
    let directory = TempDir::new().unwrap();
    let fixture = Fixture::over(open(&directory));
    fixture.done(Fixture::machine("a")).await;
    fixture.done(Fixture::machine("b")).await;
    let text = fs::read_to_string(path(&directory)).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[2] = "{\"at\":";
    let damaged = lines.join("\n") + "\n";
    fs::write(path(&directory), &damaged).unwrap();
    let error = SimulatedWorld::open(&directory.path().join("world"), options()).unwrap_err();
    assert!(error.to_string().contains("world.log:3 is damaged"), "{error}");
    assert_eq!(fs::read_to_string(path(&directory)).unwrap(), damaged);
}

#[tokio::test]
async fn lines_that_are_missing_repeated_or_changed_are_noticed() {
    let directory = TempDir::new().unwrap();
    let fixture = Fixture::over(open(&directory));
    for name in ["a", "b", "c"] {
        fixture.done(Fixture::machine(name)).await;
    }
    let text = fs::read_to_string(path(&directory)).unwrap();
    let lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
    let missing = [&lines[..1], &lines[2..]].concat().concat();
    let repeated = [&lines[..2], &lines[1..]].concat().concat();
    let changed = text.replacen("machine/a", "machine/z", 1);
    for (what, damaged) in [("missing", missing), ("repeated", repeated), ("changed", changed)] {
        assert_ne!(damaged, text, "{what}");
        fs::write(path(&directory), &damaged).unwrap();
        let error = SimulatedWorld::open(&directory.path().join("world"), options()).unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{what}: {error}");
        assert_eq!(fs::read_to_string(path(&directory)).unwrap(), damaged, "{what}");
    }
}

/// The text of a log with three machines whose process has ended.
async fn ended(directory: &TempDir) -> String {
    let fixture = Fixture::over(open(directory));
    for name in ["a", "b", "c"] {
        fixture.done(Fixture::machine(name)).await;
    }
    drop(fixture);
    fs::read_to_string(path(directory)).unwrap()
}

fn problem(directory: &TempDir) -> String {
    let opened = SimulatedWorld::open(&directory.path().join("world"), options());
    opened.unwrap_err().to_string()
}

#[tokio::test]
async fn a_log_that_lost_its_end_or_is_gone_is_noticed() {
    let directory = TempDir::new().unwrap();
    let text = ended(&directory).await;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for kept in 1..lines.len() {
        fs::write(path(&directory), lines[..kept].concat()).unwrap();
        let problem = problem(&directory);
        let expected = format!("world.log:{} is damaged: the log ends before it", kept + 1);
        assert!(problem.contains(&expected), "{problem}");
    }
    fs::remove_file(path(&directory)).unwrap();
    let problem = problem(&directory);
    assert!(problem.contains("world.log is missing, although "), "{problem}");
    assert!(!path(&directory).exists(), "no new world is begun");
    fs::write(path(&directory), text).unwrap();
    open(&directory);
}

#[tokio::test]
async fn a_log_that_is_cut_while_it_is_open_is_noticed() {
    let directory = TempDir::new().unwrap();
    let fixture = Fixture::over(open(&directory));
    fixture.done(Fixture::machine("a")).await;
    let text = fs::read_to_string(path(&directory)).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let cut = lines[..lines.len() - 1].concat();
    fs::write(path(&directory), &cut).unwrap();
    let (class, message) = rejection(fixture.carry_out(&create(Fixture::machine("b"))).await);
    assert_eq!(class, ErrorClass::Unusable);
    assert!(message.contains("was cut off while it was in use"), "{message}");
    drop(fixture);
    assert_eq!(fs::read_to_string(path(&directory)).unwrap(), cut);
}

#[tokio::test]
async fn an_end_that_a_crash_left_behind_is_no_damage() {
    let directory = TempDir::new().unwrap();
    drop(open(&directory));
    let end = directory.path().join("world/world.end");
    let of_before = fs::read(&end).unwrap();
    ended(&directory).await;
    let of_now = fs::read(&end).unwrap();
    assert_ne!(of_before, of_now);
    // Killed before the end was noted.
    fs::write(&end, of_before).unwrap();
    drop(open(&directory));
    assert_eq!(fs::read(&end).unwrap(), of_now, "noted by the next one");
    // Made by a version that notes no ends.
    fs::remove_file(&end).unwrap();
    drop(open(&directory));
    assert_eq!(fs::read(&end).unwrap(), of_now);
    // Killed while the world was made: there is a lock, and nothing else.
    fs::remove_file(&end).unwrap();
    fs::remove_file(path(&directory)).unwrap();
    open(&directory);
}

#[tokio::test]
async fn a_damaged_end_beside_a_whole_log_is_removed_and_nothing_is_lost() {
    let directory = TempDir::new().unwrap();
    ended(&directory).await;
    let end = directory.path().join("world/world.end");
    fs::write(&end, "{").unwrap();
    let error = SimulatedWorld::open(&directory.path().join("world"), options()).unwrap_err();
    assert!(error.to_string().contains("world.end is damaged: "), "{error}");
    assert!(error.help().contains("or remove it"), "{}", error.help());
    assert_eq!(fs::read_to_string(&end).unwrap(), "{");
    fs::remove_file(&end).unwrap();
    std::os::unix::fs::symlink("/nowhere", &end).unwrap();
    let error = SimulatedWorld::open(&directory.path().join("world"), options()).unwrap_err();
    assert!(error.to_string().contains("a link that leads nowhere"), "{error}");
    fs::remove_file(&end).unwrap();
    let fixture = Fixture::over(open(&directory));
    assert_eq!(fixture.observe(Kind::Machine, &[]).await.len(), 3);
}

#[tokio::test]
async fn what_was_waited_for_has_happened_for_the_next_process() {
    let directory = TempDir::new().unwrap();
    let fixture = Fixture::over(open(&directory));
    fixture.done(Fixture::machine("a")).await;
    let clock = fixture.world.clock();
    let later = clock.now() + jiff::SignedDuration::from_secs(600);
    clock.advance_to(later);
    drop((fixture, clock));
    assert_eq!(open(&directory).clock().now(), later);
    // Who only looks writes nothing.
    let text = fs::read(path(&directory)).unwrap();
    let world = open(&directory);
    world
        .clock()
        .advance_to(later + jiff::SignedDuration::from_secs(600));
    drop(world);
    assert_eq!(fs::read(path(&directory)).unwrap(), text);
}

#[tokio::test]
async fn a_process_that_ends_waits_for_no_lock() {
    let directory = TempDir::new().unwrap();
    let fixture = Fixture::over(open(&directory));
    fixture.done(Fixture::machine("a")).await;
    let end = directory.path().join("world/world.end");
    let before = fs::read(&end).unwrap();
    let lock = File::open(directory.path().join("world/world.lock")).unwrap();
    lock.lock().unwrap();
    drop(fixture);
    assert_eq!(
        fs::read(&end).unwrap(),
        before,
        "another process holds the lock still"
    );
    lock.unlock().unwrap();
    drop(open(&directory));
    assert_ne!(fs::read(&end).unwrap(), before, "noted by the next one");
}

#[test]
fn a_world_keeps_its_platform() {
    let directory = TempDir::new().unwrap();
    drop(open(&directory));
    let other = SimulatedOptions::new(Like::Ssh, 7);
    let error = SimulatedWorld::open(&directory.path().join("world"), other).unwrap_err();
    assert!(
        error.to_string().ends_with("is like aws, not like ssh"),
        "{error}"
    );
}

#[tokio::test]
async fn a_long_log_is_rewritten_and_others_notice() {
    let directory = TempDir::new().unwrap();
    let (fixture, other) = (Fixture::over(open(&directory)), Fixture::over(open(&directory)));
    fixture.done(Fixture::machine("a")).await;
    fixture.done(Fixture::network("main")).await;
    assert_eq!(other.observe(Kind::Machine, &[]).await.len(), 1);
    for index in 0..LEAST_LINES {
        let address = format!("10.0.{}.{}", index / 250, index % 250);
        fixture.world.add_host("h", &address).unwrap();
    }
    let lines = fs::read_to_string(path(&directory)).unwrap().lines().count();
    assert!(lines < 100, "{lines}");
    let seen = fixture.world.footprint(&fixture.context.cluster);
    assert_eq!(other.observe(Kind::Machine, &[]).await.len(), 1);
    assert_eq!(other.world.footprint(&other.context.cluster), seen);
    other.done(Fixture::machine("b")).await;
    assert_eq!(fixture.observe(Kind::Machine, &[]).await.len(), 2);
    assert_eq!(open(&directory).footprint(&fixture.context.cluster).len(), 3);
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_the_world() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    drop(open(&directory));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory.path().join("world")), 0o700);
    assert_eq!(mode(&path(&directory)), 0o600);
    assert_eq!(mode(&directory.path().join("world/world.lock")), 0o600);
}

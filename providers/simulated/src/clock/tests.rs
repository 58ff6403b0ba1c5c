use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::Clock;

use super::VirtualClock;

fn clock() -> Arc<VirtualClock> {
    Arc::new(VirtualClock::new(Timestamp::UNIX_EPOCH, 0))
}

fn seconds(clock: &VirtualClock) -> i64 {
    clock.now().as_second()
}

#[tokio::test]
async fn sleepers_wake_in_the_order_of_their_deadlines() {
    let (clock, order) = (clock(), Mutex::new(Vec::new()));
    let sleeper = async |name: &'static str, duration: u64| {
        clock.sleep(Duration::from_secs(duration)).await;
        order.lock().unwrap().push((name, seconds(&clock)));
    };
    clock
        .drive(Box::pin(async {
            tokio::join!(sleeper("late", 7200), sleeper("early", 60), sleeper("same", 60));
        }))
        .await;
    assert_eq!(
        *order.lock().unwrap(),
        [("early", 60), ("same", 60), ("late", 7200)]
    );
}

async fn a_thousand_in_turns(clock: Arc<VirtualClock>) -> Vec<(u64, i64)> {
    let order = Arc::new(Mutex::new(Vec::new()));
    let (inner, seen) = (Arc::clone(&clock), Arc::clone(&order));
    clock
        .drive(Box::pin(async move {
            let mut tasks = tokio::task::JoinSet::new();
            for index in 0..1000_u64 {
                let (clock, order) = (Arc::clone(&inner), Arc::clone(&seen));
                tasks.spawn(async move {
                    clock.sleep(Duration::from_secs(index * 7919 % 1000)).await;
                    clock.sleep(Duration::from_secs(index % 3)).await;
                    order.lock().unwrap().push((index, clock.now().as_second()));
                });
            }
            while tasks.join_next().await.is_some() {}
        }))
        .await;
    Arc::try_unwrap(order).unwrap().into_inner().unwrap()
}

#[tokio::test]
async fn a_thousand_sleepers_repeat_to_the_letter() {
    let first = a_thousand_in_turns(clock()).await;
    assert_eq!(first.len(), 1000);
    assert!(first.iter().is_sorted_by_key(|&(_, second)| second));
    assert_eq!(first, a_thousand_in_turns(clock()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_also_runs_on_several_threads() {
    assert_eq!(a_thousand_in_turns(clock()).await.len(), 1000);
}

#[tokio::test]
async fn a_dropped_sleep_leaves_no_place_behind() {
    let clock = clock();
    clock
        .drive(Box::pin(async {
            tokio::select! {
                () = clock.sleep(Duration::from_secs(3600)) => panic!("the longer one won"),
                () = clock.sleep(Duration::from_secs(5)) => {}
            }
            assert_eq!(clock.sleepers(), 0);
            clock.sleep(Duration::from_secs(1)).await;
        }))
        .await;
    assert_eq!(seconds(&clock), 6);
}

#[tokio::test]
async fn waiting_for_something_real_keeps_virtual_time_still() {
    let clock = clock();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        let _ = sender.send(());
    });
    clock.drive(Box::pin(async { receiver.await.unwrap() })).await;
    assert_eq!(seconds(&clock), 0);
}

#[tokio::test]
async fn a_sleeper_on_another_task_gets_time_too() {
    let clock = clock();
    let task = tokio::spawn({
        let clock = Arc::clone(&clock);
        async move {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            clock.sleep(Duration::from_secs(90)).await;
        }
    });
    clock.drive(Box::pin(async { task.await.unwrap() })).await;
    assert_eq!(seconds(&clock), 90);
}

#[tokio::test]
async fn speed_ties_virtual_time_to_real_time_and_work_interrupts_it() {
    let clock = VirtualClock::new(Timestamp::UNIX_EPOCH, 1000);
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        let _ = sender.send(());
    });
    clock
        .drive(Box::pin(async {
            clock.sleep(Duration::from_secs(5)).await;
            tokio::select! {
                () = clock.sleep(Duration::from_secs(86_400)) => panic!("a day takes 86 s at this speed"),
                result = receiver => result.unwrap(),
            }
        }))
        .await;
    assert!((5..86_400).contains(&seconds(&clock)), "{}", seconds(&clock));
}

#[tokio::test]
async fn time_never_goes_back() {
    let clock = clock();
    clock.advance_to("2026-01-01T00:00:00Z".parse().unwrap());
    clock.advance_to(Timestamp::UNIX_EPOCH);
    assert_eq!(clock.now(), "2026-01-01T00:00:00Z".parse().unwrap());
}

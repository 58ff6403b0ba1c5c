//! keelson ends at any request, and is run again.

use std::time::Duration;

use keelson_provider_api::{Kind, ProviderError};

use super::addons::{SHOP, SMALLER_SHOP};
use super::api_server::Fault;
use super::scene::{Scene, block_on};

/// How keelson's end meets the request that it dies at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The request never comes.
    Before,
    /// It has its effect, which nobody hears of.
    After,
}

/// From request `at` on, nothing of this run reaches the server.
fn die(scene: &Scene, at: usize, end: End) {
    scene.api.fail(move |number, _| match end {
        _ if number < at => None,
        End::After if number == at => Some(Fault::DropAfter),
        _ => Some(Fault::DropBefore),
    });
}

/// What is asked for, one after the other; the last one is what is cut off.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Has(&'static str),
    IsGone,
}

impl Wish {
    async fn grant(self, scene: &Scene) -> Result<(), ProviderError> {
        match self {
            Self::Has(manifest) => scene.apply("shop", manifest).await,
            Self::IsGone => scene.remove(Kind::Addon, "shop").await,
        }
    }
}

async fn prepared(before: &[Wish]) -> Scene {
    let scene = Scene::founded().await;
    for wish in before {
        wish.grant(&scene).await.unwrap();
    }
    scene.api.mend();
    scene
}

/// Grants `wish` once to see its requests, then again for each of them, with keelson ended there and run again with
/// `then`: the end is to be what `then` alone would have led to.
async fn survive(before: &[Wish], wish: Wish, then: Wish) {
    let undisturbed = prepared(before).await;
    then.grant(&undisturbed).await.unwrap();
    let expected = undisturbed.api.with(|world| world.contents());
    let counted = prepared(before).await;
    wish.grant(&counted).await.unwrap();
    let requests = counted.api.requests();
    assert!(requests.len() > 10, "{requests:#?}");
    for (at, request) in requests.iter().enumerate() {
        // Nobody tells apart whether a look happened.
        let ends: &[End] = if request.starts_with("GET") {
            &[End::Before]
        } else {
            &[End::Before, End::After]
        };
        for &end in ends {
            let scene = prepared(before).await;
            die(&scene, at, end);
            // Whatever it comes to is not heard.
            let _ = tokio::time::timeout(Duration::from_secs(20), wish.grant(&scene))
                .await
                .unwrap();
            scene.api.mend();
            let scene = scene.restarted();
            let outcome = then.grant(&scene).await;
            outcome.unwrap_or_else(|error| panic!("{at} {request} {end:?}: {error}"));
            assert_eq!(
                scene.api.with(|world| world.contents()),
                expected,
                "{at} {request} {end:?}"
            );
        }
    }
}

#[test]
fn an_addon_that_was_cut_off_anywhere_is_finished_by_the_next_run() {
    block_on(survive(&[], Wish::Has(SHOP), Wish::Has(SHOP)));
}

#[test]
fn a_change_that_was_cut_off_anywhere_is_finished_by_the_next_run() {
    block_on(survive(
        &[Wish::Has(SHOP)],
        Wish::Has(SMALLER_SHOP),
        Wish::Has(SMALLER_SHOP),
    ));
}

#[test]
fn a_removal_that_was_cut_off_anywhere_is_finished_by_the_next_run() {
    block_on(survive(&[Wish::Has(SHOP)], Wish::IsGone, Wish::IsGone));
}

#[test]
fn a_change_that_was_cut_off_and_is_not_wanted_any_more_is_taken_back() {
    block_on(survive(
        &[Wish::Has(SMALLER_SHOP)],
        Wish::Has(SHOP),
        Wish::Has(SMALLER_SHOP),
    ));
}

#[test]
fn an_addon_that_was_cut_off_and_is_not_wanted_any_more_is_removed() {
    block_on(survive(&[], Wish::Has(SHOP), Wish::IsGone));
}

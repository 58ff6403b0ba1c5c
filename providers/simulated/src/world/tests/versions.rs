use keelson_provider_api::{Disruption, Outcome};

use crate::Like;
use crate::testing::{Fixture, create, rejection};

#[tokio::test]
async fn kubernetes_versions_keep_to_the_skew_policy() {
    let fixture = Fixture::with_three(Like::Aws).await;
    fixture.done(Fixture::machine("w")).await;
    let ahead = fixture.carry_out(&create(Fixture::bundle("w", 37))).await;
    assert!(
        rejection(ahead)
            .1
            .starts_with("kubelet 1.37.2 is newer than the API server 1.36.2")
    );
    fixture.done(Fixture::bundle("w", 34)).await;
    let update = async |name, minor| {
        fixture
            .update(Fixture::bundle(name, minor), Disruption::Drain)
            .await
    };
    assert_eq!(
        rejection(update("a", 38).await).1,
        "an API server cannot go from 1.36.2 to 1.38.2: one minor release at a time"
    );
    assert_eq!(update("a", 37).await, Outcome::Done);
    assert_eq!(
        rejection(update("a", 38).await).1,
        "API servers 1.38.2 and 1.36.2 on b are more than one minor release apart"
    );
    assert_eq!(
        rejection(update("a", 36).await).1,
        "an API server cannot go back from 1.37.2 to 1.36.2"
    );
    assert!(
        rejection(update("w", 37).await)
            .1
            .contains("is newer than the API server 1.36.2")
    );
    for name in ["b", "c"] {
        assert_eq!(update(name, 37).await, Outcome::Done);
    }
    assert_eq!(
        rejection(update("a", 38).await).1,
        "kubelet 1.34.2 on w is too old for API server 1.38.2"
    );
    assert_eq!(update("w", 37).await, Outcome::Done);
}

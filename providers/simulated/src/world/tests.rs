use super::*;
use crate::testing::Fixture;

#[tokio::test]
async fn three_control_planes_come_up() {
    for like in [Like::Aws, Like::Digitalocean, Like::Ssh] {
        let fixture = Fixture::with_three(like).await;
        assert_eq!(fixture.world.footprint(&fixture.context.cluster).len(), 12);
        assert!(
            fixture
                .world
                .footprint(&fixture.context.cluster)
                .values()
                .all(|existing| existing.health.is_healthy())
        );
        assert_eq!(fixture.world.violations(), []);
    }
}

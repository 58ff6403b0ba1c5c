//! What controllers of clusters made in the simulated world: shown before a destroy, gone after it.

use keelson::execute::Silent;
use keelson::view::plan_text;
use keelson_provider_api::Kind;

use super::life::{Life, NAME, Operation, Run, block_on};
use super::specs::Shape;

/// In worlds of even seeds controllers make something.
const SEED: u64 = 4;

fn shape() -> Shape {
    Shape {
        like: "aws",
        control_planes: 1,
        dedicated_etcd: false,
        separate_events: false,
        domain: false,
        workers: 2,
        ..Shape::of_seed(0)
    }
}

#[test]
fn they_are_no_part_of_a_plan_and_shown_by_a_destroy_that_takes_them_away() {
    block_on(async {
        let shape = shape();
        let mut life = Life::new(SEED, &shape);
        let apply = Operation::Apply(shape.clone());
        assert!(matches!(life.run(&apply, &Silent).await, Run::Done));
        life.check(&apply).await.unwrap();

        let session = life.session(shape.spec(NAME, SEED));
        let living = session.plan(&Silent).await.unwrap();
        assert_eq!(
            living.observation.owned_of(Kind::Leftover).count(),
            0,
            "nobody asks"
        );
        let planned = session.plan_destruction(&Silent).await.unwrap();
        assert_eq!(planned.observation.owned_of(Kind::Leftover).count(), 4);
        let text = anstream::adapter::strip_str(&plan_text::render(&planned, false)).to_string();
        insta::assert_snapshot!("plan_of_a_destroy_with_leftovers", text);

        let destroy = Operation::Destroy(shape);
        match life.run(&destroy, &Silent).await {
            Run::Done => {}
            other => panic!("{other:?}"),
        }
        life.check(&destroy).await.unwrap();
        life.check_gone().unwrap();
    });
}

#[test]
fn without_controllers_that_make_something_a_destroy_shows_nothing_of_the_kind() {
    block_on(async {
        let shape = shape();
        let mut life = Life::new(SEED + 1, &shape);
        assert!(matches!(
            life.run(&Operation::Apply(shape.clone()), &Silent).await,
            Run::Done
        ));
        let session = life.session(shape.spec(NAME, SEED + 1));
        let planned = session.plan_destruction(&Silent).await.unwrap();
        let text = plan_text::render(&planned, false);
        assert!(!text.contains("leftover") && !text.contains("Data:"), "{text}");
    });
}

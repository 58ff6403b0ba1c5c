//! Add-ons: applied in order, pruned by their inventory, looked at.

use keelson_provider_api::kinds::Addon;
use keelson_provider_api::{Action, ErrorClass, Health, Kind, Observed, Outcome, Owner, Resource};
use serde_json::json;

use super::scene::{Scene, block_on};

pub(super) const SHOP: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: { name: shop }
---
apiVersion: example.org/v1
kind: Widget
metadata: { name: first }
spec: { size: 1 }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: shop } }
  template: { metadata: { labels: { app: shop } }, spec: { containers: [{ name: shop, image: shop }] } }
---
apiVersion: v1
kind: Service
metadata: { name: shop, namespace: shop }
spec: { ports: [{ port: 80 }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, namespace: shop }
data: { colour: blue, size: large }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: shop, namespace: shop }
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.example.org }
spec:
  group: example.org
  scope: Namespaced
  names: { kind: Widget, plural: widgets }
  versions: [{ name: v1, served: true, storage: true }]
---
apiVersion: v1
kind: Namespace
metadata: { name: shop }
";

/// The same without its Service and its widget, with another colour and without a size.
pub(super) const SMALLER_SHOP: &str = "
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.example.org }
spec:
  group: example.org
  scope: Namespaced
  names: { kind: Widget, plural: widgets }
  versions: [{ name: v1, served: true, storage: true }]
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: shop, namespace: shop }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, namespace: shop }
data: { colour: red }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: shop, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: shop } }
  template: { metadata: { labels: { app: shop } }, spec: { containers: [{ name: shop, image: shop }] } }
";

fn shop_names() -> Vec<String> {
    [
        "ClusterRoleBinding /keelson:cluster-admins",
        "ConfigMap kube-system/keelson-addon-cluster-access",
        "ConfigMap kube-system/keelson-addon-shop",
        "ConfigMap shop/settings",
        "CustomResourceDefinition /widgets.example.org",
        "Deployment shop/shop",
        "Service shop/shop",
        "ServiceAccount shop/shop",
        "ValidatingWebhookConfiguration /shop",
        "Widget default/first",
    ]
    .map(str::to_owned)
    .into()
}

/// The paths of a kind's writes come in this order.
fn position(requests: &[String], part: &str) -> usize {
    let found = requests
        .iter()
        .position(|request| request.starts_with("PATCH") && request.contains(part));
    found.unwrap_or_else(|| panic!("no request for {part}: {requests:#?}"))
}

#[test]
fn an_addon_is_applied_in_the_order_of_dependency_after_its_inventory() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.apply("shop", SHOP).await.unwrap();
        assert_eq!(scene.api.with(|world| world.names()), shop_names());
        let requests = scene.api.requests();
        let order = [
            "configmaps/keelson-addon-shop",
            "namespaces/shop",
            "customresourcedefinitions",
            "serviceaccounts",
            "configmaps/settings",
            "services/shop",
            "deployments",
            "widgets/first",
            "validatingwebhookconfigurations",
        ];
        let positions: Vec<usize> = order.iter().map(|part| position(&requests, part)).collect();
        assert!(positions.is_sorted(), "{requests:#?}");
        let last = requests
            .iter()
            .rfind(|request| request.starts_with("PATCH"))
            .unwrap();
        assert!(last.ends_with("configmaps/keelson-addon-shop"), "{requests:#?}");
        let told = scene.told().join("\n");
        assert!(told.contains("wait for new kinds to be served"), "{told}");
    });
}

#[test]
fn applying_twice_changes_nothing() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.apply("shop", SHOP).await.unwrap();
        let before = scene.api.with(|world| world.contents());
        let wanted = scene.wanted("shop", SHOP);
        let seen = scene.present(Kind::Addon, "shop").await;
        assert_eq!(seen.resource, Resource::from(wanted.clone()));
        // Also when it is carried out again.
        let action = Action::Create {
            resource: Box::new(wanted.into()),
            generation: 3,
        };
        assert_eq!(scene.attempt("shop", action, Kind::Addon).await, Outcome::Done);
        assert_eq!(scene.api.with(|world| world.contents()), before);
    });
}

#[test]
fn what_an_addon_no_longer_has_is_removed_and_nothing_else() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.apply("shop", SHOP).await.unwrap();
        scene.api.with(|world| {
            // Fields and objects of others.
            world.edit("v1", "ConfigMap", "shop", "settings", |map| {
                map["data"]["theirs"] = json!("kept");
            });
            world.put(
                "v1",
                "Service",
                "shop",
                &json!({ "metadata": { "name": "theirs" } }),
            );
            world.put(
                "v1",
                "ConfigMap",
                "default",
                &json!({ "metadata": { "name": "theirs" } }),
            );
        });
        scene.apply("shop", SMALLER_SHOP).await.unwrap();
        let gone = [
            "Service shop/shop",
            "ValidatingWebhookConfiguration /shop",
            "Widget default/first",
        ];
        let mut expected: Vec<String> = shop_names();
        expected.retain(|name| !gone.contains(&name.as_str()));
        expected.extend([
            "Service shop/theirs".to_owned(),
            "ConfigMap default/theirs".to_owned(),
        ]);
        expected.sort();
        assert_eq!(scene.api.with(|world| world.names()), expected);
        let data = scene
            .api
            .with(|world| world.get("v1", "ConfigMap", "shop", "settings").unwrap()["data"].clone());
        assert_eq!(data, json!({ "colour": "red", "theirs": "kept" }));
    });
}

#[test]
fn a_deleted_addon_takes_everything_of_its_own_along() {
    block_on(async {
        let scene = Scene::founded().await;
        let before = scene.api.with(|world| world.contents());
        scene.apply("shop", SHOP).await.unwrap();
        scene.remove(Kind::Addon, "shop").await.unwrap();
        assert_eq!(scene.api.with(|world| world.contents()), before);
        assert!(matches!(scene.find(Kind::Addon, "shop").await, Observed::Absent));
    });
}

#[test]
fn an_object_that_someone_else_made_under_a_name_of_ours_stays() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.apply("shop", SHOP).await.unwrap();
        scene.api.with(|world| {
            let key = world.key("v1", "Service", "shop", "shop");
            world.objects.remove(&key);
            world.put(
                "v1",
                "Service",
                "shop",
                &json!({ "metadata": { "name": "shop" }, "spec": { "theirs": true } }),
            );
        });
        scene.apply("shop", SMALLER_SHOP).await.unwrap();
        assert!(
            scene
                .api
                .with(|world| world.get("v1", "Service", "shop", "shop").is_some())
        );
        assert!(
            scene
                .told()
                .iter()
                .any(|line| line == "leave Service shop/shop alone: someone else made it")
        );
    });
}

#[test]
fn what_goes_over_to_another_addon_is_not_pruned() {
    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: shared, namespace: default }\n";
    const OTHER: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: other, namespace: default }\n";
    block_on(async {
        let scene = Scene::founded().await;
        scene.apply("one", &format!("{MAP}---\n{OTHER}")).await.unwrap();
        scene.apply("two", MAP).await.unwrap();
        scene.apply("one", OTHER).await.unwrap();
        let is_there = |name: &'static str| {
            scene
                .api
                .with(|world| world.get("v1", "ConfigMap", "default", name).is_some())
        };
        assert!(is_there("shared") && is_there("other"));
        scene.remove(Kind::Addon, "two").await.unwrap();
        assert!(!is_there("shared") && is_there("other"));
    });
}

#[test]
fn another_version_of_a_kind_is_the_same_object() {
    let gadget = |version: &str| {
        format!(
            "apiVersion: example.com/{version}\nkind: Gadget\nmetadata: {{ name: a, namespace: default }}\n"
        )
    };
    block_on(async {
        let scene = Scene::founded().await;
        scene.apply("gadgets", &gadget("v1beta1")).await.unwrap();
        scene.apply("gadgets", &gadget("v1")).await.unwrap();
        assert!(
            scene
                .api
                .with(|world| world.get("example.com/v1", "Gadget", "default", "a").is_some())
        );
        assert!(
            !scene
                .api
                .requests()
                .iter()
                .any(|request| request.starts_with("DELETE"))
        );
    });
}

#[test]
fn health_is_that_of_the_workloads_in_the_words_of_their_pods() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.apply("shop", SHOP).await.unwrap();
        let health = scene.present(Kind::Addon, "shop").await.health;
        assert_eq!(
            health,
            Health::Unhealthy("Deployment shop/shop: 0 of 2 pods available".to_owned())
        );
        scene.api.with(|world| {
            world.put("v1", "Pod", "shop", &json!({
                "metadata": { "name": "shop-1", "labels": { "app": "shop" } },
                "status": { "phase": "Pending", "containerStatuses": [{ "name": "shop", "image": "shop", "imageID": "",
                    "ready": false, "restartCount": 0, "state": { "waiting": { "reason": "ImagePullBackOff",
                    "message": "Back-off pulling image \"shop\"" } } }] },
            }));
            world.edit("apps/v1", "Deployment", "shop", "shop", |deployment| {
                deployment["status"] = json!({ "availableReplicas": 1 });
            });
        });
        let health = scene.present(Kind::Addon, "shop").await.health;
        let words = "Deployment shop/shop: 1 of 2 pods available: shop-1: ImagePullBackOff: Back-off pulling image \"shop\"";
        assert_eq!(health, Health::Unhealthy(words.to_owned()));
        scene.api.with(|world| {
            world.edit("apps/v1", "Deployment", "shop", "shop", |deployment| {
                deployment["status"] = json!({ "availableReplicas": 2 });
            });
        });
        assert_eq!(scene.present(Kind::Addon, "shop").await.health, Health::Healthy);
    });
}

#[test]
fn an_object_that_is_gone_is_seen_and_made_again() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.apply("shop", SHOP).await.unwrap();
        let service = scene.api.with(|world| world.key("v1", "Service", "shop", "shop"));
        scene.api.with(|world| world.objects.remove(&service));
        let seen = scene.present(Kind::Addon, "shop").await;
        assert_eq!(
            seen.health,
            Health::Unhealthy("Service shop/shop is missing".to_owned())
        );
        assert_ne!(seen.resource, Resource::from(scene.wanted("shop", SHOP)));
        scene.apply("shop", SHOP).await.unwrap();
        assert!(scene.api.with(|world| world.objects.contains_key(&service)));
    });
}

#[test]
fn an_addon_of_another_life_is_foreign_and_untouched() {
    block_on(async {
        let mut scene = Scene::founded().await;
        scene.apply("shop", SHOP).await.unwrap();
        let before = scene.api.with(|world| world.contents());
        scene.identity.uid = Some(keelson_provider_api::ClusterUid::new("life-2"));
        let seen = scene.present(Kind::Addon, "shop").await;
        assert_eq!(seen.owner, Owner::Other("cluster life-1".to_owned()));
        assert!(scene.find_all(Kind::Addon, &[].into()).await.is_empty());
        let wanted: Addon = scene.wanted("shop", SMALLER_SHOP);
        let action = Action::Create {
            resource: Box::new(wanted.into()),
            generation: 0,
        };
        let Outcome::Rejected(error) = scene.attempt("shop", action, Kind::Addon).await else {
            panic!()
        };
        assert_eq!(error.class, ErrorClass::Permanent);
        assert!(error.message.contains("belongs to another cluster"), "{error}");
        assert_eq!(scene.api.with(|world| world.contents()), before);
    });
}

#[test]
fn a_later_run_fences_an_earlier_one_off() {
    block_on(async {
        let mut scene = Scene::founded().await;
        scene.apply("shop", SHOP).await.unwrap();
        scene.fencing_generation = 6;
        let error = scene.apply("shop", SMALLER_SHOP).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Fenced, "{error}");
    });
}

#[test]
fn a_refusal_is_told_in_the_api_servers_words() {
    block_on(async {
        let scene = Scene::founded().await;
        let message = "pods \"shop\" is forbidden: violates PodSecurity \"restricted:latest\"";
        scene.api.with(|world| {
            world
                .refusals
                .insert("shop".to_owned(), (403, "Forbidden", message))
        });
        let service = "apiVersion: v1\nkind: Service\nmetadata: { name: shop, namespace: default }\n";
        let error = scene.apply("shop", service).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent);
        assert_eq!(
            error.message,
            format!("failed to apply Service default/shop: {message}")
        );
        let seen = scene.present(Kind::Addon, "shop").await;
        assert_eq!(
            seen.health,
            Health::Unhealthy("it was begun and not finished".to_owned())
        );
        let missing = "apiVersion: v1\nkind: Service\nmetadata: { name: a, namespace: nowhere }\n";
        let error = scene.apply("b", missing).await.unwrap_err();
        assert_eq!(
            error.message,
            "failed to apply Service nowhere/a: namespaces \"nowhere\" not found"
        );
        let unknown = "apiVersion: example.net/v1\nkind: Thing\nmetadata: { name: a }\n";
        let error = scene.apply("c", unknown).await.unwrap_err();
        assert_eq!(
            error.message,
            "failed to apply Thing a: the API server has no kind Thing in example.net/v1"
        );
        assert!(
            matches!(scene.find(Kind::Addon, "c").await, Observed::Absent),
            "nothing was begun"
        );
    });
}

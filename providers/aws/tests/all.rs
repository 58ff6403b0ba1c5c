//! All providers of AWS, as a registry lists them.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use keelson_aws_calls::{AwsCalls, CallSettings};
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::{Clock, Kind, Provider};
use keelson_provider_aws::{
    EdgeProvider, GroupProvider, KeptProvider, LeftoversProvider, MachineProvider, PlacesProvider,
};

use crate::machine::Given;
use crate::scene::REGION;

#[test]
fn each_kind_is_looked_after_by_one_provider() {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let nobody = Credentials::new("AKIAKEELSON", "secret", None, None, "tests");
    let settings = CallSettings::new(REGION, SharedCredentialsProvider::new(nobody), http);
    let calls = AwsCalls::new(&settings);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let given = Arc::new(Given::default());
    let providers: [Arc<dyn Provider>; 6] = [
        Arc::new(PlacesProvider::new(&calls, REGION, clock.clone())),
        Arc::new(KeptProvider::new(&calls, REGION, clock.clone())),
        Arc::new(EdgeProvider::new(&calls, None, clock.clone())),
        Arc::new(LeftoversProvider::new(&calls, None, clock.clone())),
        Arc::new(MachineProvider::new(&calls, given.clone(), clock.clone())),
        Arc::new(GroupProvider::new(&calls, given, clock)),
    ];
    let kinds: Vec<Kind> = providers
        .iter()
        .flat_map(|provider| provider.kinds().to_vec())
        .collect();
    let different: BTreeSet<Kind> = kinds.iter().copied().collect();
    assert_eq!((kinds.len(), different.len()), (15, 15), "{kinds:?}");
    let names: BTreeSet<&str> = providers.iter().map(|provider| provider.name()).collect();
    assert_eq!(names.len(), providers.len());
}

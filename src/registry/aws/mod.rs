//! Clusters whose machines keelson makes on AWS.

mod policies;
mod whereabouts;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::{BulkStore, Clock, FirstBoot, Provider, Store};
use keelson_provider_aws::{
    EdgeProvider, EdgeZone, GroupProvider, KeptProvider, LeftoversProvider, MachineProvider, PlacedMachines,
    PlacesProvider, PrivateZone, calls,
};
use keelson_provider_ssh::{FirstBootBundles, Hosts, SshOptions, Target};

pub(super) use self::policies::{policy_of_life, policy_of_plan};
use self::whereabouts::Instances;
use super::on_machines::{Common, Machines};
use super::ssh_access::HostAccess;
use super::state_store::bucket_region;
use super::{ConnectError, ConnectOptions, Reached};
use crate::model::Blueprint;
use crate::ops::{Authorities, FirstBootTerms, FirstBoots, MachineAccess};
use crate::spec::{AwsDns, AwsProvider, StateStore, ValidSpec};

/// Images differ in the user that they know; all have this one, and what keelson does it does as this one.
const LOGIN_USER: &str = "root";
/// What stands in for the address of a machine that is not there: machines are where [`Instances`] says.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The machines of `spec`, and what they stand on.
pub(super) async fn reach(
    spec: &ValidSpec,
    aws: &AwsProvider,
    options: &ConnectOptions,
    bulk_store: &Arc<dyn BulkStore>,
) -> Result<Reached, ConnectError> {
    refuse_what_is_to_come(spec, aws)?;
    let store: Arc<dyn Store> = bulk_store.clone();
    let StateStore::S3(bucket) = &spec.spec().state_store else {
        return Err(ConnectError::NoBucket(spec.spec().state_store.to_string()));
    };
    let terms = FirstBootTerms {
        region: bucket_region(spec, bucket, options).await?,
        login_user: LOGIN_USER.to_owned(),
    };
    let common = Common::of(spec, options, &store).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let calls = aws_calls(aws, options)?;
    let machines = PlacedMachines::new(&calls);
    let hosts = open(spec, options, &store, &common.authorities, machines).await?;
    let first_boot: Arc<dyn FirstBoot> =
        Arc::new(FirstBoots::new(common.bundles.clone(), store.clone(), terms));
    let bundles = FirstBootBundles::new(hosts.clone(), common.bundles.clone(), first_boot.clone());
    let providers: Vec<Arc<dyn Provider>> = vec![
        Arc::new(PlacesProvider::new(&calls, &*aws.region, clock.clone())),
        Arc::new(KeptProvider::new(&calls, &*aws.region, clock.clone())),
        Arc::new(EdgeProvider::new(&calls, zone(aws), clock.clone())),
        Arc::new(LeftoversProvider::new(
            &calls,
            existing_network(aws),
            clock.clone(),
        )),
        Arc::new(MachineProvider::new(&calls, first_boot.clone(), clock.clone())),
        Arc::new(bundles),
    ];
    let machines = Machines {
        hosts,
        providers,
        groups: Some(Arc::new(GroupProvider::new(&calls, first_boot, clock))),
    };
    common.reach(spec, options, bulk_store, machines)
}

/// The way to the machines of `spec`, whatever runs on them.
pub(super) async fn machine_access(
    spec: &ValidSpec,
    aws: &AwsProvider,
    options: &ConnectOptions,
    store: &Arc<dyn Store>,
) -> Result<Arc<dyn MachineAccess>, ConnectError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let authorities = super::on_machines::authorities(spec, options, store, &clock)?;
    let machines = PlacedMachines::new(&aws_calls(aws, options)?);
    let hosts = open(spec, options, store, &authorities, machines).await?;
    Ok(Arc::new(HostAccess(hosts)))
}

fn aws_calls(
    aws: &AwsProvider,
    options: &ConnectOptions,
) -> Result<keelson_provider_aws::AwsCalls, ConnectError> {
    let endpoint = aws.endpoint.as_ref().map(|endpoint| endpoint.as_str().to_owned());
    calls(&options.aws, &aws.region, endpoint).map_err(|error| ConnectError::Aws(error.to_string()))
}

async fn open(
    spec: &ValidSpec,
    options: &ConnectOptions,
    store: &Arc<dyn Store>,
    authorities: &Authorities,
    machines: PlacedMachines,
) -> Result<Arc<Hosts>, ConnectError> {
    let blueprint = Blueprint::of(spec);
    let targets = blueprint.machines.iter().map(|machine| Target {
        name: machine.name.clone(),
        address: machine.internal_address.unwrap_or(NOWHERE).to_string(),
        internal_address: machine.internal_address.unwrap_or(NOWHERE),
        user: None,
        port: None,
    });
    let targets: Vec<Target> = targets.collect();
    let jump = blueprint.bastion.as_ref().map(|bastion| bastion.name.clone());
    let instances = Instances::new(
        spec.name(),
        machines,
        store.clone(),
        authorities.clone(),
        LOGIN_USER,
    );
    let instances = instances
        .map_err(ConnectError::LoginFile)?
        .reached_through(jump.clone());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut ssh = SshOptions::new(spec.name().clone(), targets, store.clone(), clock);
    ssh.gone.clone_from(&options.gone_hosts);
    ssh.identity = Some(instances.login_file());
    ssh.jump = jump;
    ssh.whereabouts = Some(Arc::new(instances));
    Hosts::open(ssh).await.map_err(ConnectError::Hosts)
}

/// The network that was there before, if the cluster is in one.
fn existing_network(aws: &AwsProvider) -> Option<String> {
    aws.network.vpc.clone()
}

/// Refuses what this build cannot bring up, before anything of it is made: machines would be told where others are that nobody knows
/// before the cloud has made them.
fn refuse_what_is_to_come(spec: &ValidSpec, aws: &AwsProvider) -> Result<(), ConnectError> {
    if !spec.is_etcd_alone() && zone(aws).is_none() {
        return Err(ConnectError::Aws(
            "this build of keelson brings up no Kubernetes without a name for its API: name a zone of Route 53 in \
             spec.provider.aws.hostedZone"
                .to_owned(),
        ));
    }
    let blueprint = Blueprint::of(spec);
    let unknown = blueprint
        .machines
        .iter()
        .find(|one| one.internal_address.is_none());
    match unknown {
        Some(machine) => Err(ConnectError::Aws(format!(
            "this build of keelson puts no control planes and no etcd into subnets that exist already, so {} has no address: leave \
             the subnets of spec.provider.aws.network to keelson",
            machine.name
        ))),
        None => Ok(()),
    }
}

/// Where the API's name is made, if it has one.
fn zone(aws: &AwsProvider) -> Option<EdgeZone> {
    let name = aws.hosted_zone.clone()?;
    match aws.dns {
        None | Some(AwsDns::Public) => Some(EdgeZone::Public(name)),
        Some(AwsDns::Private) => Some(EdgeZone::Private(PrivateZone {
            name,
            region: aws.region.clone(),
            existing_vpc: aws.network.vpc.clone(),
        })),
        Some(AwsDns::None) => None,
    }
}

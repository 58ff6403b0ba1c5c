//! The vocabulary that keelson shares with its providers.
//!
//! Nothing here knows a cloud's SDK, so the planner, the simulated world and most tests build without one.
//!
//! | module | holds |
//! |---|---|
//! | [`values`] | small values with a text form: names, versions, address ranges, digests |
//! | [`kinds`] | the catalogue of resource kinds: what each is made of and what changing a field costs |
//! | [`key`] | what a resource is called inside one cluster |
//! | [`observed`] | what was seen of the world: present, absent, or unknown with its reason |
//! | [`archive`] | archives of small files, as bundles travel |
//! | [`bulk`] | large objects in a store |
//! | [`etcd_drill`] | restoring a snapshot for trial |
//! | [`etcd_maintenance`] | what is done to a running etcd: snapshots, space given back |
//! | [`etcd_restore`] | giving an etcd the data of a snapshot |
//! | [`causes`](mod@causes) | errors with their causes |
//! | [`etcd_facts`] | what a provider tells of an etcd member, for people |
//! | [`change`] | one thing to do to the world |
//! | [`etcd`] | the etcds that a machine can run: units, folders, ports |
//! | [`bundle`] | what a machine is given to run, and where a provider gets it from |
//! | [`first_boot`] | what a machine that is made in a cloud does before anybody can log in |
//! | [`mark`] | what a machine that was claimed bears |
//! | [`joining`] | reaching an API server, starting and stopping kubelets |
//! | [`provider`] | who carries changes out, and how a change can end |
//! | [`store`] | where state is kept, with compare-and-swap |
//! | [`clock`] | time and waiting, real or virtual |
//! | [`patience`] | waiting that ends |
//! | [`whole_file`] | files that are there as a whole or not at all |

pub mod archive;
pub mod bulk;
pub mod bundle;
pub mod causes;
pub mod change;
pub mod clock;
pub mod etcd;
pub mod etcd_drill;
pub mod etcd_facts;
pub mod etcd_maintenance;
pub mod etcd_restore;
pub mod etcd_schedule;
pub mod first_boot;
pub mod identity;
pub mod joining;
pub mod key;
pub mod kinds;
pub mod mark;
pub mod observed;
pub mod patience;
pub mod provider;
pub mod store;
pub mod values;
pub mod whole_file;

pub use bulk::{BulkReader, BulkStore, BulkWriter};
pub use bundle::{Asset, AssetSource, Bundle, BundleRecord, BundleSource, CertificatePaths, FoundOnMachine};
pub use causes::{advice, causes, with_causes};
pub use change::{Action, Change, Disruption};
pub use clock::{BoxFuture, Clock};
pub use etcd::EtcdInstance;
pub use etcd_drill::{DrillSnapshot, Drilled, EtcdDrill};
pub use etcd_facts::{EtcdAnswer, EtcdMemberFacts};
pub use etcd_maintenance::{
    DatabaseSize, Defragmented, EtcdMaintenance, HistoryHash, LiveKeys, SnapshotContents, WrittenSnapshot,
    read_whole,
};
pub use etcd_restore::{EtcdRestore, NotedContents, Restoration, SetAside};
pub use etcd_schedule::{ScheduledRuns, ScheduledSnapshots};
pub use first_boot::{FirstBoot, NewGroup, NewMachine, USER_DATA_LIMIT_BYTES};
pub use identity::{ClusterIdentity, ClusterUid, Owner};
pub use joining::{API_SERVER_NAME, ApiPath, Joined, Kubelets, ReachApi, Registration};
pub use key::ResourceKey;
pub use kinds::{Kind, Resource};
pub use mark::Mark;
pub use observed::{Existing, Health, KindObservation, Observation, Observed};
pub use patience::Patience;
pub use provider::{ErrorClass, Finding, Outcome, Progress, Provider, ProviderError, Severity, StepContext};
pub use store::{Precondition, Store, StoreError, Versioned};

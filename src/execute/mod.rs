//! The executor: carries a plan out and chooses nothing.
//!
//! | module | does |
//! |---|---|
//! | [`event`] | what is told while a plan is carried out, and to whom |
//! | [`providers`] | which provider looks after which kind |
//! | [`mod@observe`] | looks at the world through all providers |
//! | [`lease`] | makes sure that one keelson at a time changes a cluster |
//! | [`backoff`] | how long to wait before trying again |
//! | `step` | carries one step out: permit, attempts, looking again |
//! | [`execution`] | one run of a plan: what it needs, and how it ends |
//! | `dispatch` | starts each step the moment all that it waits for is done |
//! | `permits` | who may take something down, one at a time, and what there is to count before |
//! | [`interrupt`] | the wish that a run stops |
//! | [`journal`] | writes down what was done, for people and audits |

pub mod backoff;
mod dispatch;
pub mod event;
pub mod execution;
pub mod interrupt;
pub mod journal;
pub mod lease;
pub mod observe;
mod permits;
pub mod providers;
mod step;

pub use event::{Event, Reporter, Silent};
pub use execution::{Executed, Execution, StepFailure};
pub use interrupt::{Interrupt, StopReason};
pub use journal::Journal;
pub use lease::{HolderProcess, Lease, LeaseError, LeaseHolder, LeaseRecord, Processes};
pub use observe::observe;
pub use providers::{ProviderSet, ProviderSetError};

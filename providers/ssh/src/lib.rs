//! Bare machines that answer to SSH, and the machine that keelson itself runs on.
//!
//! | module | holds |
//! |---|---|
//! | [`etcd`] | members and snapshots of etcd |
//! | [`shell`] | running something as root on a host, however it is reached |
//! | [`target`] | the hosts, and how each is reached |

pub mod etcd;
pub mod shell;
pub mod target;

//! The program against real machines: `keelson` makes, watches, mends and removes an etcd cluster on hosts out of
//! namespaces. Without root these tests are skipped, and say so.

mod desk;
mod etcd;

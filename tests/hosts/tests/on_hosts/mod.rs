//! Instances of EC2 on hosts.

mod cloud;

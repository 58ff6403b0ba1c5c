//! Whole clusters of real Kubernetes on hosts: with the programs and images in the folder that
//! `KEELSON_KUBERNETES_ASSETS` names. Without it these tests are skipped, and say so.

mod site;
mod whole;

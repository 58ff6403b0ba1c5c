//! Nodes and add-ons, looked after through a Kubernetes API that lives in memory: real TLS, real requests, faults on
//! demand, and machines that are played.

mod addons;
mod api_server;
mod connections;
mod crashes;
mod drains;
mod emptied;
mod groups;
mod machines;
mod nodes;
mod scene;

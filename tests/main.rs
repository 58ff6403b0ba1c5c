//! Every integration test, in one binary: one folder a topic.

mod spec;

//! What is kept while machines come and go.

mod role_name;

pub use role_name::instance_profile_name;

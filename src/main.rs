//! The `keelson` program: arguments in, exit code out.
fn main() {}

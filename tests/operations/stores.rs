//! What every state store promises, whatever it keeps its objects in.

use keelson::store::DirectoryStore;
use keelson_provider_simulated::MemoryStore;

use super::block_on;
use super::store_contract::{check, check_paths};

#[test]
fn a_directory_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(directory.path().join("state"));
    block_on(check(&store));
    block_on(check_paths(&store));
}

#[test]
fn memory_keeps_the_contract() {
    block_on(check(&MemoryStore::new()));
}

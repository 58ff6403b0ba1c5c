//! Places for state that come with keelson itself. Buckets come with their providers.

mod directory;

pub use directory::DirectoryStore;

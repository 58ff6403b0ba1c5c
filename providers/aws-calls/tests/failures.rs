//! What a call says that has no success.

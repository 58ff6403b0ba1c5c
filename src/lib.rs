//! keelson builds, changes and retires Kubernetes clusters.

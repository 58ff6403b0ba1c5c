//! The names of container images.

/// The registry that Kubernetes publishes its images in.
const UPSTREAM: &str = "registry.k8s.io";

/// The image `path` of Kubernetes' own registry, such as `kube-apiserver:v1.36.2`, or the same path in `mirror`, a registry
/// that takes its place.
pub fn image(mirror: Option<&str>, path: &str) -> String {
    format!("{}/{path}", mirror.unwrap_or(UPSTREAM))
}

#[cfg(test)]
mod tests {
    use super::image;

    #[test]
    fn a_mirror_has_the_same_paths() {
        let path = "coredns/coredns:v1.14.2";
        assert_eq!(image(None, path), "registry.k8s.io/coredns/coredns:v1.14.2");
        assert_eq!(
            image(Some("mirror.example.com:5000"), path),
            "mirror.example.com:5000/coredns/coredns:v1.14.2"
        );
    }
}

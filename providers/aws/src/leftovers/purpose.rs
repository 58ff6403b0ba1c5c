//! What something was made for, as its tags tell: for people, never to decide.

use keelson_aws_calls::mark::Tags;

/// Tags whose value is a namespace and a name, with what is of that name: of the cloud controller manager
/// (`TagNameKubernetesService` in
/// <https://github.com/kubernetes/cloud-provider-aws/blob/master/pkg/providers/v1/aws.go>), and of the load balancer controller
/// (<https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/pkg/deploy/tracking/provider.go>), where an
/// Ingress in a group is told by that group's name alone.
const WHOLE: &[(&str, &str)] = &[
    ("kubernetes.io/service-name", "Service"),
    ("service.k8s.aws/stack", "Service"),
    ("ingress.k8s.aws/stack", "Ingress"),
];

/// What the external provisioner tells the CSI driver of a claim (`--extra-create-metadata`,
/// <https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/pkg/driver/constants.go>).
const CLAIM_NAMESPACE: &str = "kubernetes.io/created-for/pvc/namespace";
const CLAIM_NAME: &str = "kubernetes.io/created-for/pvc/name";

/// What is told without that (<https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/tagging.md>).
const NAMED: &[(&str, &str)] = &[
    ("CSIVolumeName", "PersistentVolume"),
    ("CSIVolumeSnapshotName", "VolumeSnapshotContent"),
];

/// What the thing with `tags` was made for.
pub(super) fn purpose(tags: &Tags) -> Option<String> {
    let told = |table: &[(&str, &str)]| {
        let mut told = table
            .iter()
            .filter_map(|(key, kind)| Some(format!("{kind} {}", tags.get(*key)?)));
        told.next()
    };
    let claim = || {
        let (namespace, name) = (tags.get(CLAIM_NAMESPACE)?, tags.get(CLAIM_NAME)?);
        Some(format!("PersistentVolumeClaim {namespace}/{name}"))
    };
    told(WHOLE).or_else(claim).or_else(|| told(NAMED))
}

/// What the cloud controller manager says of a security group: `Security group for Kubernetes ELB NAME (NAMESPACE/SERVICE)`
/// (<https://github.com/kubernetes/cloud-provider-aws/blob/master/pkg/providers/v1/aws.go>). Such a group has no tag for it.
pub(super) fn purpose_of_group(tags: &Tags, description: &str) -> Option<String> {
    let described = || {
        let words = description.strip_prefix("Security group for Kubernetes ELB ")?;
        let (_, service) = words.strip_suffix(')')?.split_once(" (")?;
        Some(format!("Service {service}"))
    };
    purpose(tags).or_else(described)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tagged = &'static [(&'static str, &'static str)];

    #[test]
    fn the_purpose_is_what_the_most_telling_tag_says() {
        let cases: [(Tagged, Option<&str>); 6] = [
            (
                &[("kubernetes.io/service-name", "shop/front")],
                Some("Service shop/front"),
            ),
            (&[("ingress.k8s.aws/stack", "all")], Some("Ingress all")),
            (
                &[
                    (CLAIM_NAMESPACE, "shop"),
                    (CLAIM_NAME, "orders"),
                    ("CSIVolumeName", "pvc-1"),
                ],
                Some("PersistentVolumeClaim shop/orders"),
            ),
            (
                &[(CLAIM_NAME, "orders"), ("CSIVolumeName", "pvc-1")],
                Some("PersistentVolume pvc-1"),
            ),
            (
                &[("CSIVolumeSnapshotName", "snapcontent-1")],
                Some("VolumeSnapshotContent snapcontent-1"),
            ),
            (&[("Name", "foo")], None),
        ];
        for (pairs, expected) in cases {
            let pairs = pairs.iter();
            let tags: Tags = pairs
                .map(|&(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
            assert_eq!(purpose(&tags).as_deref(), expected, "{tags:?}");
        }
    }

    #[test]
    fn a_security_group_is_told_by_its_description() {
        let cases = [
            (
                "Security group for Kubernetes ELB a1 (shop/front)",
                Some("Service shop/front"),
            ),
            ("Security group for Kubernetes ELB a1", None),
            ("who may reach us (shop/front)", None),
        ];
        for (description, expected) in cases {
            let told = purpose_of_group(&Tags::new(), description);
            assert_eq!(told.as_deref(), expected, "{description}");
        }
    }
}

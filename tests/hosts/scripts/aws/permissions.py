"""What IAM asks the caller of an action to be allowed to do (service authorization reference, "Actions, resources, and
condition keys" of each service). What a policy must say of resources and conditions is not looked at, and neither is what a
launch template passes on: whoever starts instances by one that names a profile needs iam:PassRole too."""

#: Operations of S3 whose action in IAM has another name.
_S3 = {
    "ListObjects": ["ListBucket"],
    "ListObjectsV2": ["ListBucket"],
    "ListObjectVersions": ["ListBucketVersions"],
    "HeadBucket": ["ListBucket"],
    "ListBuckets": ["ListAllMyBuckets"],
    "HeadObject": ["GetObject"],
    "CopyObject": ["GetObject", "PutObject"],
    "DeleteObjects": ["DeleteObject"],
    "CreateMultipartUpload": ["PutObject"],
    "UploadPart": ["PutObject"],
    "CompleteMultipartUpload": ["PutObject"],
    "ListParts": ["ListMultipartUploadParts"],
    "ListMultipartUploads": ["ListBucketMultipartUploads"],
    "GetBucketEncryption": ["GetEncryptionConfiguration"],
    "PutBucketEncryption": ["PutEncryptionConfiguration"],
    "DeleteBucketEncryption": ["PutEncryptionConfiguration"],
    "GetPublicAccessBlock": ["GetBucketPublicAccessBlock"],
    "PutPublicAccessBlock": ["PutBucketPublicAccessBlock"],
    "DeletePublicAccessBlock": ["PutBucketPublicAccessBlock"],
    "GetBucketLifecycleConfiguration": ["GetLifecycleConfiguration"],
    "PutBucketLifecycleConfiguration": ["PutLifecycleConfiguration"],
}


def needed(service, action, parameters):
    """Every action that the caller must be allowed, each as in a policy."""
    if service == "s3":
        is_tagged = action == "CreateBucket" and "<Tag>" in parameters.get("body", "")
        return [f"s3:{name}" for name in [*_S3.get(action, [action]), *(["TagResource"] if is_tagged else [])]]
    found = [f"{service}:{action}"]
    names = list(parameters)
    if service == "ec2" and action != "CreateTags" and any(name.startswith("TagSpecification") for name in names):
        found.append("ec2:CreateTags")
    if service == "elasticloadbalancing" and action.startswith("Create") and "Tags.member.1.Key" in parameters:
        found.append("elasticloadbalancing:AddTags")
    if service == "iam" and action.startswith("Create") and "Tags.member.1.Key" in parameters:
        kind = action.removeprefix("Create")
        found.append(f"iam:Tag{kind}")
    if service == "autoscaling" and any("LaunchTemplateSpecification" in name or "LaunchTemplate." in name for name in names):
        found.append("ec2:RunInstances")
    if service == "autoscaling" and action != "CreateOrUpdateTags" and "Tags.member.1.Key" in parameters:
        found.append("autoscaling:CreateOrUpdateTags")
    if service == "route53" and "<VPC>" in parameters.get("body", ""):
        found.append("ec2:DescribeVpcs")
    passing = ("RunInstances", "AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation", "AddRoleToInstanceProfile")
    if action in passing:
        has_profile = any(name.startswith("IamInstanceProfile") for name in names)
        if has_profile or action == "AddRoleToInstanceProfile":
            found.append("iam:PassRole")
    return found

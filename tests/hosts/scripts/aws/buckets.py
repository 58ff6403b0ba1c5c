"""Buckets. Signatures are not checked here: the proxy of the tests does that."""

import re

from moto.s3.exceptions import InvalidBucketName
from moto.s3.models import S3Backend

from .patches import instead

_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@instead("bucket-names", S3Backend, "create_bucket")
def create(original, backend, bucket_name, *arguments, **named):
    """AWS takes small letters, digits, dots and hyphens for a bucket's name (S3 user guide, "Bucket naming rules"); moto takes
    anything of the right length."""
    if not _NAME.fullmatch(bucket_name):
        raise InvalidBucketName()
    return original(backend, bucket_name, *arguments, **named)

"""Buckets. Signatures are not checked here: the proxy of the tests does that."""

import re
import threading

from moto.s3.exceptions import InvalidBucketName
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

from .patches import instead

_TURN = threading.RLock()
_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@instead("bucket-names", S3Backend, "create_bucket")
def create(original, backend, bucket_name, *arguments, **named):
    """AWS takes small letters, digits, dots and hyphens for a bucket's name (S3 user guide, "Bucket naming rules"); moto takes
    anything of the right length."""
    if not _NAME.fullmatch(bucket_name):
        raise InvalidBucketName()
    return original(backend, bucket_name, *arguments, **named)


@instead("conditions-hold", S3Response, "put_object")
def put(original, response):
    """Of writers who want an object at once on the same condition AWS lets one write (S3 user guide, "How to prevent object
    overwrites with conditional writes"); moto looks at the condition first, and lets in whoever looked meanwhile too."""
    with _TURN:
        return original(response)


@instead("conditions-hold", S3Response, "delete_object")
def delete(original, response):
    """So it is of deletions."""
    with _TURN:
        return original(response)


@instead("conditions-hold", S3Response, "_key_response_post")
def post(original, response, *arguments, **named):
    """And of objects in parts that are completed."""
    with _TURN:
        return original(response, *arguments, **named)

"""Buckets. Signatures are not checked here: the proxy of the tests does that."""

import html
import re
import threading

from moto.s3.exceptions import InvalidBucketName
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

from .patches import instead

_TURN = threading.RLock()
_TAG = re.compile(r"<Tag>\s*<Key>(.*?)</Key>\s*<Value>(.*?)</Value>\s*</Tag>")
_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@instead("bucket-names", S3Backend, "create_bucket")
def create(original, backend, bucket_name, *arguments, **named):
    """AWS takes small letters, digits, dots and hyphens for a bucket's name (S3 user guide, "Bucket naming rules"); moto takes
    anything of the right length."""
    if not _NAME.fullmatch(bucket_name):
        raise InvalidBucketName()
    return original(backend, bucket_name, *arguments, **named)


@instead("bucket-tags", S3Response, "_bucket_response_put")
def tagged(original, response, request, bucket_name, querystring):
    """AWS gives a bucket the tags that the call names that makes it (S3 API reference, CreateBucketConfiguration: Tags); moto
    leaves them out."""
    body = response.body.decode() if isinstance(response.body, bytes) else response.body or ""
    tags = _TAG.findall(body) if "<CreateBucketConfiguration" in body else []
    is_new = bucket_name not in response.backend.buckets
    answer = original(response, request, bucket_name, querystring)
    if tags and is_new:
        response.backend.put_bucket_tagging(bucket_name, {html.unescape(key): html.unescape(value) for key, value in tags})
    return answer


@instead("versioning-name", S3Response, "get_bucket_versioning")
def versioning(original, response):
    """AWS answers with a VersioningConfiguration (S3 API reference, GetBucketVersioning), which the SDK for Rust insists on;
    moto's answer has another name."""
    status, headers, body = original(response)
    is_bytes = isinstance(body, bytes)
    text = (body.decode() if is_bytes else body).replace("GetBucketVersioningResponse", "VersioningConfiguration")
    return status, headers, text.encode() if is_bytes else text


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

"""Buckets are as moto has them, through all that is before it."""

import urllib.request

from botocore.exceptions import ClientError

from .case import REGION, Case


class Objects(Case):
    def setUp(self):
        super().setUp()
        self.s3.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": REGION})

    def test_objects_of_every_size(self):
        for size in (0, 1, 1 << 20, 9 << 20):
            body = bytes(size)
            self.s3.put_object(Bucket="state", Key="a/ä b", Body=body)
            self.assertEqual(self.s3.head_object(Bucket="state", Key="a/ä b")["ContentLength"], size)
            self.assertEqual(self.s3.get_object(Bucket="state", Key="a/ä b")["Body"].read(), body)
        self.s3.delete_object(Bucket="state", Key="a/ä b")
        self.assertEqual(self.s3.list_objects_v2(Bucket="state")["KeyCount"], 0)

    def test_an_object_in_parts(self):
        upload = {"Bucket": "state", "Key": "large"}
        upload["UploadId"] = self.s3.create_multipart_upload(**upload)["UploadId"]
        parts = [
            {"PartNumber": number, "ETag": self.s3.upload_part(**upload, PartNumber=number, Body=bytes(5 << 20))["ETag"]}
            for number in (1, 2)
        ]
        self.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        self.assertEqual(self.s3.head_object(Bucket="state", Key="large")["ContentLength"], 10 << 20)

    def test_conditions(self):
        first = self.s3.put_object(Bucket="state", Key="lease", Body=b"1", IfNoneMatch="*")["ETag"]
        with self.assertRaises(ClientError):
            self.s3.put_object(Bucket="state", Key="lease", Body=b"2", IfNoneMatch="*")
        self.s3.put_object(Bucket="state", Key="lease", Body=b"3", IfMatch=first)
        with self.assertRaises(ClientError):
            self.s3.put_object(Bucket="state", Key="lease", Body=b"4", IfMatch=first)

    def test_a_presigned_address(self):
        self.s3.put_object(Bucket="state", Key="bundle", Body=b"hello")
        address = self.s3.generate_presigned_url("get_object", Params={"Bucket": "state", "Key": "bundle"})
        with urllib.request.urlopen(address, timeout=20) as answer:
            self.assertEqual(answer.read(), b"hello")

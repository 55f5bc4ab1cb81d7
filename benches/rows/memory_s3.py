"""On an object store a layer's parts lie in memory until they are there; that must have a bound too."""

from rows.memory_load import compare
from s3 import DistributionOnS3, SeaweedFS, WharfOnS3

TITLE = "the same with blobs in a bucket, of a SeaweedFS on the load's core; no redirects"


def run(bench):
    with bench.fresh(SeaweedFS, label="memory") as bucket:
        kinds = (type(kind.__name__, (kind,), {"bucket": bucket}) for kind in (WharfOnS3, DistributionOnS3))
        return compare(bench, "memory on S3", kinds, 450)

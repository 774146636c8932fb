"""Makes the bucket, as an administrator: ``INTERLOCK_S3_ENDPOINT=http://... python -m interlock_artifacts``.

With the administrator's ``INTERLOCK_S3_ACCESS_KEY`` and ``INTERLOCK_S3_SECRET_KEY``; a bucket that is there stays.
"""

import os

from interlock_artifacts.s3 import S3Store


def main() -> None:
    """Make it."""
    S3Store(
        endpoint=os.environ["INTERLOCK_S3_ENDPOINT"],
        access_key=os.environ["INTERLOCK_S3_ACCESS_KEY"],
        secret_key=os.environ["INTERLOCK_S3_SECRET_KEY"],
        bucket=os.environ.get("INTERLOCK_S3_BUCKET") or "interlock",
        region=os.environ.get("INTERLOCK_S3_REGION") or "us-east-1",
    ).make_bucket()


if __name__ == "__main__":
    main()

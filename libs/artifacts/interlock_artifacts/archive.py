"""Every object of a bucket in a tar archive: ``python -m interlock_artifacts.archive save|load FILE``.

For an administrator of the store: standard input is a JSON object of ``S3Store``'s arguments. ``save`` appends to an
archive, ``load`` stores what it finds below ``objects/``; each prints how many objects and bytes that were.
"""

import json
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

from interlock_artifacts.s3 import S3Store
from interlock_artifacts.store import MissingArtifactError

PREFIX = "objects/"


def save(store: S3Store, file: Path) -> tuple[int, int]:
    """Append every object to a tar archive; return how many objects and bytes.

    What is deleted meanwhile is left out: it has expired, or its version was deleted before that.
    """
    count = size = 0
    with tarfile.open(file, "a", format=tarfile.PAX_FORMAT) as archive:
        for key in store.list_keys():
            with suppress(MissingArtifactError), store.opened(key) as found:
                member = tarfile.TarInfo(PREFIX + key)
                member.size = found.size
                archive.addfile(member, found.content)
                count, size = count + 1, size + member.size
    return count, size


def load(store: S3Store, file: Path) -> tuple[int, int]:
    """Store every object of a tar archive, over what may be there; return how many objects and bytes."""
    count = size = 0
    with tarfile.open(file) as archive:
        for member in archive:
            if member.isfile() and member.name.startswith(PREFIX):
                content = archive.extractfile(member)
                assert content is not None, "it is a file"
                store.put_stream(member.name.removeprefix(PREFIX), content, member.size)
                count, size = count + 1, size + member.size
    return count, size


def main() -> None:
    """Save or load, by the arguments."""
    what, file = sys.argv[1:]
    count, size = {"save": save, "load": load}[what](S3Store(**json.load(sys.stdin)), Path(file))
    sys.stdout.write(json.dumps({"objects": count, "bytes": size}))


if __name__ == "__main__":
    main()

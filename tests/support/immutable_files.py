"""What never changes once it is committed: golden events, released schemas, migrations; and the index of their digests.

Run as ``python -m tests.support.immutable_files`` it adds new files to the index and keeps the committed lines.
The index tells of a change where there is no history to ask: in a shallow clone or an archive.
"""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
INDEX = ROOT / "contracts" / "unchanging.sha256"
EVENTS = "contracts/examples/*/*.json"
PATTERNS = (
    EVENTS,
    "contracts/released/*/*.json",
    "libs/*/*/migrations/versions/*.py",
    "libs/*/*/*/migrations/versions/*.py",
    "services/*/*/migrations/versions/*.py",
)


def files() -> dict[str, str]:
    """Return the digest of every file that never changes, by its path."""
    found = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))
    return {str(path.relative_to(ROOT)): sha256(path.read_bytes()).hexdigest() for path in found}


def index(text: str | None = None) -> dict[str, str]:
    """Return the digests that the index knows, by path; it is written as ``sha256sum --check`` reads it."""
    lines = (INDEX.read_text() if text is None else text).splitlines()
    return {path: known for known, _, path in (line.partition("  ") for line in lines)}


def history() -> dict[str, set[str]] | None:
    """Return the contents, as git's blob ids, that each golden event ever had; None where history is cut or absent."""
    if not (ROOT / ".git").exists() or _git("rev-parse", "--is-shallow-repository").strip() != "false":
        return None
    blobs: dict[str, set[str]] = {}
    for line in _git("log", "--raw", "--no-abbrev", "--no-renames", "--format=", "--", f":(glob){EVENTS}").splitlines():
        change, _, path = line.partition("\t")
        before, after = change.split()[2:4]
        blobs.setdefault(path, set()).update({before, after} - {"0" * 40})
    return blobs


def blob(path: str) -> str | None:
    """Return git's id of a file's content as it is now; None where the file is gone."""
    return _git("hash-object", path).strip() if (ROOT / path).exists() else None


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def main() -> None:
    try:
        known = index(_git("show", f"HEAD:{INDEX.relative_to(ROOT)}"))
    except (OSError, subprocess.CalledProcessError):  # no history: all that stands there counts as committed
        known = index()
    new = {path: digest for path, digest in files().items() if path not in known}
    sys.stdout.writelines(f"never to be changed from now on: {path}\n" for path in new)
    INDEX.write_text("".join(f"{digest}  {path}\n" for path, digest in sorted({**known, **new}.items())))


if __name__ == "__main__":
    main()

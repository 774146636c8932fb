"""Other people's files that stand in the repository, and their place in the bill of materials.

Run as ``python -m tests.support.vendored`` it adds them to ``.interlock/sbom.cdx.json``,
which a lock file alone cannot fill.
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LISTS = (
    ROOT / "services/console/interlock_console/static/vendor/VENDORED.json",
    ROOT / "tests/browser/vendor/VENDORED.json",
)
SBOM = ROOT / ".interlock" / "sbom.cdx.json"


def entries() -> list[tuple[Path, dict[str, str]]]:
    """Return every vendored file with what its list says of it."""
    return [(each.parent / entry["file"], entry) for each in LISTS for entry in json.loads(each.read_text())]


def component(entry: dict[str, str]) -> dict[str, Any]:
    """Return an entry as CycloneDX has it."""
    purl = f"pkg:npm/{entry['package'].replace('@', '%40')}@{entry['version']}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": entry["package"],
        "version": entry["version"],
        "purl": purl,
        "licenses": [{"license": {"id": entry["licence"]}}],
        "hashes": [{"alg": "SHA-256", "content": entry["sha256"]}],
    }


def added(bill: dict[str, Any]) -> dict[str, Any]:
    """Return a bill of materials with all vendored files in it, each once."""
    ours = [component(entry) for _, entry in entries()]
    known = {each["bom-ref"] for each in ours}
    kept = [each for each in bill.get("components", []) if each.get("bom-ref") not in known]
    return {**bill, "components": [*kept, *ours]}


if __name__ == "__main__":
    SBOM.write_text(json.dumps(added(json.loads(SBOM.read_text())), indent=2) + "\n")

"""The argument ``--job`` of a program: what it is to do, as the reference of an object."""

from interlock_contracts.refs import ArtifactRef


def format_ref(ref: ArtifactRef) -> str:
    """Return ``sha256:bytes``."""
    return f"{ref.sha256}:{ref.bytes}"


def parse_ref(text: str) -> ArtifactRef:
    """Return the reference that an argument names: ``sha256:bytes``, or an ArtifactRef as JSON."""
    if text.startswith("{"):
        return ArtifactRef.model_validate_json(text)
    sha256, _, size = text.partition(":")
    return ArtifactRef(sha256=sha256, bytes=int(size))

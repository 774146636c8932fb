"""Bill of materials of an image, as CycloneDX: its wheels with their hashes, and the packages of its base."""

from collections.abc import Iterable
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from interlock_deployment.wheelhouse import sha256


def write_sbom(file: Path, image: str, wheels: Iterable[Path], system: Iterable[tuple[str, str]]) -> Path:
    """Write what is in ``image``; ``system`` are Debian packages, each name and version."""
    name, _, version = image.rpartition(":")
    bill = Bom()
    bill.metadata.component = Component(type=ComponentType.CONTAINER, name=name, version=version, bom_ref=image)
    for each in wheels:
        bill.components.add(_wheel(each))
    for package, its_version in system:
        bill.components.add(_component(package, its_version, PackageURL("deb", "debian", package, its_version)))
    bill.register_dependency(bill.metadata.component, bill.components)
    made = make_outputter(bill, OutputFormat.JSON, SchemaVersion.V1_6)
    file.write_text(made.output_as_string(indent=2) + "\n")
    return file


def _wheel(wheel: Path) -> Component:
    name, version, *_ = wheel.name.split("-")
    name = name.replace("_", "-").lower()
    found = _component(name, version, PackageURL("pypi", None, name, version))
    found.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=sha256(wheel)))
    return found


def _component(name: str, version: str, purl: PackageURL) -> Component:
    return Component(type=ComponentType.LIBRARY, name=name, version=version, purl=purl, bom_ref=str(purl))

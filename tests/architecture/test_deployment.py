"""The table of the deployment is true: of the services' code and packages, and of everything that names services."""

import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from typing import Any, get_args

import pytest
from interlock_contracts import released
from interlock_contracts.catalog import OBSERVER, OUTSIDE, ROUTES
from interlock_contracts.deployment import (
    NAMES,
    S3,
    SECRETS,
    SERVERS,
    SERVICES,
    STOP_SECONDS,
    Image,
    Service,
    address_of,
)
from interlock_contracts.metrics import BUS, EVERY, METRICS, TABLES
from interlock_contracts.permissions import work_queues
from interlock_messaging import topology
from interlock_runtime.process import DRAIN_SECONDS
from pydantic import PostgresDsn, SecretStr

from tests.support.services import ROOT, settings_class, variables

KNOWN = {
    *chain.from_iterable(each.settings for each in SERVICES),
    *chain.from_iterable(each.settings for each in SERVERS),
    *(address_of(name) for name in NAMES),
}
"""Every setting that some service is given."""

HEAVY = {"numpy", "pyarrow", "onnxruntime"}
HOST_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
"""RFC 1123, as Kubernetes has it for the name of a service."""

each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.name)


def project(folder: str) -> dict[str, Any]:
    document = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())
    found: dict[str, Any] = document["project"]
    return found


def packages(folder: str) -> Iterator[str]:
    """Yield what a package of ours depends on, with what those of ours depend on."""
    for line in project(folder)["dependencies"]:
        name = re.split(r"[^\w-]", line)[0]
        yield name
        if name.startswith("interlock-") and name != "interlock-contracts":
            yield from packages(f"libs/{name.removeprefix('interlock-')}")


def test_every_service_is_in_the_table_once() -> None:
    """A folder without a row is never started, and a row without a folder cannot be."""
    folders = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
    assert sorted(NAMES) == folders


@each_service
def test_a_service_reads_what_the_table_gives_it(service: Service) -> None:
    """What it must be given is in its row, and of what anyone is given it reads exactly what is in its row."""
    read = variables(service.name)

    assert set(service.settings) == KNOWN & read.keys()
    assert {name for name, required in read.items() if required} <= set(service.settings)


@each_service
def test_a_service_holds_the_secrets_that_the_table_says(service: Service) -> None:
    """What its settings hide is secret, and nothing that is secret stands open."""
    hidden = {
        f"INTERLOCK_{name.upper()}"
        for name, field in settings_class(service.name).model_fields.items()
        if field.annotation is PostgresDsn or SecretStr in (field.annotation, *get_args(field.annotation))
    }
    assert hidden == SECRETS & set(service.settings)


@each_service
def test_the_image_is_as_heavy_as_the_packages(service: Service) -> None:
    """A light image has no arrays, tables and engines, directly or by way of a library."""
    image: Image = "model" if HEAVY & set(packages(f"services/{service.name}")) else "light"
    assert service.image == image


@each_service
def test_a_row_fits_together(service: Service) -> None:
    """Who has rights in the object store uses it, all who are called exist, and the host name is one."""
    assert (S3 in service.uses) == bool(service.prefixes.read) == bool(service.prefixes.write)
    assert {*service.calls} <= {*NAMES} - {service.name}
    assert HOST_NAME.fullmatch(service.host)


def test_a_service_has_time_to_drain() -> None:
    """Whoever stops one waits longer than it waits for its requests."""
    assert STOP_SECONDS > DRAIN_SECONDS


def test_work_queues_are_those_that_are_declared() -> None:
    """Their names follow from the catalog alone, so whatever scales by them names none."""
    declared = {
        topology.queue(name, route.event).name
        for route in ROUTES
        for name in (*route.consumers, *route.former_consumers)
    }
    declared.add(topology.observed().name)

    assert {queue for name in NAMES for queue in work_queues(name)} == declared


def test_contracts_name_no_other_services() -> None:
    """Who produces, consumes, exposes or reads something is a service of the table, or said to be none."""
    named = {name for route in ROUTES for name in (*route.producers, *route.consumers, *route.per_worker)} - {OUTSIDE}
    named |= {metric.by for metric in METRICS.values()} - {EVERY, BUS, TABLES}
    named |= {name for name in chain(*chain(*released._OTHERS.values())) if " " not in name}

    assert named - {"trainer", "people", "clients"} | {OBSERVER} <= {*NAMES}
    assert named >= {*NAMES} - {OBSERVER}


def test_the_rules_of_imports_hold_for_every_service() -> None:
    """A list of services in ``pyproject.toml`` that misses one leaves that one without rules."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    lists = [config["root_packages"], *(value for rule in config["contracts"] for value in rule.values())]
    found = 0
    for each in lists:
        named = set(re.findall(rf"\binterlock_({'|'.join(NAMES)})\b", " ".join(each) if isinstance(each, list) else ""))
        if len(named) > 1:
            found += 1
            assert named == {*NAMES}, each
    assert found > 4

"""Generated documents: each relation of a service and an event once, also with a shared and a per-worker queue."""

from interlock_contracts.catalog import OBSERVER, ROUTES
from interlock_contracts.render import asyncapi, system_map


def test_an_edge_of_the_map_names_each_event_once() -> None:
    """`prediction` consumes `model.deleted` once in all and once in every worker; that is one relation."""
    edges = [line.split("|")[1].split("<br/>") for line in system_map().splitlines() if "-->|" in line]

    assert edges
    assert [types for types in edges if len(types) != len(set(types))] == []


def test_an_operation_publishes_or_consumes() -> None:
    """One operation a service and an event, named by what the service does with it."""
    operations = asyncapi()["operations"]
    for route in ROUTES:
        consuming = [name.split(".")[0] for name in operations if name.endswith(f".consumes.{route.event.type}")]
        assert sorted(consuming) == sorted({*route.consumers, *route.per_worker, OBSERVER})
        assert all(f"{each}.publishes.{route.event.type}" in operations for each in route.producers)

import yaml
from interlock_contracts.deployment import SECRETS, SERVICES
from interlock_deployment.machines import PORTS, variables


def test_services_of_one_machine_listen_at_different_ports() -> None:
    """Every service has a port, gRPC included, that no other has."""
    ports = [*PORTS.values(), *(each.grpc_port for each in SERVICES if each.grpc_port is not None)]
    assert set(PORTS) == {each.name for each in SERVICES}
    assert len(set(ports)) == len(ports)


def test_the_playbook_is_told_every_setting_once() -> None:
    """A setting comes as a value or, where it is secret, as a file; together they are the table's."""
    rows = {row["name"]: row for row in yaml.safe_load(variables())["interlock_services"]}
    for each in SERVICES:
        row = rows[each.name]
        assert set(row["settings"]) | set(row["secrets"]) >= set(each.settings)
        assert not set(row["settings"]) & (set(row["secrets"]) | SECRETS)
        assert row["memory_mb"] == each.resources.limit_mb

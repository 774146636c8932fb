from collections.abc import Iterator

import pytest
from interlock_deployment.bundle import bundle

from tests.clients.environments import make_ready
from tests.deployment.machines.machine import CHECKOUT, TOOLS, Booted, Machine, changed, new_machine


@pytest.fixture(scope="session")
def tools() -> None:
    """Make Ansible's environment, unless it is there."""
    make_ready(TOOLS)


@pytest.fixture(scope="session")
def machine(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Machine:  # noqa: ARG001
    """Return a machine that the playbook has been run for once."""
    bundles = CHECKOUT / ".interlock" / "machines"
    bundle(CHECKOUT, bundles, ["light"], print)
    machine = new_machine(tmp_path_factory.mktemp("machine"), bundles)
    assert changed(machine.playbook()) > 0
    return machine


@pytest.fixture(scope="session")
def booted(machine: Machine) -> Iterator[Booted]:
    """Return the same machine, running."""
    with Booted(machine) as running:
        yield running

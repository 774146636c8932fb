"""What cannot be run here is checked by the tools of those who made it."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from interlock_contracts.deployment import NAMES

from tests.clients.environments import ran_by
from tests.deployment.machines.machine import MACHINES, TOOLS, Machine

CLOUD_INIT = MACHINES / "cloud-init.cfg"


def lint(folder: Path, *files: str) -> tuple[int, str]:
    """Return how ansible-lint ends, and what it says; warnings are errors."""
    site = ran_by(TOOLS, "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    tools = str(Path(site).parents[2] / "bin")
    done = ran_by(
        TOOLS,
        "ansible-lint",
        "--offline",
        "--strict",
        "--nocolor",
        "--profile=production",
        *files,
        cwd=folder,
        patience=300,
        ANSIBLE_COLLECTIONS_PATH=site,
        PATH=f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin",
        ANSIBLE_HOME=str(folder / ".ansible"),
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a copy of the playbooks, without what their use has left there."""
    folder = tmp_path / "machines"
    shutil.copytree(MACHINES, folder, ignore=shutil.ignore_patterns(".ansible", "inventory.yml", "*.openstack.yml"))
    return folder


@pytest.mark.usefixtures("tools")
def test_playbooks_are_in_order(copied: Path) -> None:
    """Nothing of the profile for production is found, in the playbook, the role and the one for OpenStack."""
    code, said = lint(copied)
    assert code == 0, said


@pytest.mark.usefixtures("tools")
def test_every_option_is_the_modules_own() -> None:
    """No cloud answers here; so what OpenStack is told is compared with what its modules say that they know."""
    tasks = yaml.safe_load((MACHINES / "openstack.yml").read_text())[0]["tasks"]
    told = [(name, set(task[name])) for task in tasks for name in task if "." in name]
    done = ran_by(TOOLS, "ansible-doc", "--json", "--type=module", *{name for name, _ in told})
    known = json.loads(done.stdout)
    for name, options in told:
        assert options <= set(known[name]["doc"]["options"]), name
    assert sum(name.startswith("openstack.cloud.") for name, _ in told) > 5


def test_user_data_is_what_cloud_init_knows(machine: Machine) -> None:
    """Debian's cloud-init finds the file valid, and a misspelt key not."""
    text = CLOUD_INIT.read_text()
    for name, content, code in (("good", text, 0), ("bad", text.replace("ssh_pwauth: false", "ssh_pwauth: [1]"), 1)):
        (machine.root / "root" / name).write_text(content)
        done = machine.run("cloud-init", "schema", "--config-file", f"/root/{name}")
        assert done.returncode == code, done.stdout + done.stderr


def test_every_service_has_a_place() -> None:
    """By default every service runs in one group of machines."""
    defaults = yaml.safe_load((MACHINES / "roles/interlock/defaults/main.yml").read_text())
    placed = [name for names in defaults["interlock_services_of"].values() for name in names]
    assert sorted(placed) == sorted(NAMES)


def test_five_machines_are_made() -> None:
    """The playbook for OpenStack makes machines for every group that the playbook for machines names."""
    plays = yaml.safe_load((MACHINES / "openstack.yml").read_text())
    made = plays[0]["vars"]["openstack_machines"]
    assert len(made) == 5
    named = {re.split("[:!]", play["hosts"])[0] for play in yaml.safe_load((MACHINES / "playbook.yml").read_text())}
    assert named < {each["group"] for each in made}

"""A machine from nothing: a Debian in a folder, which Ansible changes by chroot, and which boots in a container."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml
from interlock_contracts.deployment import NAMES
from interlock_deployment.compose_secrets import make_secrets

from tests.clients.environments import ran_by
from tests.support.debian_base import debian_base
from tests.support.debian_programs import program
from tests.support.podman import run

CHECKOUT = Path(__file__).parents[3]
MACHINES = CHECKOUT / "compose" / "machines"
TOOLS = "machines"

PACKAGES = ("systemd", "systemd-sysv", "dbus", "python3-apt", "python3-venv", "cloud-init")
"""What a machine has that OpenStack starts from Debian's image, as far as it is needed here."""

SERVICES = ("registry", "console")
"""The machine's: both are of the light environment, which installs in seconds."""


@dataclass(frozen=True)
class Machine:
    """``root`` is its file system; ``folder`` has what its administrator has: inventory, secrets."""

    root: Path
    folder: Path

    def playbook(self) -> str:
        """Run the playbook as an administrator does; return what Ansible prints."""
        inventory = str(self.folder / "inventory.yml")
        done = ran_by(TOOLS, "ansible-playbook", "-i", inventory, "playbook.yml", cwd=MACHINES, patience=600)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder, without booting it."""
        argv = ["chroot", str(self.root), *command]
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        )


def new_machine(folder: Path, bundles: Path) -> Machine:
    """Return a Debian without anything of ours."""
    root = folder / "root"
    root.mkdir(parents=True)
    subprocess.run(["tar", "-xf", str(debian_base(*PACKAGES)), "-C", str(root)], check=True)
    secrets = folder / "secrets"
    make_secrets(secrets)
    variables = {
        "ansible_connection": "community.general.chroot",
        "ansible_host": str(root),
        "interlock_bundles_folder": str(bundles),
        "interlock_secrets_folder": str(secrets),
        "interlock_services_of": {"head": sorted(set(NAMES) - set(SERVICES)), "production": list(SERVICES)},
        "interlock_listen_address": "127.0.0.1",
        "interlock_apt_update": False,
        "interlock_ready_seconds": 0,  # nothing listens in a folder
    }
    groups: dict[str, Any] = {"production": {"hosts": {"machine": variables}}}
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"children": groups}}))
    return Machine(root, folder)


def changed(output: str) -> int:
    """Return how many tasks changed something, by the playbook's last lines."""
    return int(re.findall(r"changed=(\d+)", output)[-1])


class Booted:
    """The machine running under systemd, in a container without a network; a context manager."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._name = f"interlock-machine-{os.getpid()}"

    def __enter__(self) -> Self:
        # What systemd itself needs to make its services' own view of the file system; no device, no network.
        rights = ["--cap-add=SYS_ADMIN,SYS_PTRACE", "--security-opt=seccomp=unconfined", "--security-opt=unmask=ALL"]
        options = ["--detach", "--name", self._name, "--systemd=always", "--network=none", "--no-hosts", *rights]
        # In a container systemd leaves mounts private, and credentials would not reach a service.
        boot = ["/bin/sh", "-c", "mount --make-rshared / && exec /lib/systemd/systemd"]
        try:
            said = self._podman("run", *options, "--rootfs", str(self._machine.root), *boot)
            assert '"running"' in self._podman("inspect", "--format={{json .State.Status}}", self._name), said
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._podman("kill", self._name)  # its folder is of no use to anyone afterwards
        self._podman("rm", "--force", self._name)

    def run(self, *command: str) -> str:
        """Run a command on the machine; return what it prints, whether it succeeds or not."""
        return self._podman("exec", self._name, *command)

    def show(self, unit: str) -> dict[str, str]:
        """Return a unit's properties; none until systemd answers."""
        lines = self.run("systemctl", "show", unit).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def journal(self, unit: str) -> list[dict[str, Any]]:
        """Return what a service logged, as it wrote it: one JSON object a line."""
        lines = self.run("journalctl", "--no-pager", "--output=cat", "--unit", unit).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def _podman(self, *words: str) -> str:
        done = run([program("podman", "podman"), *words])
        return done.stdout + done.stderr

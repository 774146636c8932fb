"""A Debian without anything of ours becomes a machine whose services run under systemd."""

import re
import stat

from interlock_contracts.deployment import SERVICES as TABLE
from interlock_contracts.deployment import STOP_SECONDS

from tests.deployment.machines.machine import SERVICES, Booted, Machine, changed
from tests.support.waiting import until

UNITS = {each.name: f"interlock-{each.host}" for each in TABLE if each.name in SERVICES}


def test_the_second_run_changes_nothing(machine: Machine) -> None:
    """Ansible finds everything as it left it."""
    output = machine.playbook()
    assert changed(output) == 0, output


def test_every_service_has_a_user_who_cannot_log_in(machine: Machine) -> None:
    """Users are the system's own, without a password, a home or a shell, and no two services share one."""
    users = [line.split(":") for line in (machine.root / "etc/passwd").read_text().splitlines()]
    ours = {name: (int(uid), home, shell) for name, _, uid, _, _, home, shell in users if name.startswith("interlock")}
    assert set(ours) == set(UNITS.values())
    assert len({uid for uid, _, _ in ours.values()}) == len(ours)
    assert all(
        uid < 1000 and (home, shell) == ("/nonexistent", "/usr/sbin/nologin") for uid, home, shell in ours.values()
    )


def test_secrets_are_roots_alone(machine: Machine) -> None:
    """Each is a file that only root reads, and the machine has none of services that do not run on it."""
    folder = machine.root / "etc/interlock/secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = {each.name: each.stat() for each in folder.iterdir()}
    assert all((one.st_uid, stat.S_IMODE(one.st_mode)) == (0, 0o400) for one in files.values())
    assert {"signing_key", "registry_amqp_url", "console_amqp_url"} < set(files)
    assert not [name for name in files if name.startswith(("gateway", "ingest", "admin", "postgres", "ray", "s3"))]
    for each in (machine.root / "etc/interlock").glob("*.env"):
        assert not re.search(r"PEPPER|AMQP|POSTGRES_URL|SECRET|PRIVATE", each.read_text())


def test_what_is_installed_belongs_to_root(machine: Machine) -> None:
    """No service can change its own code, and byte code is there, for it could not write that either."""
    environment = machine.root / "opt/interlock/light"
    assert environment.is_symlink()
    installed = machine.root / str(environment.readlink()).lstrip("/")
    code = list(installed.rglob("interlock_registry/*.py"))
    assert code
    assert all(each.stat().st_uid == 0 and not each.stat().st_mode & 0o022 for each in code)
    assert len(list(installed.rglob("interlock_registry/__pycache__/*.pyc"))) == len(code)


def test_units_are_what_systemd_understands(machine: Machine) -> None:
    """systemd-analyze finds nothing to say about them."""
    units = [f"/etc/systemd/system/{unit}.service" for unit in UNITS.values()]
    done = machine.run("systemd-analyze", "verify", "--man=no", *units, "/etc/systemd/system/interlock.target")
    said = [line for line in (done.stdout + done.stderr).splitlines() if "interlock" in line]
    assert (done.returncode, said) == (0, [])


async def test_services_start_with_the_machine(booted: Booted) -> None:
    """Nothing more is needed: systemd starts them, each as its own user, with its own secrets and limits only."""
    for name, unit in UNITS.items():
        await until(lambda unit=unit: booted.show(unit).get("ActiveState") == "active", seconds=180)  # type: ignore[misc]
        shown = booted.show(unit)
        row = next(each for each in TABLE if each.name == name)
        assert shown["User"] == unit
        assert shown["MemoryMax"] == str(row.resources.limit_mb << 20)
        assert shown["TimeoutStopUSec"] == f"{STOP_SECONDS}s"
        assert shown["Restart"] == "always"


async def test_a_service_is_confined(booted: Booted) -> None:
    """The kernel says so: no capability, no new privileges, system calls filtered, and a file system to read."""
    unit = UNITS["registry"]
    await until(lambda: booted.show(unit).get("ActiveState") == "active", seconds=180)  # confined by then
    pid = booted.show(unit)["MainPID"]
    status = dict(re.findall(r"^(\w+):\s+(\S+)", booted.run("cat", f"/proc/{pid}/status"), re.MULTILINE))
    assert (int(status["CapEff"], 16), int(status["CapBnd"], 16)) == (0, 0)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    mounts = [line.split() for line in booted.run("cat", f"/proc/{pid}/mounts").splitlines()]
    options = {where: what.split(",") for _, where, _, what, *_ in mounts}
    assert "ro" in options["/"]
    assert "rw" in options[f"/var/cache/{unit}"]
    credentials = f"/proc/{pid}/root/run/credentials"
    assert booted.run("ls", credentials).split() == [f"{unit}.service"]
    held = booted.run("ls", f"{credentials}/{unit}.service").split()
    assert "signing_key" in held
    assert not [name for name in held if name.startswith("console")]


async def test_a_service_says_what_it_waits_for(booted: Booted) -> None:
    """Installed from its wheels it runs until it needs the database, and says so in words."""

    def waits() -> list[str]:
        return [each["message"] for each in booted.journal(UNITS["registry"]) if "Postgres" in each["message"]]

    told = await until(waits, seconds=180)
    assert told[0].startswith("waiting for Postgres")
    assert booted.show(UNITS["registry"])["NRestarts"] == "0"


def test_systemd_finds_services_hardly_exposed(booted: Booted) -> None:
    """Below 3 of 10 in the score of systemd-analyze, which it calls OK; a unit without hardening has 9.6."""
    for unit in UNITS.values():
        told = booted.run("systemd-analyze", "security", "--no-pager", f"{unit}.service")
        score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)
        assert score, told
        assert float(score.group(1)) < 3, told

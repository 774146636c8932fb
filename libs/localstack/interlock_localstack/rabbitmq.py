"""RabbitMQ as a private node: the installed programs, else Debian's packages unpacked without root."""

import fcntl
import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from interlock_contracts import permissions
from interlock_deployment.credentials import broker_definitions

from interlock_localstack.component import Process, Report
from interlock_localstack.environment import base_environment, cache_folder, run_as_administrator, run_step
from interlock_localstack.errors import StackError
from interlock_localstack.state_dir import StateDir

INSTALLED = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
INSTALL_HINT = (
    "set INTERLOCK_AMQP_URL to a broker of yours, or install one (apt-get install rabbitmq-server; its own service is "
    "left alone), or use Debian or Ubuntu, where `interlock up` unpacks their packages by itself"
)

# No plugin: each costs seconds of starting and stopping. Listening on loopback only, disk and memory kept small.
CONFIG = """\
listeners.tcp.default = 127.0.0.1:{port}
load_definitions = {definitions}
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 200MB
log.console.level = warning
"""
# Spinning schedulers would take the two cores of a small machine from everyone else.
ERLANG = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"


def process(state_dir: StateDir, ports: Mapping[str, int], passwords: Mapping[str, str]) -> Process:
    """Return the node's process, which creates vhost, users and their permissions from ``passwords`` at each start.

    Preparing it may download Debian's packages once per machine and user.
    """
    tree = Path("/") if INSTALLED.exists() else _package_root()
    data, etc = state_dir.data / "rabbitmq", state_dir.etc / "rabbitmq"
    env = (
        base_environment()
        | {
            "HOME": str(data),  # the Erlang cookie lives there
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(etc / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(etc / "conf.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(etc / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(etc / "enabled_plugins"),
            "RABBITMQ_NODENAME": "interlock@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(ports["amqp"]),
            "RABBITMQ_DIST_PORT": str(ports["amqp_distribution"]),
            "ERL_EPMD_PORT": str(ports["amqp_epmd"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_MNESIA_BASE": str(data / "mnesia"),
            "RABBITMQ_LOG_BASE": str(state_dir.logs),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(state_dir.run / "rabbitmq.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
            # Makes the start script become the Erlang machine, instead of a shell that waits for it.
            "RUNNING_UNDER_SYSTEMD": "1",
            # Not read by the node: changed permissions make `interlock up` restart it.
            "INTERLOCK_RIGHTS": hashlib.sha256(repr(permissions.users()).encode()).hexdigest()[:16],
        }
    )
    if tree != Path("/"):
        env["PATH"] = f"{tree}/usr/lib/erlang/bin:{env['PATH']}"
        env["LD_LIBRARY_PATH"] = f"{tree}/usr/lib/{platform.machine()}-linux-gnu"

    def prepare(report: Report) -> None:
        if tree != Path("/"):
            _unpack(tree, report)
        data.mkdir(mode=0o700, exist_ok=True)
        remove_unfinished_node(data / "mnesia")
        (etc / "conf.d").mkdir(parents=True, exist_ok=True)
        definitions = etc / "definitions.json"
        definitions.touch(mode=0o600)
        definitions.write_text(json.dumps(broker_definitions(passwords)))
        (etc / "rabbitmq.conf").write_text(CONFIG.format(port=ports["amqp"], definitions=definitions))
        (etc / "enabled_plugins").write_text("[].\n")

    start = tree / "usr/lib/rabbitmq/bin/rabbitmq-server"
    return Process(argv=(str(start),), env=env, prepare=prepare)


def remove_unfinished_node(base: Path) -> None:
    """Remove the data of a node that was killed in its very first start.

    Feature flags are enabled once, at the end of that start. A node that finds its folders, but none of them enabled,
    takes itself for an old one, leaves them disabled, and refuses quorum queues for good; it holds no messages yet.
    """
    flags = base / "interlock@localhost-feature_flags"
    if flags.exists() and flags.read_text().strip() == "[].":
        shutil.rmtree(base)


def make_topology(url: str) -> None:
    """Declare exchanges and queues as the admin that ``url`` names.

    Raises:
        StackError: the broker refuses it; the message says why.
    """
    run_as_administrator("interlock_messaging", {"INTERLOCK_AMQP_URL": url})


def unpacked(report: Report) -> Path:
    """Return the folder of Debian's packages of RabbitMQ and Erlang, also where they are installed."""
    _unpack(tree := _package_root(), report)
    return tree


def _package_root() -> Path:
    release = platform.freedesktop_os_release()
    name = f"rabbitmq-{release.get('ID', 'linux')}-{release.get('VERSION_ID', 'rolling')}-{platform.machine()}"
    return cache_folder() / name


def _unpack(tree: Path, report: Report) -> None:
    """Unpack Debian's packages of RabbitMQ and Erlang into ``tree``, which then is whole or not there."""
    with (tree.parent / f"{tree.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if tree.exists():
            return
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            raise StackError("RabbitMQ is not installed on this machine", hint=INSTALL_HINT)
        report(f"downloading Debian's RabbitMQ (32 MB) into {tree}; needed once")
        with tempfile.TemporaryDirectory(dir=tree.parent, prefix=f".{tree.name}-") as folder:
            work = Path(folder)
            _download(work)
            root = work / "root"
            for package in (work / "debs").glob("*.deb"):
                _run(["dpkg", "-x", str(package), str(root)])
            # Debian's scripts name the folder that they were made for, whatever the environment says.
            for script in root.glob("usr/lib/erlang/**/bin/*"):
                if script.name in ("erl", "start") and script.is_file() and not script.is_symlink():
                    text = script.read_text().replace("=/usr/lib/erlang", f"={tree}/usr/lib/erlang")
                    script.write_text(text)
            root.rename(tree)


def _download(work: Path) -> None:
    """Download with private package lists, so that neither root nor up-to-date lists of the system's are needed."""
    debs, lists, archives = work / "debs", work / "state/lists/partial", work / "cache/archives/partial"
    for each in (debs, lists, archives):
        each.mkdir(parents=True)
    options = {
        "Dir::State": work / "state",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": work / "cache",
        "Debug::NoLocking": 1,
        "APT::Sandbox::User": "",
        "Acquire::Retries": 3,
    }
    private = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    _run(["apt-get", *private, "update", "-qq"])
    needs = ["--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces"]
    listed = _run(["apt-cache", *private, "depends", *needs, "--no-enhances", "rabbitmq-server"])
    names = {line for line in listed.splitlines() if line.startswith(("erlang-", "libsctp"))}
    _run(["apt-get", *private, "download", "-qq", "rabbitmq-server", *sorted(names)], folder=debs)


def _run(argv: list[str], *, folder: Path | None = None) -> str:
    return run_step(argv, f"RabbitMQ's packages could not be downloaded ({argv[0]})", folder=folder, hint=INSTALL_HINT)

"""What the stack consists of, and who is told which secret."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from interlock_cli.stack.home import Home
from interlock_cli.stack.part import Part, Process
from interlock_cli.stack.plan import NAMES, SERVERS, chosen, common, plan
from interlock_cli.stack.ports import OFFSETS, PUBLIC
from interlock_cli.terminal import Failure

PORTS = {name: 20_000 + offset for name, offset in OFFSETS.items()} | PUBLIC
LOCAL = {"INTERLOCK_S3_ENDPOINT": "http://store:9000"}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without any setting of the shell's."""
    for name in [name for name in os.environ if name.startswith("INTERLOCK_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    made.make()
    yield made
    made.wipe()


def process(part: Part) -> Process:
    assert part.process is not None
    return part.process


def test_every_part_is_ours_by_default(home: Home) -> None:
    """Without any setting all servers and services are local processes."""
    parts = plan(home, PORTS)

    assert tuple(parts) == NAMES
    assert all(part.process for part in parts.values())
    assert all("@" not in part.url for part in parts.values())


def test_the_gateways_second_port_is_told(home: Home) -> None:
    """`interlock env` names where gRPC clients find it."""
    gateway = plan(home, PORTS)["gateway"]

    assert process(gateway).env["INTERLOCK_GRPC_PORT"] == str(PUBLIC["grpc"])
    assert gateway.exports["INTERLOCK_GRPC_URL"] == f"127.0.0.1:{PUBLIC['grpc']}"


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("rabbitmq", {"INTERLOCK_AMQP_URL": "amqp://me:secret@broker/vhost"}),
        ("postgres", {"INTERLOCK_POSTGRES_URL": "postgresql://me:secret@db/one"}),
        ("s3", {**LOCAL, "INTERLOCK_S3_ACCESS_KEY": "key", "INTERLOCK_S3_SECRET_KEY": "secret"}),
        ("ray", {"INTERLOCK_RAY_ADDRESS": "http://cluster:8265"}),
    ],
)
def test_a_server_that_the_user_names_is_used(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, str]
) -> None:
    """No local one is started, services are sent there, and its address is shown without credentials."""
    for setting, value in settings.items():
        monkeypatch.setenv(setting, value)
    parts = plan(home, PORTS)

    assert parts[name].process is None
    assert settings.items() <= process(parts["train_dispatch"]).env.items()
    assert "secret" not in parts[name].url


def test_a_secret_may_stand_in_a_file(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """INTERLOCK_AMQP_URL_FILE means the same as INTERLOCK_AMQP_URL."""
    (tmp_path / "url").write_text("amqp://me:secret@broker/\n")
    monkeypatch.setenv("INTERLOCK_AMQP_URL_FILE", str(tmp_path / "url"))
    assert plan(home, PORTS)["rabbitmq"].exports == {"INTERLOCK_AMQP_URL": "amqp://me:secret@broker/"}


def test_a_shell_that_has_read_our_own_settings_changes_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `eval $(interlock env)` the servers are still ours."""
    parts = plan(home, PORTS)
    settings = {name: value for part in parts.values() for name, value in part.exports.items()} | common(home)
    home.write("environment", settings)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    assert {name: part.process and part.process.digest for name, part in plan(home, PORTS).items()} == {
        name: process(part).digest for name, part in parts.items()
    }


def test_a_store_without_its_keys_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names what is missing."""
    monkeypatch.setenv("INTERLOCK_S3_ENDPOINT", "http://store:9000")
    with pytest.raises(Failure, match="INTERLOCK_S3_ACCESS_KEY and INTERLOCK_S3_SECRET_KEY"):
        plan(home, PORTS)


def test_ray_has_no_secret_of_ours(home: Home) -> None:
    """Jobs inherit the head's environment, in which no secret is: what they need is lent to each."""
    parts = plan(home, PORTS)
    env = process(parts["ray"]).env

    assert {name for name in env if name.startswith("INTERLOCK_")} == {"INTERLOCK_SPANS_DIR"}
    lenders = {name for name in parts if "INTERLOCK_S3_JOB_ROLE" in parts["s3"].settings(name)}
    assert lenders == {"train_dispatch", "prediction"}


def test_a_service_gets_what_it_uses(home: Home) -> None:
    """The gateway has no way to the database, the dispatcher has one to Ray."""
    parts = plan(home, PORTS)

    assert "INTERLOCK_POSTGRES_URL" not in process(parts["gateway"]).env
    assert "INTERLOCK_RAY_TOKEN" not in process(parts["gateway"]).env
    assert "INTERLOCK_RAY_TOKEN" in process(parts["train_dispatch"]).env


def test_every_service_has_a_broker_user_of_its_own(home: Home) -> None:
    """No two share a password, people have neither the administrator's nor a service's."""
    parts = plan(home, PORTS)
    names = [name for name in parts if parts[name].kind == "service"]
    urls = {urlsplit(process(parts[name]).env["INTERLOCK_AMQP_URL"]) for name in names}
    urls |= {urlsplit(parts["rabbitmq"].exports["INTERLOCK_AMQP_URL"])}
    urls |= {urlsplit(parts["rabbitmq"].admin["INTERLOCK_ADMIN_AMQP_URL"])}

    assert len({url.password for url in urls}) == len({url.username for url in urls}) == len(names) + 2


def test_every_service_has_keys_of_its_own_to_the_object_store(home: Home) -> None:
    """People, too; none of them has the administrator's."""
    parts = plan(home, PORTS)
    names = [name for name in parts if parts[name].kind == "service" and name != "console"]
    keys = [process(parts[name]).env["INTERLOCK_S3_SECRET_KEY"] for name in names]
    keys += [parts["s3"].exports["INTERLOCK_S3_SECRET_KEY"], parts["s3"].admin["INTERLOCK_ADMIN_S3_SECRET_KEY"]]

    assert len(set(keys)) == len(names) + 2
    assert "INTERLOCK_S3_SECRET_KEY" not in process(parts["console"]).env  # it looks at no bytes


def test_spans_lead_to_the_console_unless_the_user_leads_them_elsewhere(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each service sends them with its own key; the console sends none."""
    parts = plan(home, PORTS)
    ours = process(parts["registry"]).env
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318")
    elsewhere = process(plan(home, PORTS)["registry"]).env

    assert ours["OTEL_EXPORTER_OTLP_ENDPOINT"] == parts["console"].url
    assert ours["OTEL_EXPORTER_OTLP_HEADERS"] == f"authorization=Bearer%20{ours['INTERLOCK_SERVICE_KEY']}"
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in process(parts["console"]).env
    assert elsewhere["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector.example:4318"
    assert "OTEL_EXPORTER_OTLP_HEADERS" not in elsewhere


def test_a_setting_for_one_service_reaches_no_other(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who brings a broker along gives each service its own user of it."""
    monkeypatch.setenv("INTERLOCK_AMQP_URL", "amqp://admin@broker/")
    monkeypatch.setenv("INTERLOCK_REGISTRY__AMQP_URL", "amqp://registry@broker/")
    parts = plan(home, PORTS)

    assert process(parts["registry"]).env["INTERLOCK_AMQP_URL"] == "amqp://registry@broker/"
    assert process(parts["gateway"]).env["INTERLOCK_AMQP_URL"] == "amqp://admin@broker/"
    assert not any("__" in name for part in parts.values() if part.process for name in part.process.env)


def test_a_users_other_settings_reach_the_services(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the stack does not set by itself is passed on, and changes the process."""
    before = process(plan(home, PORTS)["gateway"]).digest
    monkeypatch.setenv("INTERLOCK_GATEWAY_WORKERS", "3")
    gateway = process(plan(home, PORTS)["gateway"])

    assert gateway.env["INTERLOCK_GATEWAY_WORKERS"] == "3"
    assert gateway.digest != before


def test_only_names_parts_and_groups() -> None:
    """Groups and names mix, the order is the stack's, and a typing error is told."""
    assert chosen(None) == list(NAMES)
    assert chosen("gateway, servers") == [*SERVERS, "gateway"]
    with pytest.raises(Failure, match="rabbit"):
        chosen("rabbit")

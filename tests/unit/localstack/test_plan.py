"""What the stack consists of, and who is told which secret."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from interlock_contracts.deployment import S3, SECRETS, SERVICES, Service, services_using
from interlock_localstack.component import Component, Process
from interlock_localstack.errors import StackError
from interlock_localstack.plan import NAMES, SERVERS, plan, select, shared_settings
from interlock_localstack.ports import OFFSETS, PUBLIC
from interlock_localstack.state_dir import StateDir

from tests.support.services import settings_class

PORTS = {name: 20_000 + offset for name, offset in OFFSETS.items()} | PUBLIC
LOCAL = {"INTERLOCK_S3_ENDPOINT": "http://store:9000"}
OPTIONAL = {"INTERLOCK_S3_STS_ENDPOINT", "INTERLOCK_WEBHOOK_SECRET"}
"""What a local stack leaves to the defaults."""


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without any setting of the shell's."""
    for name in [name for name in os.environ if name.startswith("INTERLOCK_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[StateDir]:
    made = StateDir(tmp_path)
    made.create()
    yield made
    made.wipe()


def process(component: Component) -> Process:
    assert component.process is not None
    return component.process


def test_every_part_is_ours_by_default(state_dir: StateDir) -> None:
    """Without any setting all servers and services are local processes."""
    components = plan(state_dir, PORTS)

    assert tuple(components) == NAMES
    assert all(component.process for component in components.values())
    assert all("@" not in component.url for component in components.values())


def test_the_gateways_second_port_is_told(state_dir: StateDir) -> None:
    """`interlock env` names where gRPC clients find it."""
    gateway = plan(state_dir, PORTS)["gateway"]

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
    state_dir: StateDir, monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, str]
) -> None:
    """No local one is started, services are sent there, and its address is shown without credentials."""
    for setting, value in settings.items():
        monkeypatch.setenv(setting, value)
    components = plan(state_dir, PORTS)

    assert components[name].process is None
    assert settings.items() <= process(components["train_dispatch"]).env.items()
    assert "secret" not in components[name].url


def test_a_secret_may_stand_in_a_file(state_dir: StateDir, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """INTERLOCK_AMQP_URL_FILE means the same as INTERLOCK_AMQP_URL."""
    (tmp_path / "url").write_text("amqp://me:secret@broker/\n")
    monkeypatch.setenv("INTERLOCK_AMQP_URL_FILE", str(tmp_path / "url"))
    assert plan(state_dir, PORTS)["rabbitmq"].exports == {"INTERLOCK_AMQP_URL": "amqp://me:secret@broker/"}


def test_a_shell_that_has_read_our_own_settings_changes_nothing(
    state_dir: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `eval $(interlock env)` the servers are still ours."""
    components = plan(state_dir, PORTS)
    settings = {
        name: value for component in components.values() for name, value in component.exports.items()
    } | shared_settings(state_dir)
    state_dir.write("environment", settings)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    assert {
        name: component.process and component.process.digest for name, component in plan(state_dir, PORTS).items()
    } == {name: process(component).digest for name, component in components.items()}


def test_a_store_without_its_keys_is_refused(state_dir: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names what is missing."""
    monkeypatch.setenv("INTERLOCK_S3_ENDPOINT", "http://store:9000")
    with pytest.raises(StackError, match="INTERLOCK_S3_ACCESS_KEY and INTERLOCK_S3_SECRET_KEY"):
        plan(state_dir, PORTS)


def test_ray_has_no_secret_of_ours(state_dir: StateDir) -> None:
    """Jobs inherit the head's environment, in which no secret is: what they need is issued to each."""
    components = plan(state_dir, PORTS)
    env = process(components["ray"]).env

    assert {name for name in env if name.startswith("INTERLOCK_")} == {"INTERLOCK_SPANS_DIR"}
    lenders = {name for name in components if "INTERLOCK_S3_JOB_ROLE" in components["s3"].settings(name)}
    assert lenders == {"train_dispatch", "prediction"}


def test_a_service_gets_what_it_uses(state_dir: StateDir) -> None:
    """The gateway has no way to the database, the dispatcher has one to Ray."""
    components = plan(state_dir, PORTS)

    assert "INTERLOCK_POSTGRES_URL" not in process(components["gateway"]).env
    assert "INTERLOCK_RAY_TOKEN" not in process(components["gateway"]).env
    assert "INTERLOCK_RAY_TOKEN" in process(components["train_dispatch"]).env


@pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.name)
def test_a_service_starts_with_what_the_stack_gives_it(
    state_dir: StateDir, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    """Everything that it must be given, and no secret that is another's."""
    component = plan(state_dir, PORTS)[service.name]
    given = {name: value for name, value in process(component).env.items() if name.startswith("INTERLOCK_")}
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    assert settings_class(service.name)()
    assert {*service.settings} - OPTIONAL <= given.keys()
    assert SECRETS & given.keys() == SECRETS & {*service.settings} - OPTIONAL
    assert {*component.after} == {server.name for server in service.uses} - {"ray"}  # only jobs wait for it


def test_a_users_secret_reaches_those_that_may_hold_it(state_dir: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only prediction signs webhooks, so no other process knows how."""
    monkeypatch.setenv("INTERLOCK_WEBHOOK_SECRET", "a-secret-of-enough-length")
    components = plan(state_dir, PORTS)

    holders = [name for name in components if "INTERLOCK_WEBHOOK_SECRET" in process(components[name]).env]
    assert holders == ["prediction"]


def test_every_service_has_a_broker_user_of_its_own(state_dir: StateDir) -> None:
    """No two share a password, people have neither the administrator's nor a service's."""
    components = plan(state_dir, PORTS)
    names = [name for name in components if components[name].kind == "service"]
    urls = {urlsplit(process(components[name]).env["INTERLOCK_AMQP_URL"]) for name in names}
    urls |= {urlsplit(components["rabbitmq"].exports["INTERLOCK_AMQP_URL"])}
    urls |= {urlsplit(components["rabbitmq"].admin["INTERLOCK_ADMIN_AMQP_URL"])}

    assert len({url.password for url in urls}) == len({url.username for url in urls}) == len(names) + 2


def test_every_service_has_keys_of_its_own_to_the_object_store(state_dir: StateDir) -> None:
    """People, too; none of them has the administrator's."""
    components = plan(state_dir, PORTS)
    names = services_using(S3)
    keys = [process(components[name]).env["INTERLOCK_S3_SECRET_KEY"] for name in names]
    keys += [
        components["s3"].exports["INTERLOCK_S3_SECRET_KEY"],
        components["s3"].admin["INTERLOCK_ADMIN_S3_SECRET_KEY"],
    ]

    assert len(set(keys)) == len(names) + 2
    others = {each.name for each in SERVICES} - set(names)  # they look at no bytes
    assert not [name for name in others if "INTERLOCK_S3_SECRET_KEY" in process(components[name]).env]


def test_spans_lead_to_the_console_unless_the_user_leads_them_elsewhere(
    state_dir: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each service sends them with its own key; the console sends none."""
    components = plan(state_dir, PORTS)
    ours = process(components["ingest"]).env
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318")
    elsewhere = process(plan(state_dir, PORTS)["ingest"]).env

    assert ours["OTEL_EXPORTER_OTLP_ENDPOINT"] == components["console"].url
    assert ours["OTEL_EXPORTER_OTLP_HEADERS"] == f"authorization=Bearer%20{ours['INTERLOCK_SERVICE_KEY']}"
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in process(components["console"]).env
    assert elsewhere["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector.example:4318"
    assert "OTEL_EXPORTER_OTLP_HEADERS" not in elsewhere


def test_a_setting_for_one_service_reaches_no_other(state_dir: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who brings a broker along gives each service its own user of it."""
    monkeypatch.setenv("INTERLOCK_AMQP_URL", "amqp://admin@broker/")
    monkeypatch.setenv("INTERLOCK_REGISTRY__AMQP_URL", "amqp://registry@broker/")
    components = plan(state_dir, PORTS)

    assert process(components["registry"]).env["INTERLOCK_AMQP_URL"] == "amqp://registry@broker/"
    assert process(components["gateway"]).env["INTERLOCK_AMQP_URL"] == "amqp://admin@broker/"
    assert not any(
        "__" in name for component in components.values() if component.process for name in component.process.env
    )


def test_a_users_other_settings_reach_the_services(state_dir: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the stack does not set by itself is passed on, and changes the process."""
    before = process(plan(state_dir, PORTS)["gateway"]).digest
    monkeypatch.setenv("INTERLOCK_GATEWAY_WORKERS", "3")
    gateway = process(plan(state_dir, PORTS)["gateway"])

    assert gateway.env["INTERLOCK_GATEWAY_WORKERS"] == "3"
    assert gateway.digest != before


def test_only_names_parts_and_groups() -> None:
    """Groups and names mix, the order is the stack's, and a typing error is told."""
    assert select(None) == list(NAMES)
    assert select("gateway, servers") == [*SERVERS, "gateway"]
    with pytest.raises(StackError, match="rabbit"):
        select("rabbit")

"""`compose.yaml` is what the table of the deployment says, and gives nobody more than that."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from interlock_contracts.deployment import SECRETS, SERVICES, STOP_SECONDS, Service
from interlock_deployment.compose import compose
from interlock_deployment.compose_secrets import IN_FILES, make_secrets

from tests.support.services import ROOT

FOLDER = ROOT / "compose"
DOCUMENT: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = DOCUMENT["services"]
FOR_PEOPLE = {"admin_api_key", "operator_amqp_url", "operator_s3_access_key", "operator_s3_secret_key"}

each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda each: str(each.host))


def secrets_of(container: dict[str, Any]) -> set[str]:
    return {each if isinstance(each, str) else each["source"] for each in container.get("secrets", ())}


def test_the_file_is_what_the_table_says() -> None:
    """`make contracts` writes it."""
    assert (FOLDER / "compose.yaml").read_text() == compose()


@each_service
def test_a_service_is_given_what_the_table_says(service: Service) -> None:
    """Every setting, by value or as a file; secrets as files only."""
    given: dict[str, str] = CONTAINERS[service.host]["environment"]
    in_files = {name.removesuffix("_FILE") for name in given if name.endswith("_FILE") and name.startswith("INTERLOCK")}

    assert in_files == IN_FILES & set(service.settings)
    assert {*service.settings} <= in_files | given.keys()
    assert not SECRETS & given.keys()
    assert {Path(value).name for name, value in given.items() if name.endswith("_FILE")} == secrets_of(
        CONTAINERS[service.host]
    )


@each_service
def test_a_service_is_in_the_networks_of_its_servers(service: Service) -> None:
    """And in that of services, and in no other server's."""
    networks = {*CONTAINERS[service.host]["networks"]}
    assert networks - {"outside"} == {"services", *(server.name for server in service.uses)}


@each_service
def test_a_service_has_its_port_image_limit_and_time_to_stop(service: Service) -> None:
    """As the table has them."""
    container = CONTAINERS[service.host]
    assert container["environment"]["INTERLOCK_PORT"] == str(service.port)
    assert container["image"].startswith(f"${{INTERLOCK_IMAGES:-localhost/interlock}}/{service.image}:")
    assert container["deploy"]["resources"]["limits"]["memory"] == f"{service.resources.limit_mb}M"
    assert container["stop_grace_period"] == f"{STOP_SECONDS}s"
    assert bool(container.get("ports")) == service.public


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_is_hardened(name: str) -> None:
    """No root, no capability, nothing to write to but memory and volumes; one step may give volumes away."""
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in container
    if name == "volumes":
        assert (container["cap_add"], container["network_mode"]) == (["CHOWN"], "none")
    else:
        assert container["user"] == "10001:10001"
        assert "cap_add" not in container
        assert "network_mode" not in container
    if container["restart"] != "no":
        assert container["restart"] == "unless-stopped"
        assert container["healthcheck"]["test"][0] == "CMD"
        assert container["deploy"]["resources"]["limits"]["memory"]


def test_networks_have_no_way_out_but_one() -> None:
    """That one holds the two that people reach, and what sends webhooks."""
    assert {name for name, each in DOCUMENT["networks"].items() if not each.get("internal")} == {"outside"}
    outside = {name for name, each in CONTAINERS.items() if "outside" in each.get("networks", ())}
    assert outside == {"prediction", "gateway", "console"}


def test_every_secret_is_made_and_used(tmp_path: Path) -> None:
    """A file that is missing stops every start; one that nobody reads is a secret too many."""
    made = {*make_secrets(tmp_path)}
    named = {*DOCUMENT["secrets"]}
    assert {each["file"] for each in DOCUMENT["secrets"].values()} == {
        f"${{INTERLOCK_SECRETS:-./secrets}}/{name}" for name in named
    }
    assert set().union(*map(secrets_of, CONTAINERS.values())) == named
    assert made - named == FOR_PEOPLE | {"s3_session_key"}
    assert named <= made


def test_what_may_be_set_is_explained() -> None:
    """Every variable of the compose files is in `.env.example`, with the default that the file has."""
    example = (FOLDER / ".env.example").read_text()
    text = "".join(file.read_text() for file in FOLDER.glob("compose*.yaml"))
    for part in text.split("${")[1:]:
        name, _, default = part.partition("}")[0].partition(":-")
        assert f"#{name}={default}\n" in example, name

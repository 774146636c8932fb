"""The chart as users get it: from a registry, and by way of a deployment repository that Argo CD follows."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from interlock_contracts.deployment import SERVICES

from tests.deployment.chart.conftest import CHART, FULL, S3, helm, of_kind, rendered
from tests.support.environments import CHECKOUT
from tests.support.image_registry import image_registry

ARGO = CHECKOUT / "helm" / "argocd"
PRODUCTION = ARGO / "deployment" / "production" / "values.yaml"
NEW = "sha256:" + "9" * 64


def test_a_chart_from_a_registry_is_the_chart(tmp_path: Path) -> None:
    """Packaged, pushed and pulled, it renders the same documents: its table and schema are in the package."""
    packed = helm("package", str(CHART), "--destination", str(tmp_path))
    assert packed.returncode == 0, packed.stderr
    (package,) = tmp_path.glob("interlock-*.tgz")
    with image_registry(tmp_path) as host:
        pushed = helm("push", "--plain-http", str(package), f"oci://{host}/charts")
        assert pushed.returncode == 0, pushed.stderr
        chart = [f"oci://{host}/charts/interlock", "--plain-http", "--version", "0.1.0"]
        done = helm("template", FULL, *chart, "--namespace", "ml", "--set", S3)
        refused = helm("template", FULL, *chart, "--set", "bogus=1")

    assert done.returncode == 0, done.stderr
    assert [each for each in yaml.safe_load_all(done.stdout) if each] == list(rendered())
    assert refused.returncode != 0
    assert "bogus" in refused.stderr


def test_the_application_leads_to_the_chart_and_its_values() -> None:
    """What Argo CD is told exists: the chart in this version, and the file in the repository."""
    application = yaml.safe_load((ARGO / "application.yaml").read_text())
    chart, repository = application["spec"]["sources"]
    described = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert (chart["chart"], chart["targetRevision"]) == (described["name"], described["version"])
    assert not chart["repoURL"].startswith("oci://")
    (file,) = chart["helm"]["valueFiles"]
    assert file.replace(f"${repository['ref']}", str(ARGO / "deployment")) == str(PRODUCTION)
    images = {each["image"] for each in _containers(PRODUCTION)}
    assert len(images) == 3
    assert all("@sha256:" in image for image in images)


def test_a_new_digest_is_rolled_out_to_the_services_of_its_image(tmp_path: Path) -> None:
    """By the command, as a job runs it; said twice it changes nothing, and a wrong one leaves the file as it was."""
    values = tmp_path / "values.yaml"
    shutil.copy(PRODUCTION, values)
    before = values.read_text()

    wrong = _set_image(f"model={NEW}", "light=latest", "--file", str(values))
    assert wrong.returncode == 1
    assert "is no digest" in wrong.stderr
    assert values.read_text() == before

    done = _set_image(f"model={NEW}", "--file", str(values), "--json")
    assert done.returncode == 0, done.stderr
    old = "sha256:" + "2" * 64
    assert json.loads(done.stdout) == [{"path": "images.model.digest", "before": old, "after": NEW}]
    assert values.read_text() == before.replace(old, NEW)
    assert _set_image(f"model={NEW}", "--file", str(values)).returncode == 0
    assert values.read_text() == before.replace(old, NEW)

    new = {each["name"]: each["image"].rpartition("@")[2] for each in _containers(values)}
    assert {name for name, digest in new.items() if digest == NEW} == {
        each.host for each in SERVICES if each.image == "model"
    }


def _containers(values: Path) -> list[dict[str, str]]:
    documents = rendered(f"@{values}")
    pods = [each["spec"]["template"]["spec"] for each in of_kind(documents, "Deployment").values()]
    (cluster,) = of_kind(documents, "RayCluster").values()
    pods.append(cluster["spec"]["headGroupSpec"]["template"]["spec"])
    return [container for each in pods for container in each["containers"]]


def _set_image(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "interlock_cli", "deploy", "set-image", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)

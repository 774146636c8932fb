"""A stack of containers of the committed compose files, started once for all tests here."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from interlock_deployment.compose_secrets import make_secrets

from tests.support import container_images
from tests.support.compose_stack import ComposeStack
from tests.support.environments import CHECKOUT, environment
from tests.support.gateway_app import bound
from tests.support.podman import CONTAINERS_CONF
from tests.support.stack_user import User

COMPOSE = CHECKOUT / "compose"
FILES = (COMPOSE / "compose.yaml", COMPOSE / "compose.test.yaml")


@pytest.fixture(scope="session")
def programs() -> Path:
    """Return the folder of podman-compose and check-jsonschema, in an environment of their own."""
    return environment("deployment", "compose", Path(__file__).with_name("requirements.lock")) / "bin"


@pytest.fixture(scope="session")
def stack(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    """Return the stack when all of it is healthy; afterwards nothing of it is left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_CONF", str(CONTAINERS_CONF))
        engine = container_images.engine()
        plan = container_images.product(engine)
        container_images.stand_ins(engine)
        secrets = tmp_path_factory.mktemp("secrets")
        make_secrets(secrets)
        env = {"INTERLOCK_IMAGES": plan.repository, "INTERLOCK_TAG": plan.tag, "INTERLOCK_SECRETS": str(secrets)}
        for name in ("GATEWAY_PORT", "GATEWAY_GRPC_PORT", "CONSOLE_PORT"):
            with bound() as sock:
                env[name] = str(sock.getsockname()[1])
        stack = ComposeStack(programs / "podman-compose", f"interlock-test-{os.getpid()}", FILES, env)
        try:
            stack.up()
            yield stack
        finally:
            stack.down()
        assert stack.left() == []


@pytest.fixture(scope="session")
def user(stack: ComposeStack) -> User:
    """Return a user with the admin's key, which `interlock compose init` made."""
    key = Path(stack.env["INTERLOCK_SECRETS"], "admin_api_key").read_text()
    url = f"http://127.0.0.1:{stack.env['GATEWAY_PORT']}"
    return User({"INTERLOCK_GATEWAY_URL": url, "INTERLOCK_API_KEY": key})

from collections.abc import AsyncIterator

import pytest

from tests.support.gateway_app import bound
from tests.support.gateway_process import Gateway, running, store_of
from tests.support.stored_models import put_classifier, put_model
from tests.support.waiting import until


@pytest.fixture(scope="session")
async def gateway(servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """Return a gateway as it is run, with a regression called flights and a classification called sales."""
    store = store_of(servers)
    with bound() as sock:
        grpc_port = sock.getsockname()[1]
    settings = {
        "gateway_reconcile_seconds": "0.2",
        "grpc_port": str(grpc_port),
        "mlflow_model": "flights",
        "mlflow_open": "true",
    }
    async with running(servers, tmp_path_factory.mktemp("clients"), **settings) as gateway:
        gateway.behind.promote(put_model(store, 1), seq=1)
        gateway.behind.promote(put_classifier(store, model="sales"), seq=1)
        gateway.behind.promote(put_model(store, 1, model="houses"), seq=1)  # what docs/protocols.md asks
        gateway.grpc = f"127.0.0.1:{grpc_port}"

        async def serves() -> bool:
            workers = await gateway.workers()
            return len(workers) == 2 and all(
                each == dict.fromkeys(("flights", "houses", "sales"), 1) for each in workers.values()
            )

        await until(serves, seconds=90)
        await until(gateway.ready)
        yield gateway

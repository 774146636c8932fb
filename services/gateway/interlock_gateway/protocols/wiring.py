"""The routes of every protocol that other projects' clients speak."""

from interlock_runtime.access import Access
from litestar.types import ControllerRouterHandler

from interlock_gateway.protocols.inference import Inference
from interlock_gateway.protocols.mlflow import scoring_routes
from interlock_gateway.protocols.model_document import model_document_route
from interlock_gateway.protocols.rest import open_inference_routes
from interlock_gateway.settings import GatewaySettings


def protocol_routes(settings: GatewaySettings, inference: Inference, access: Access) -> list[ControllerRouterHandler]:
    """Return the routes of Open Inference (REST), of MLflow's scoring server, and a model's own OpenAPI document."""
    return [
        open_inference_routes(inference),
        scoring_routes(inference, access, model=settings.mlflow_model, is_open=settings.mlflow_open),
        model_document_route(inference),
    ]

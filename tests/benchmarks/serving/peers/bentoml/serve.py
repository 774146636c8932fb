"""A BentoML service with one worker."""

from typing import Any

import bentoml
import student


@bentoml.service(workers=1)
class Students:
    """The reference forest."""

    def __init__(self) -> None:
        self.model = student.load("forest")

    @bentoml.api
    def predict(self, rows: list[dict[str, Any]]) -> list[float]:
        return self.model.predict(rows)

"""An MLServer runtime over the reference models; a row comes as one tensor a column, as its pandas codec wants it."""

import student
from mlserver import MLModel
from mlserver.codecs import PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput


class Students(MLModel):
    """One of the reference models, by its name."""

    async def load(self) -> bool:
        self._model = student.load(self.name)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        if student.ENGINE == "sklearn":
            frame = PandasCodec.decode_request(payload)
            values = [float(value) for value in self._model._pipeline.predict(frame)]
        else:
            columns = {each.name: each.data.root for each in payload.inputs}
            rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
            values = self._model.predict(rows)
        output = ResponseOutput(name="predictions", shape=[len(values), 1], datatype="FP64", data=values)
        return InferenceResponse(model_name=self.name, outputs=[output])

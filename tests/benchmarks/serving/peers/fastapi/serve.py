"""FastAPI under uvicorn: a plain ``def`` endpoint, and one in the event loop, which only a fast engine may use."""

import student
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
models = student.load_all()


class Pupil(BaseModel):
    gender: str
    race_ethnicity: str
    parental_level_of_education: str
    lunch: str
    test_preparation_course: str
    reading_score: float
    writing_score: float


class Asked(BaseModel):
    rows: list[Pupil]


class Answered(BaseModel):
    predictions: list[float]


@app.get("/ready")
async def ready() -> str:
    return "ready"


def _answer(name: str, asked: Asked) -> Answered:
    return Answered(predictions=models[name].predict([row.model_dump() for row in asked.rows]))


@app.post("/predict/{name}")
def predict(name: str, asked: Asked) -> Answered:
    return _answer(name, asked)


@app.post("/inline/{name}")
async def inline(name: str, asked: Asked) -> Answered:
    return _answer(name, asked)

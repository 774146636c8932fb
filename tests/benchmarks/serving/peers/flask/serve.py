"""The classic way: Flask behind gunicorn."""

import student
from flask import Flask, Response, jsonify, request

app = Flask(__name__)
models = student.load_all()


@app.get("/ready")
def ready() -> str:
    return "ready"


@app.post("/predict/<name>")
def predict(name: str) -> Response:
    return jsonify(predictions=models[name].predict(request.get_json()["rows"]))

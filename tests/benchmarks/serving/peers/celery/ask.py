"""Ask for predictions and follow them: ``python ask.py ROWS COUNT``, where ROWS has one row in JSON a line.

Prints ``sent``, then ``begun`` when a tenth is answered, then ``done``; the sum of the answers stands behind it.
"""

import itertools
import json
import sys
from pathlib import Path

from celery.result import ResultSet
from tasks import app, predict

if __name__ == "__main__":
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    count = int(sys.argv[2])
    with app.producer_pool.acquire() as producer:
        asked = [
            predict.apply_async((row,), producer=producer) for row in itertools.islice(itertools.cycle(rows), count)
        ]
    print("sent", flush=True)
    answered = 0
    total = 0.0

    def note(_: str, value: float) -> None:
        """Count an answer."""
        global answered, total  # noqa: PLW0603 - a script's only state
        answered += 1
        total += value
        if answered == count // 10:
            print("begun", flush=True)

    ResultSet(asked).join_native(callback=note)
    print("done", total, flush=True)
    app.control.purge()

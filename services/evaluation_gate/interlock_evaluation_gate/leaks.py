"""Leaks in the held-out rows: features that tell the target, as notes of the report."""

import pyarrow as pa
from interlock_contracts.pipeline import Pipeline
from interlock_modeling.leaks import sample_rows, target_leaks


def leak_notes(pipeline: Pipeline, holdout: pa.Table) -> list[str]:
    """Return a sentence for each leak that is found in a bounded sample of the rows; it decides nothing.

    ``ingest`` says the same of each file; here it stands beside the metrics that it makes too good.
    """
    places = sample_rows(holdout.num_rows, len(pipeline.data.columns))
    return [f"leak: {each.message}" for each in target_leaks(pipeline, holdout.take(places))]

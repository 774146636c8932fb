"""Takes files in: validates them against the pipeline, splits off the holdout, stores Parquet by content."""

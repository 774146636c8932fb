"""Takes files in: checks them against the pipeline, splits off the holdout, stores Parquet by content."""

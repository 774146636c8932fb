"""Content-addressed objects over any S3."""

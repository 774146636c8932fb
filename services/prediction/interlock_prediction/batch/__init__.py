"""Batch scoring: whole files, submitted by request or schedule, queued, and scored part by part in another process."""

"""Inference in the gateway's own protocol: predictions, asynchronous predictions and feedback."""

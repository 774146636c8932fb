"""Prediction log, ground truth, and live quality: how predictions turn out once a model serves."""

"""What a worker reports of itself: metrics, sampled spans, output statistics and the prediction log."""

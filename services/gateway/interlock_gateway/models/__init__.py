"""The models of one worker: what should serve, what is loaded, dynamic batching, and the reconciler."""

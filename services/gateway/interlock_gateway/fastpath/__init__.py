"""Fast path: ordinary predictions, answered from the bytes of the connection without the framework."""

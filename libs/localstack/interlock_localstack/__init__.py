"""The local stack: real servers and the services as supervised processes, and the demo that runs on it."""

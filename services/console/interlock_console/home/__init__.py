"""How things are: health of services and servers, traffic of models, and what the newest runs and failures are."""

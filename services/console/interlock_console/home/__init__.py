"""Home page: health of services and servers, traffic of models, newest runs and failures."""

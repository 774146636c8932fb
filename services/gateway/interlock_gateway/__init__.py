"""API gateway, the only public entry point: serves predictions, hot-reloads promoted models, proxies the rest."""

"""The one public door: serves predictions, hot-reloads promoted models, proxies the rest."""

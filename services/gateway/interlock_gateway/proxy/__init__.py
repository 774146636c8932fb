"""Reverse proxy: the routes of other services behind the one public address, and the limits of what passes."""

"""The console's own data over HTTP: runs and events, as its pages and `interlock` show them."""

from typing import Any

from litestar.handlers import HTTPRouteHandler

ROUTES: list[HTTPRouteHandler | Any] = []

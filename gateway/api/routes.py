"""The one blueprint that every noun of the API adds its routes to."""

from __future__ import annotations

from apiflask import APIBlueprint

from gateway.api import access

blueprint = APIBlueprint("api", "gateway.api", url_prefix="/api/v1")
access.protect(blueprint)

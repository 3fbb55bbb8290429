"""The lines at the top of every page: warnings reached, mail that comes back, arrears."""

from typing import Any

from flask import g

from gateway import runtime
from gateway.services import banners
from gateway.services.alerts import shown
from gateway.services.banners import Banners
from gateway.web.blueprint import blueprint, scope


@blueprint.context_processor
def _banners() -> dict[str, Any]:
    return {"banners_now": banners_now, "threshold_shown": shown}


def banners_now() -> Banners | None:
    if g.get("account") is None:
        return None
    with runtime.current().units.read() as uow:
        return banners.banners(uow, scope())

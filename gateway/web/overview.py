"""The first page: what is left, how long it lasts, what came in."""

from flask import render_template

from gateway import runtime
from gateway.services import overview as service
from gateway.web import charts
from gateway.web.blueprint import blueprint, scope

DAYS_ON_A_PHONE = 14


@blueprint.get("/")
def overview() -> str:
    with runtime.current().units.read() as uow:
        seen = service.overview(uow, scope())
    return render_template(
        "web/overview.html",
        section="overview",
        seen=seen,
        chart=charts.calls_per_day(seen.days),
        narrow_chart=charts.calls_per_day(seen.days[-DAYS_ON_A_PHONE:], width=360),
    )

"""The price list of the plan in force: what it shows is what is billed (S5-06)."""

from itertools import groupby

from flask import g, render_template

from billing.rate_page import rate_page
from gateway import runtime
from gateway.services import plans
from gateway.web.blueprint import blueprint


@blueprint.get("/billing/rates")
def rates() -> str:
    with runtime.current().units.read() as uow:
        version = plans.plan_version(uow.connection, g.account.plan_version_id)
    rows = rate_page(version.plan)
    sections = [(name, list(some)) for name, some in groupby(rows, lambda row: row.section)]
    return render_template("web/rates.html", section="billing", version=version, sections=sections)

"""A period and two plan versions as forms send them."""

from __future__ import annotations

import datetime as dt

from gateway.services import plans
from gateway.services.errors import Invalid, NotFound
from gateway.services.plans import PlanVersion
from gateway.uow import UnitOfWork

ONE_DAY = dt.timedelta(days=1)
DEFAULT_DAYS = 30


def day(text: str, path: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise Invalid.at(path, "write a day, such as 2026-12-31") from None


def instant(on: dt.date) -> dt.datetime:
    """The beginning of a UTC day."""
    return dt.datetime.combine(on, dt.time(), tzinfo=dt.UTC)


def period(first: str, last: str) -> tuple[dt.datetime, dt.datetime]:
    """From the first UTC day to the end of the last one."""
    since, until = day(first, "/first"), day(last, "/last")
    if until < since:
        raise Invalid.at("/last", "choose a day that is not before the first one")
    return instant(since), instant(until) + ONE_DAY


def version_of(uow: UnitOfWork, text: str, path: str) -> PlanVersion:
    """ "payg" is its newest version, "payg/3" the third."""
    code, _, number = text.partition("/")
    try:
        found = plans.versions(uow, code)
    except NotFound:
        raise Invalid.at(path, "choose a plan") from None
    for version in found:
        if not number or str(version.version) == number:
            return version
    raise Invalid.at(path, "choose a version that there is")


def version_choices(uow: UnitOfWork) -> list[tuple[str, str]]:
    """Every version of every plan for sale, newest first, for a list to choose from."""
    return [
        (f"{v.plan_code}/{v.version}", f"{v.plan.name} v{v.version}")
        for plan in plans.list_plans(uow)
        for v in plans.versions(uow, plan.plan_code)
    ]

"""Upgrading by itself: when the minutes of a cycle are used up, the next plan follows (C5).

A plan that says `auto_upgrade` names its next plan. Each step up the ladder is taken once in a
cycle; nothing here ever leads down, and what is published cannot lead in a circle.
"""

from collections.abc import Iterator, Mapping
from uuid import UUID, uuid5

from billing.plan_reader import FieldError
from billing.tariffs import Plan

_NEXT = "/upgrade/next_plan"


def upgrade_id(account_id: UUID, cycle: int, next_plan: str) -> UUID:
    """Of the change of plan: a cycle (its number) has one for each plan that it leads to."""
    return uuid5(account_id, f"upgrade:{cycle}:{next_plan}")


def misfits(old: Plan, new: Plan) -> Iterator[tuple[str, str]]:
    """Why `new` cannot follow `old` by itself: the field of `new`, and what it says instead."""
    if new.currency != old.currency:
        yield "/currency", f"is priced in {new.currency} and not in {old.currency}"
    if new.mode != old.mode:
        yield "/mode", f"is {new.mode} and not {old.mode}"
    before = old.terms.allowance.minutes if old.terms.allowance else 0
    minutes = new.terms.allowance.minutes if new.terms.allowance else 0
    if minutes <= before:
        field = "/included/minutes" if new.terms.included.minutes else "/pool/minutes"
        yield field, f"has {minutes} minutes a cycle and needs more than {before}"
    if old.terms.access_fee.year_micros is not None and new.terms.access_fee.year_micros is None:
        yield "/access_fee/year", "is not sold by the year"


def upgrade_errors(code: str, plan: Plan, sold: Mapping[str, Plan]) -> Iterator[FieldError]:
    """What is wrong with publishing `plan` beside what is `sold`, the newest versions by code:
    where it leads by itself, and whether those that lead to it still may."""
    ladder = {**sold, code: plan}
    following = plan.terms.upgrade.next_plan
    if plan.terms.exhaustion == "auto_upgrade":
        if following == code:
            yield FieldError(_NEXT, "is this plan itself: name one with more minutes")
        elif following not in sold:
            others = ", ".join(sorted(sold.keys() - {code})) or "none yet"
            yield FieldError(
                _NEXT,
                f"no plan {following!a} is published: publish it first, or name one of: {others}",
            )
        else:
            for _, words in misfits(plan, sold[following]):
                yield FieldError(_NEXT, f"{following} {words}: name another plan")
    for lesser_code, lesser in sold.items():
        leads_here = lesser.terms.upgrade.next_plan == code and lesser_code != code
        if leads_here and lesser.terms.exhaustion == "auto_upgrade":
            for path, words in misfits(lesser, plan):
                yield FieldError(
                    path, f"{words}: {lesser_code} upgrades to this plan by itself; change it first"
                )
    circle = _circle(code, ladder)
    if len(circle) > 2 and any(ladder[c].terms.exhaustion == "auto_upgrade" for c in circle):
        yield FieldError(_NEXT, f"leads in a circle, {' to '.join(circle)}: end it at the largest")


def _circle(code: str, ladder: Mapping[str, Plan]) -> tuple[str, ...]:
    """From a plan along `next_plan` back to it; empty where the way ends, or runs elsewhere."""
    way = [code]
    while (following := ladder[way[-1]].terms.upgrade.next_plan) in ladder:
        if following in way:
            return (*way, following) if following == code else ()
        way.append(following)
    return ()

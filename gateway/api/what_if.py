"""A period under another plan: what it would have cost, leg by leg, with nothing written."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import Currency, Money, money
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import plans, what_if
from gateway.services.errors import Invalid, NotFound
from gateway.services.what_if import LegLine, Sums


class WhatIfIn(Model):
    since: dt.datetime = Field(description="Calls that started at or after this instant.")
    until: dt.datetime = Field(description="Calls that started before this instant.")
    plan: str | None = Field(
        None,
        max_length=60,
        description="Code of a plan. Left out: as it was billed, which must differ by zero.",
    )
    version: int | None = Field(None, ge=1, description="Left out: the newest version.")


class SumsOut(BaseModel):
    items: int
    charged: Money
    would_have_been: Money
    difference: Money = Field(description="Positive where the other plan is dearer.")


class CallSumsOut(SumsOut):
    billed_seconds: int
    would_have_billed_seconds: int
    drawn_seconds: int = Field(description="Of these, seconds that packages or a pool would meet.")


class WhatIfNumberOut(BaseModel):
    phone_number: str
    account_id: UUID = Field(description="The account's own, or a client's.")
    charged: Money
    would_have_been: Money
    difference: Money


class WhatIfLegOut(BaseModel):
    leg_sid: str
    call_sid: str
    account_id: UUID = Field(description="The account's own, or a client's.")
    started_at: dt.datetime
    phone_number: str
    kind: str
    to: str
    talk_seconds: int
    billed_seconds: int
    would_have_billed_seconds: int
    drawn_seconds: int
    charged: Money
    would_have_been: Money
    difference: Money


class WhatIfOut(BaseModel):
    plan: str | None
    version: int | None
    since: dt.datetime
    until: dt.datetime
    currency: Currency
    total: SumsOut
    calls: CallSumsOut
    texts: SumsOut
    clients: CallSumsOut = Field(
        description="Calls and texts of clients on an agency's bill; their own plans stay."
    )
    rent: SumsOut
    access: SumsOut
    included: SumsOut = Field(
        description="What credit that the access fee includes paid of calls and texts: negative."
    )
    numbers: list[WhatIfNumberOut]
    legs: list[WhatIfLegOut] = Field(description="The legs that differ most, at most 100.")
    differing_legs: int
    unpriced_legs: int = Field(description="Legs for which the other plan has no price.")


@blueprint.post("/what-if")
@for_account
@blueprint.input(WhatIfIn, arg_name="body")
@blueprint.output(WhatIfOut)
def ask_what_if(access: Access, body: WhatIfIn) -> WhatIfOut:
    """Replay a period under another plan; nothing is written

    Calls are taken as they were, packages that were bought stay bought, and another plan's pool is
    full at the start of each cycle. A plan that upgrades by itself does so when its minutes are
    used up; the fee of that is part of access. An agency is asked with the calls and texts of the
    clients on its bill: their plans stay as they were, and its other plan's minutes and credit are
    for them too where it shares them. What would have rolled over is not known.
    """
    for name, at in (("since", body.since), ("until", body.until)):
        if at.tzinfo is None:
            raise Invalid.at(f"/{name}", "write the offset too, such as 2026-03-01T00:00:00Z")
    with runtime.current().units.read() as uow:
        version = None
        if body.plan is not None:
            try:
                found = plans.versions(uow, body.plan)
            except NotFound:
                raise Invalid.at("/plan", "there is no such plan") from None
            version = next((v for v in found if body.version in (None, v.version)), None)
            if version is None:
                raise Invalid.at("/version", "there is no such version")
        seen = what_if.what_if(
            uow, access.scope, since=body.since, until=body.until, version=version
        )
    return WhatIfOut(
        plan=version.plan_code if version else None,
        version=version.version if version else None,
        since=seen.since,
        until=seen.until,
        currency=access.currency,
        total=_sums(seen.total),
        calls=_call_sums(seen.calls),
        texts=_sums(seen.texts),
        clients=_call_sums(seen.clients),
        rent=_sums(seen.rent),
        access=_sums(seen.access),
        included=_sums(seen.included),
        numbers=[
            WhatIfNumberOut(
                phone_number=number.e164,
                account_id=number.account_id,
                charged=money(number.sums.charged_micros),
                would_have_been=money(number.sums.replayed_micros),
                difference=money(number.sums.difference_micros),
            )
            for number in seen.numbers
        ],
        legs=[_leg(leg) for leg in seen.largest],
        differing_legs=seen.differing_legs,
        unpriced_legs=seen.unpriced_legs,
    )


def _call_sums(sums: Sums) -> CallSumsOut:
    return CallSumsOut(
        **_sums(sums).model_dump(),
        billed_seconds=sums.seconds,
        would_have_billed_seconds=sums.replayed_seconds,
        drawn_seconds=sums.drawn_seconds,
    )


def _sums(sums: Sums) -> SumsOut:
    return SumsOut(
        items=sums.items,
        charged=money(sums.charged_micros),
        would_have_been=money(sums.replayed_micros),
        difference=money(sums.difference_micros),
    )


def _leg(leg: LegLine) -> WhatIfLegOut:
    return WhatIfLegOut(
        leg_sid=leg.leg_sid,
        call_sid=leg.call_sid,
        account_id=leg.account_id,
        started_at=leg.started_at,
        phone_number=leg.number_e164,
        kind=leg.kind,
        to=leg.to_address,
        talk_seconds=leg.talk_seconds,
        billed_seconds=leg.billed_seconds,
        would_have_billed_seconds=leg.replayed_billed_seconds,
        drawn_seconds=leg.drawn_seconds,
        charged=money(leg.charged_micros),
        would_have_been=money(leg.replayed_micros),
        difference=money(leg.difference_micros),
    )

"""Corrections by staff."""

from __future__ import annotations

from flask import Response

from gateway import runtime
from gateway.api.access import Access, for_account, require_ops
from gateway.api.fields import Amount, Line
from gateway.api.ledger import PostingOut, posting_out
from gateway.api.once import once, spends
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import credit_receipts, ledger, statement


class AdjustmentIn(Model):
    amount: Amount
    reason: Line


@blueprint.post("/ops/adjustments")
@for_account
@spends
@blueprint.input(AdjustmentIn, arg_name="body")
@blueprint.output(PostingOut, status_code=201)
def create_adjustment(access: Access, body: AdjustmentIn) -> Response:
    """Adjust a balance (staff)

    A negative amount takes. The reason stands on the customer's statement. Takes
    `Idempotency-Key`: the same key answers the first adjustment.
    """
    require_ops()

    def act(key: str) -> PostingOut:
        with runtime.current().units.begin() as uow:
            posting = ledger.adjust(
                uow,
                access.scope,
                amount_micros=body.amount,
                reason=body.reason,
                actor=access.actor,
                idempotency_key=key,
            )
            receipts = credit_receipts.known(uow, access.scope, (posting.key,))
            return posting_out(statement.get_by_key(uow, access.scope, posting.key), receipts)

    return once(access, "adjustment", body, act)

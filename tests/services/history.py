"""Calls that happened, written as their webhooks and the settlement leave them."""

import datetime as dt
import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert

from billing.metering import LegStatus, status_rank
from gateway.services import settlement
from gateway.services.accounts import Account
from gateway.store import numbers
from gateway.store.base import new_id
from gateway.store.calls import CallRow
from gateway.store.legs import DueLegRow, LegRow
from gateway.store.receipts import ReceiptRow
from gateway.store.recordings import RecordingRow
from gateway.uow import UnitsOfWork

START = dt.datetime(2026, 3, 4, 15, 0, tzinfo=dt.UTC)
MOBILE = "+14155550101"
DESK = "+14155550102"


@dataclass(frozen=True)
class Target:
    """A phone that rang: `talk` seconds of conversation, or None when it did not win."""

    to: str = MOBILE
    talk: int | None = None
    status: str = "no-answer"
    confirmed: bool | None = None


class History:
    """Of one account."""

    def __init__(self, units: UnitsOfWork, account: Account) -> None:
        self.units = units
        self.account = account
        self.scope = account.scope

    def number(self, e164: str, label: str = "", source: str = "") -> uuid.UUID:
        did_id = new_id()
        with self.units.begin() as uow:
            numbers.add(
                uow.connection,
                tenant_id=self.scope.tenant_id,
                id=did_id,
                account_id=self.scope.account_id,
                e164=e164,
                country="US",
                number_type="local",
                label=label,
                source=source,
                status="active",
                carrier_sid=None,
                forwarding_version_id=None,
                rental_micros=1_150_000,
                bought_at=START,
                release_requested_at=None,
                released_at=None,
            )
        return did_id

    def call(
        self,
        did_id: uuid.UUID,
        *targets: Target,
        at: dt.datetime = START,
        caller: str | None = "+12125550199",
        talk: int | None = None,
        source: str = "",
        refused: str | None = None,
        voicemail: bool = False,
        ended: bool = True,
        settle: bool = True,
    ) -> str:
        """Answers the CallSid. `talk` of the inbound leg defaults to the winner's."""
        call_sid = "CA" + hashlib.md5(uuid.uuid4().bytes).hexdigest()
        winner = next((t for t in targets if t.talk is not None), None)
        inbound = talk if talk is not None else (winner.talk or 0 if winner else 0)
        status = "completed" if inbound else "no-answer"
        end = at + dt.timedelta(seconds=5 + inbound)
        with self.units.begin() as uow:
            uow.connection.execute(
                insert(CallRow).values(
                    tenant_id=self.scope.tenant_id,
                    call_sid=call_sid,
                    account_id=self.scope.account_id,
                    did_id=did_id,
                    plan_version_id=self.account.plan_version_id,
                    source=source,
                    from_number=caller,
                    from_raw=caller or "anonymous",
                    from_country="US",
                    from_state="NY",
                    from_city="NEW YORK",
                    from_postal_code="10001",
                    to_number="+14155550100",
                    status=status if ended else "in-progress",
                    refused=refused,
                    voicemail=voicemail,
                    started_at=at,
                    ended_at=end if ended else None,
                    counted=False,
                    checks=0,
                )
            )
            self._receipt(uow, call_sid, call_sid, "voice", at, From=caller, To="+14155550100")
            for n, target in enumerate(targets):
                leg_sid = "CA" + hashlib.md5(f"{call_sid}{n}".encode()).hexdigest()
                self._leg(
                    uow,
                    call_sid,
                    leg_sid,
                    "forwarded",
                    target.to,
                    "completed" if target.talk is not None else target.status,
                    at,
                    end,
                    target.talk or 0,
                    ended,
                    target.confirmed,
                )
            if refused is None:
                self._leg(
                    uow,
                    call_sid,
                    call_sid,
                    "inbound",
                    "+14155550100",
                    status,
                    at,
                    end,
                    inbound,
                    ended,
                )
        if settle and ended:
            self.settle()
        return call_sid

    def settle(self) -> int:
        return settlement.drain(self.units).legs

    def voicemail(self, call_sid: str, media: bytes | None) -> str:
        recording_sid = "RE" + call_sid[2:]
        with self.units.begin() as uow:
            uow.connection.execute(
                insert(RecordingRow).values(
                    tenant_id=self.scope.tenant_id,
                    recording_sid=recording_sid,
                    account_id=self.scope.account_id,
                    call_sid=call_sid,
                    kind="voicemail",
                    duration_seconds=12,
                    status="completed",
                    media_type="audio/mpeg" if media else None,
                    media=media,
                    created_at=START,
                )
            )
        return recording_sid

    def _leg(
        self,
        uow: Any,
        call_sid: str,
        leg_sid: str,
        kind: str,
        to: str,
        status: str,
        at: dt.datetime,
        end: dt.datetime,
        talk: int,
        ended: bool,
        confirmed: bool | None = None,
    ) -> None:
        receipt_id = self._receipt(
            uow, call_sid, leg_sid, "leg", end, CallStatus=status, CallDuration=str(talk), To=to
        )
        uow.connection.execute(
            insert(LegRow).values(
                tenant_id=self.scope.tenant_id,
                leg_sid=leg_sid,
                call_sid=call_sid,
                account_id=self.scope.account_id,
                kind=kind,
                target_kind="did" if kind == "inbound" else "number",
                to_address=to,
                cursor="",
                status=status if ended else "in-progress",
                status_rank=status_rank(LegStatus(status)),
                started_at=at,
                answered_at=end - dt.timedelta(seconds=talk) if talk else None,
                ended_at=end if ended else None,
                talk_seconds=talk,
                ring_seconds=0,
                confirmed=confirmed,
                end_receipt_id=receipt_id if ended else None,
            )
        )
        if ended:
            uow.connection.execute(
                insert(DueLegRow).values(
                    tenant_id=self.scope.tenant_id,
                    account_id=self.scope.account_id,
                    ended_at=end,
                    leg_sid=leg_sid,
                )
            )

    def _receipt(
        self, uow: Any, call_sid: str, leg_sid: str, kind: str, at: dt.datetime, **params: Any
    ) -> uuid.UUID:
        id = new_id()
        uow.connection.execute(
            insert(ReceiptRow).values(
                tenant_id=self.scope.tenant_id,
                id=id,
                key=f"{kind}:{leg_sid}:{params.get('CallStatus', '')}",
                call_sid=call_sid,
                leg_sid=leg_sid,
                kind=kind,
                params=params,
                received_at=at,
            )
        )
        return id

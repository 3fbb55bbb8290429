"""Cards, charges on them, and automatic recharge."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Currency, Key, Micros, TenantId


class PaymentMethodRow(Base):
    """A card at the payment provider: its token, never its number."""

    __tablename__ = "payment_method"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    provider: Mapped[str] = mapped_column(String(16))  # sandbox, stripe
    customer_ref: Mapped[str]
    method_ref: Mapped[str]
    kind: Mapped[str] = mapped_column(String(8))  # card, sepa
    brand: Mapped[str]
    last4: Mapped[str] = mapped_column(String(4))
    expires: Mapped[str] = mapped_column(String(7))  # "2027-05"; empty for a bank account
    role: Mapped[str] = mapped_column(String(8))  # default, backup, other
    added_at: Mapped[dt.datetime]
    added_by: Mapped[str]
    removed_at: Mapped[dt.datetime | None]

    __table_args__ = (
        UniqueConstraint("tenant_id", "account_id", "method_ref"),
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_payment_method_account",
        ),
        CheckConstraint("role in ('default','backup','other')", name="role"),
    )


class ChargeRow(Base):
    """The intent to charge, committed before the provider is asked; its id is the provider's
    idempotency key. `unknown`: the answer was lost; resolved by asking, never by charging again.
    """

    __tablename__ = "charge"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    purpose: Mapped[str] = mapped_column(String(12))  # recharge, topup, daily, statement, access
    payment_method_id: Mapped[uuid.UUID]
    net_micros: Mapped[Micros]  # what the wallet gets
    vat_micros: Mapped[Micros]
    vat_basis_points: Mapped[int]
    vat_note: Mapped[str]
    currency: Mapped[Currency]
    state: Mapped[str] = mapped_column(String(16))
    provider_ref: Mapped[str | None]
    action_url: Mapped[str | None]  # where the payer confirms (3-D Secure)
    decline_code: Mapped[str | None]
    attempts: Mapped[int]
    retry_at: Mapped[dt.datetime | None]
    idempotency_key: Mapped[str]
    actor: Mapped[str]
    created_at: Mapped[dt.datetime]
    resolved_at: Mapped[dt.datetime | None]

    __table_args__ = (
        UniqueConstraint("tenant_id", "account_id", "idempotency_key"),
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_charge_account",
        ),
        CheckConstraint("net_micros > 0 and vat_micros >= 0", name="positive"),
        CheckConstraint(
            "state in ('pending','unknown','requires_action','ok','failed')", name="state"
        ),
        Index(
            "uq_charge_open",
            "tenant_id",
            "account_id",
            unique=True,
            postgresql_where="state in ('pending','unknown','requires_action')",
        ),
        Index(
            "ix_charge_due",
            "created_at",
            postgresql_where="state in ('pending','unknown','requires_action')",
        ),
        Index("ix_charge_provider_ref", "provider_ref"),
    )


class RechargeRuleRow(Base):
    __tablename__ = "recharge_rule"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    enabled: Mapped[bool]
    min_micros: Mapped[Micros]
    max_micros: Mapped[Micros]
    daily_cap_micros: Mapped[Micros]
    monthly_cap_micros: Mapped[Micros]
    cooldown_seconds: Mapped[int]
    paused_reason: Mapped[str | None]  # set by the breaker or a hard decline; people lift it
    changed_at: Mapped[dt.datetime]
    changed_by: Mapped[str]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_recharge_rule_account",
        ),
        CheckConstraint("0 <= min_micros and min_micros < max_micros", name="range"),
    )

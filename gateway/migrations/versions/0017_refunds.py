"""Refunds of card payments

Revision: 0017
After: 0016

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("charge", sa.Column("refunded_micros", sa.BigInteger()))
    op.create_table(
        "refund",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("charge_id", sa.UUID(), nullable=False),
        sa.Column("net_micros", sa.BigInteger(), nullable=False),
        sa.Column("vat_micros", sa.BigInteger(), nullable=False),
        sa.Column("vat_formula", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("ask_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("net_micros > 0 and vat_micros >= 0", name=op.f("ck_refund_positive")),
        sa.CheckConstraint("state in ('pending','ok','failed')", name=op.f("ck_refund_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_refund_account",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "charge_id"], ["charge.tenant_id", "charge.id"], name="fk_refund_charge"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_refund")),
        sa.UniqueConstraint(
            "tenant_id",
            "account_id",
            "idempotency_key",
            name=op.f("uq_refund_tenant_id_account_id_idempotency_key"),
        ),
    )
    op.create_index("ix_refund_charge", "refund", ["tenant_id", "charge_id"])
    op.create_index("ix_refund_due", "refund", ["ask_at"], postgresql_where="ask_at is not null")
    op.create_index("ix_refund_watched", "refund", ["created_at"], postgresql_where="state <> 'ok'")
    _index_credits("kind in ('topup','adjustment','reversal','vat','refund')")


def downgrade() -> None:
    _index_credits("kind in ('topup','adjustment','reversal','vat')")
    op.drop_table("refund")
    op.drop_column("charge", "refunded_micros")


def _index_credits(lines: str) -> None:
    op.drop_index("ix_posting_credit", table_name="posting")
    op.create_index(
        "ix_posting_credit", "posting", ["tenant_id", "account_id", "seq"], postgresql_where=lines
    )

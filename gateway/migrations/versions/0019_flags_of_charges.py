"""Flags of charges are looked at and cleared

Revision: 0019
After: 0018

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """`refunded_micros` was what anybody gave back, as was heard; it is now what went back without
    us, as the provider says when it is asked, which it is for each."""
    op.add_column("charge", sa.Column("refunds_ask_at", sa.DateTime(timezone=True)))
    op.add_column(
        "charge",
        sa.Column("refunds_seen_micros", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.add_column("charge", sa.Column("dispute_ref", sa.Text()))
    op.execute(
        "update charge set refunded_micros = null, refunds_ask_at = now()"
        " where refunded_micros is not null"
    )
    op.create_index(
        "ix_charge_refunds_due",
        "charge",
        ["refunds_ask_at"],
        postgresql_where="refunds_ask_at is not null",
    )


def downgrade() -> None:
    op.drop_index("ix_charge_refunds_due", table_name="charge")
    op.drop_column("charge", "dispute_ref")
    op.drop_column("charge", "refunds_seen_micros")
    op.drop_column("charge", "refunds_ask_at")

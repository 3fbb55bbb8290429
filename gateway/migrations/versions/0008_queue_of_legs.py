"""The queue of ended legs in a table of its own

Revision: 0008
After: 0007

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten. Here nothing was released before: stop the old processes
first, or a leg that they end after the copy is not on the queue.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "leg_due",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leg_sid", sa.String(length=34), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id", "account_id", "ended_at", "leg_sid", name=op.f("pk_leg_due")
        ),
    )
    op.execute(
        "insert into leg_due (tenant_id, account_id, ended_at, leg_sid)"
        " select tenant_id, account_id, ended_at, leg_sid from leg"
        " where ended_at is not null and settled_at is null"
    )
    op.drop_index("ix_leg_due", table_name="leg")


def downgrade() -> None:
    op.create_index(
        "ix_leg_due",
        "leg",
        ["tenant_id", "account_id", "ended_at"],
        unique=False,
        postgresql_where="ended_at is not null and settled_at is null",
    )
    op.drop_table("leg_due")

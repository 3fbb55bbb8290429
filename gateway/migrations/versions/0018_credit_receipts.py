"""Receipts of credits as papers

Revision: 0018
After: 0017

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "credit_receipt",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pdf", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_credit_receipt_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "key", name=op.f("pk_credit_receipt")),
    )


def downgrade() -> None:
    op.drop_table("credit_receipt")

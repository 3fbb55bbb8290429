"""Credit that the access fee includes

Revision: 0013
After: 0012

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "included_credit",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("plan_version_id", sa.UUID(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("own_micros", sa.BigInteger(), nullable=False),
        sa.Column("granted_micros", sa.BigInteger(), nullable=False),
        sa.Column("grants", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("after_seq", sa.BigInteger(), nullable=False),
        sa.Column("counted_seq", sa.BigInteger(), nullable=False),
        sa.Column("charged_micros", sa.BigInteger(), nullable=False),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("waits_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_seq", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_included_credit_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", "n", name=op.f("pk_included_credit")),
    )
    op.create_index(
        "ix_included_credit_due",
        "included_credit",
        ["look_at"],
        postgresql_where="look_at is not null",
    )
    op.add_column("account", sa.Column("credit_turns_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("account", "credit_turns_at")
    op.drop_table("included_credit")

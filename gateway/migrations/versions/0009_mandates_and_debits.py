"""Mandates and debits

Revision: 0009
After: 0008

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "debit_run",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_debit_run")),
    )
    op.create_table(
        "debit",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("run_id", sa.UUID(), nullable=False),
        sa.Column("statement_id", sa.UUID(), nullable=False),
        sa.Column("label", sa.String(length=24), nullable=False),
        sa.Column("mandate_id", sa.UUID(), nullable=False),
        sa.Column("end_to_end_id", sa.String(length=35), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("collect_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("credited_key", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state in ('submitted','collected','returned','canceled')", name=op.f("ck_debit_state")
        ),
        sa.CheckConstraint("amount_micros > 0", name=op.f("ck_debit_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_debit_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_debit")),
        sa.UniqueConstraint(
            "tenant_id", "end_to_end_id", name=op.f("uq_debit_tenant_id_end_to_end_id")
        ),
    )
    op.create_index("ix_debit_end_to_end", "debit", ["end_to_end_id"], unique=False)
    op.create_index(
        "ix_debit_open",
        "debit",
        ["tenant_id", "statement_id"],
        unique=True,
        postgresql_where="state in ('submitted','collected')",
    )
    op.create_index("ix_debit_run", "debit", ["run_id"], unique=False)
    op.create_table(
        "mandate",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("reference", sa.String(length=35), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("holder", sa.String(length=70), nullable=False),
        sa.Column("iban", sa.String(length=34), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_mandate_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_mandate")),
        sa.UniqueConstraint("tenant_id", "reference", name=op.f("uq_mandate_tenant_id_reference")),
    )
    op.create_index(
        "ix_mandate_in_force",
        "mandate",
        ["tenant_id", "account_id"],
        unique=True,
        postgresql_where="ended_at is null",
    )


def downgrade() -> None:
    op.drop_index("ix_mandate_in_force", table_name="mandate", postgresql_where="ended_at is null")
    op.drop_table("mandate")
    op.drop_index("ix_debit_run", table_name="debit")
    op.drop_index(
        "ix_debit_open", table_name="debit", postgresql_where="state in ('submitted','collected')"
    )
    op.drop_index("ix_debit_end_to_end", table_name="debit")
    op.drop_table("debit")
    op.drop_table("debit_run")

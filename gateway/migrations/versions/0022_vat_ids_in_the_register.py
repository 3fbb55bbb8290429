"""What the Union's register says of VAT ids

Revision: 0022
After: 0021

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.create_table(
        "vat_id_check",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("vat_id", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("ask_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.String(length=8), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requested_on", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "answer in ('valid','invalid','unknown')", name=op.f("ck_vat_id_check_answer")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_vat_id_check_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_vat_id_check")),
    )
    op.create_index("ix_vat_id_check_account", "vat_id_check", ["tenant_id", "account_id", "id"])
    op.create_index(
        "ix_vat_id_check_due", "vat_id_check", ["ask_at"], postgresql_where="ask_at is not null"
    )


def downgrade() -> None:
    op.drop_table("vat_id_check")

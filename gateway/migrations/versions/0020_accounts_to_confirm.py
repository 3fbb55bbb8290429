"""Accounts whose billing address nobody has confirmed are listed

Revision: 0020
After: 0019

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_index(
        "ix_account_unconfirmed",
        "account",
        ["id"],
        postgresql_where="billing_email_confirmed_at is null",
    )


def downgrade() -> None:
    op.drop_index("ix_account_unconfirmed", table_name="account")

"""Warnings by text and call, and the flag of mail that comes back

Revision: 0006
After: 0005

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("alert_setting", sa.Column("phone", sa.Text(), server_default="", nullable=False))
    op.create_index(
        "ix_account_bounced",
        "account",
        ["id"],
        postgresql_where="billing_email_bounced_at is not null",
    )


def downgrade() -> None:
    op.drop_index(
        "ix_account_bounced",
        table_name="account",
        postgresql_where="billing_email_bounced_at is not null",
    )
    op.drop_column("alert_setting", "phone")

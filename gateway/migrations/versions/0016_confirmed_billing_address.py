"""Billing addresses are confirmed by a link

Revision: 0016
After: 0015

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Addresses of before have been written to all along: those that take mail count as
    confirmed."""
    op.add_column("account", sa.Column("billing_email_confirmed_at", sa.DateTime(timezone=True)))
    op.add_column("account", sa.Column("billing_email_nonce", sa.Text()))
    op.add_column("account", sa.Column("billing_email_link_at", sa.DateTime(timezone=True)))
    op.execute(
        "update account set billing_email_confirmed_at = now()"
        " where billing_email_bounced_at is null"
    )


def downgrade() -> None:
    op.drop_column("account", "billing_email_link_at")
    op.drop_column("account", "billing_email_nonce")
    op.drop_column("account", "billing_email_confirmed_at")

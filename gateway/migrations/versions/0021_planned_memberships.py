"""Who pays for a client can be planned

Revision: 0021
After: 0020

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("billing_membership", sa.Column("look_at", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_billing_membership_due",
        "billing_membership",
        ["look_at"],
        postgresql_where="look_at is not null",
    )


def downgrade() -> None:
    """The release before takes every change for one that has begun: what has not is lost."""
    op.execute("delete from billing_membership where from_at > now()")
    op.drop_index("ix_billing_membership_due", table_name="billing_membership")
    op.drop_column("billing_membership", "look_at")

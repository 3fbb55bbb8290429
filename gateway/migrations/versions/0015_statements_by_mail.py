"""Statements come with their mail, unless the account wants none

Revision: 0015
After: 0014

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column(
        "account",
        sa.Column("attach_statement", sa.Boolean(), server_default="true", nullable=False),
    )
    op.add_column(
        "mail",
        sa.Column(
            "attachments",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="[]",
            nullable=False,
        ),
    )


def downgrade() -> None:
    op.drop_column("mail", "attachments")
    op.drop_column("account", "attach_statement")

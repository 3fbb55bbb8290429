"""Term of plan changes

Revision: 0004
After: 0003

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("plan_change", sa.Column("term", sa.String(length=8), nullable=True))


def downgrade() -> None:
    op.drop_column("plan_change", "term")

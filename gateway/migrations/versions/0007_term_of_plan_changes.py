"""Term of plan changes

Revision: 0007
After: 0006

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("plan_change", sa.Column("term", sa.String(length=8), nullable=True))


def downgrade() -> None:
    op.drop_column("plan_change", "term")

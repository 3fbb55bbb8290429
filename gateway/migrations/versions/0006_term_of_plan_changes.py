"""Term of plan changes

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
    op.add_column("plan_change", sa.Column("term", sa.String(length=8), nullable=True))


def downgrade() -> None:
    op.drop_column("plan_change", "term")

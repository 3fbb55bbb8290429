"""When the carrier began to dial a leg

Revision: 0005
After: 0004

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("leg", sa.Column("dialled_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("leg", "dialled_at")

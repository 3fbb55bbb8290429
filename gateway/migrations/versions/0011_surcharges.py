"""Surcharges of legs

Revision: 0011
After: 0010

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("leg", sa.Column("surcharge_micros", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("leg", "surcharge_micros")

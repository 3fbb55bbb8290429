"""${message}

Revision: ${up_revision}
After: ${down_revision | comma,n}

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

from alembic import op
import sqlalchemy as sa
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}

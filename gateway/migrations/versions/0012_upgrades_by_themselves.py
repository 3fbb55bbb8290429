"""Upgrades by themselves

Revision: 0012
After: 0011

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column(
        "plan_change", sa.Column("automatic", sa.Boolean(), server_default="false", nullable=False)
    )
    _states("'requested','scheduled','held','applied','canceled'")


def downgrade() -> None:
    op.execute("update plan_change set state = 'canceled' where state = 'held'")
    _states("'requested','scheduled','applied','canceled'")
    op.drop_column("plan_change", "automatic")


def _states(words: str) -> None:
    name = op.f("ck_plan_change_state")
    op.drop_constraint(name, "plan_change")
    op.create_check_constraint(name, "plan_change", f"state in ({words})")

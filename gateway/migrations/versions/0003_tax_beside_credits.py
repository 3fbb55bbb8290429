"""Tax beside credits

Revision: 0003
After: 0002

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _index("kind in ('topup','adjustment','reversal','vat')")


def downgrade() -> None:
    _index("kind in ('topup','adjustment','reversal')")


def _index(lines: str) -> None:
    op.drop_index("ix_posting_credit", table_name="posting")
    op.create_index(
        "ix_posting_credit", "posting", ["tenant_id", "account_id", "seq"], postgresql_where=lines
    )

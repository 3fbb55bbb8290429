"""VAT ids that wait to be looked up

Revision: 0010
After: 0009

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

NAME, WAITING = "ix_account_vat_id_unchecked", "vat_id <> '' and vat_id_checked_at is null"


def upgrade() -> None:
    op.create_index(NAME, "account", ["id"], postgresql_where=WAITING)


def downgrade() -> None:
    op.drop_index(NAME, table_name="account", postgresql_where=WAITING)

"""Minutes bought by the bundle

Revision: 0004
After: 0003

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.drop_constraint(op.f("ck_bucket_kind"), "bucket", type_="check")
    op.create_check_constraint(
        op.f("ck_bucket_kind"), "bucket", "kind in ('package','pool','bundle')"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_bucket_kind"), "bucket", type_="check")
    op.create_check_constraint(op.f("ck_bucket_kind"), "bucket", "kind in ('package','pool')")

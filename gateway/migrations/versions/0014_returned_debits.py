"""Debits that went back, beside the transfers that came

Revision: 0014
After: 0013

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

from alembic import op

revision = "0014"
down_revision = "0013"

TABLE = "bank_transfer"


def upgrade() -> None:
    op.drop_constraint(op.f("ck_bank_transfer_positive"), TABLE, type_="check")
    op.create_check_constraint(op.f("ck_bank_transfer_moves"), TABLE, "amount_micros <> 0")
    op.drop_constraint(op.f("ck_bank_transfer_state"), TABLE, type_="check")
    op.create_check_constraint(
        op.f("ck_bank_transfer_state"),
        TABLE,
        "state in ('credited','unmatched','dismissed','returned')",
    )


def downgrade() -> None:
    """What went back is told again by the bank's file: the debits themselves know what they are."""
    op.execute("delete from bank_transfer where amount_micros < 0")
    op.drop_constraint(op.f("ck_bank_transfer_moves"), TABLE, type_="check")
    op.create_check_constraint(op.f("ck_bank_transfer_positive"), TABLE, "amount_micros > 0")
    op.drop_constraint(op.f("ck_bank_transfer_state"), TABLE, type_="check")
    op.create_check_constraint(
        op.f("ck_bank_transfer_state"), TABLE, "state in ('credited','unmatched','dismissed')"
    )

"""Minutes, payments, messages, statements

Revision: 0002
After: 0001

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

# What was issued stays as it was issued; `refuse_change` comes with 0001.
FROZEN = ("statement", "statement_file")


def upgrade() -> None:
    op.create_table(
        "bank_transfer",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("bank_id", sa.Text(), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("payer", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("credits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state in ('credited','unmatched','dismissed')", name=op.f("ck_bank_transfer_state")
        ),
        sa.CheckConstraint("amount_micros > 0", name=op.f("ck_bank_transfer_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_transfer")),
        sa.UniqueConstraint("bank_id", name=op.f("uq_bank_transfer_bank_id")),
    )
    op.create_index(
        "ix_bank_transfer_unmatched",
        "bank_transfer",
        ["id"],
        unique=False,
        postgresql_where="state = 'unmatched'",
    )
    op.create_table(
        "drift",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("leg_sid", sa.String(length=34), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("healed", sa.Boolean(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "leg_sid", "kind", name=op.f("pk_drift")),
    )
    op.create_index("ix_drift_day", "drift", ["day"], unique=False)
    op.create_table(
        "opt_out",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("did_id", sa.UUID(), nullable=False),
        sa.Column("peer", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "did_id", "peer", name=op.f("pk_opt_out")),
    )
    op.create_table(
        "reconciliation",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("legs_ours", sa.BigInteger(), nullable=False),
        sa.Column("legs_theirs", sa.BigInteger(), nullable=False),
        sa.Column("healed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_reconciliation")),
    )
    op.create_table(
        "statement_counter",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_statement_counter")),
    )
    op.create_table(
        "statement_file",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("statement_id", sa.UUID(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id", "statement_id", "media_type", name=op.f("pk_statement_file")
        ),
    )
    op.create_table(
        "alert",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("measure", sa.String(length=8), nullable=False),
        sa.Column("threshold", sa.BigInteger(), nullable=False),
        sa.Column("channels", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("armed", sa.Boolean(), nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("measure in ('money','minutes','days')", name=op.f("ck_alert_measure")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_alert_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alert")),
    )
    op.create_index("ix_alert_account", "alert", ["tenant_id", "account_id"], unique=False)
    op.create_table(
        "alert_setting",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("hook_url", sa.Text(), nullable=False),
        sa.Column("hook_secret", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_alert_setting_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", name=op.f("pk_alert_setting")),
    )
    op.create_table(
        "billing_membership",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("billing", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "billing in ('own','agency_shared')", name=op.f("ck_billing_membership_billing")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_billing_membership_account",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "account_id", "from_at", name=op.f("pk_billing_membership")
        ),
    )
    op.create_table(
        "bucket",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("package_id", sa.UUID(), nullable=True),
        sa.Column("offer_code", sa.Text(), nullable=True),
        sa.Column("plan_version_id", sa.UUID(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("upgrade", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind in ('package','pool')", name=op.f("ck_bucket_kind")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_bucket_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_bucket")),
    )
    op.create_index(
        "ix_bucket_due",
        "bucket",
        ["look_at"],
        unique=False,
        postgresql_where="closed_at is null",
    )
    op.create_index(
        "ix_bucket_open",
        "bucket",
        ["tenant_id", "account_id"],
        unique=False,
        postgresql_where="closed_at is null",
    )
    op.create_table(
        "card_setup",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("customer_ref", sa.Text(), nullable=True),
        sa.Column("session_ref", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("payment_method_id", sa.UUID(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("ask_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('open','done','gone')", name=op.f("ck_card_setup_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_card_setup_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_card_setup")),
    )
    op.create_index(
        "ix_card_setup_due",
        "card_setup",
        ["ask_at"],
        unique=False,
        postgresql_where="ask_at is not null",
    )
    op.create_table(
        "charge_brake",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_charge_brake")),
    )
    op.create_table(
        "charge",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("payment_method_id", sa.UUID(), nullable=False),
        sa.Column("net_micros", sa.BigInteger(), nullable=False),
        sa.Column("vat_micros", sa.BigInteger(), nullable=False),
        sa.Column("vat_basis_points", sa.BigInteger(), nullable=False),
        sa.Column("vat_note", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.Column("action_url", sa.Text(), nullable=True),
        sa.Column("action_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decline_code", sa.Text(), nullable=True),
        sa.Column("credited_micros", sa.BigInteger(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("ask_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("flag", sa.String(length=12), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('pending','unknown','requires_action','ok','failed')",
            name=op.f("ck_charge_state"),
        ),
        sa.CheckConstraint("net_micros > 0 and vat_micros >= 0", name=op.f("ck_charge_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_charge_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_charge")),
        sa.UniqueConstraint(
            "tenant_id",
            "account_id",
            "idempotency_key",
            name=op.f("uq_charge_tenant_id_account_id_idempotency_key"),
        ),
    )
    op.create_index("ix_charge_account", "charge", ["tenant_id", "account_id", "id"], unique=False)
    op.create_index("ix_charge_created", "charge", ["created_at"], unique=False)
    op.create_index(
        "ix_charge_due", "charge", ["ask_at"], unique=False, postgresql_where="ask_at is not null"
    )
    op.create_index("ix_charge_id", "charge", ["id"], unique=False)
    op.create_index("ix_charge_provider_ref", "charge", ["provider_ref"], unique=False)
    op.create_index(
        "ix_charge_watched",
        "charge",
        ["id"],
        unique=False,
        postgresql_where="state in ('pending','unknown','requires_action') or flag is not null",
    )
    op.create_index(
        "uq_charge_open",
        "charge",
        ["tenant_id", "account_id"],
        unique=True,
        postgresql_where="state in ('pending','unknown','requires_action')",
    )
    op.create_table(
        "conversation",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("did_id", sa.UUID(), nullable=False),
        sa.Column("peer", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_message_id", sa.UUID(), nullable=False),
        sa.Column("unread", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_conversation_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "did_id", "peer", name=op.f("pk_conversation")),
    )
    op.create_index(
        "ix_conversation_account",
        "conversation",
        ["tenant_id", "account_id", "last_message_id"],
        unique=False,
    )
    op.create_table(
        "dunning",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("overdue_on", sa.Date(), nullable=False),
        sa.Column("paused_on", sa.Date(), nullable=True),
        sa.Column("paused_days", sa.BigInteger(), nullable=False),
        sa.Column("notices", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("due_for_release", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_dunning_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", name=op.f("pk_dunning")),
    )
    op.create_index("ix_dunning_overdue", "dunning", ["overdue_on"], unique=False)
    op.create_table(
        "message",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("did_id", sa.UUID(), nullable=False),
        sa.Column("carrier_sid", sa.String(length=34), nullable=True),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("peer", sa.String(length=16), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("media_count", sa.BigInteger(), nullable=False),
        sa.Column("encoding", sa.String(length=8), nullable=False),
        sa.Column("segments", sa.BigInteger(), nullable=False),
        sa.Column("metered", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("error_code", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("plan_version_id", sa.UUID(), nullable=False),
        sa.Column("receipt_id", sa.UUID(), nullable=True),
        sa.Column("forward_of", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("check_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checks", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quoted_micros", sa.BigInteger(), nullable=False),
        sa.Column("rate_micros", sa.BigInteger(), nullable=True),
        sa.Column("charge_micros", sa.BigInteger(), nullable=True),
        sa.Column("cost_micros", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "direction in ('inbound','outbound')", name=op.f("ck_message_direction")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_message_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_message")),
    )
    op.create_index(
        "ix_message_account", "message", ["tenant_id", "account_id", "id"], unique=False
    )
    op.create_index(
        "ix_message_check",
        "message",
        ["check_at"],
        unique=False,
        postgresql_where="check_at is not null",
    )
    op.create_index(
        "ix_message_conversation", "message", ["tenant_id", "did_id", "peer", "id"], unique=False
    )
    op.create_index(
        "ix_message_forward",
        "message",
        ["tenant_id", "forward_of"],
        unique=False,
        postgresql_where="forward_of is not null",
    )
    op.create_index(
        "ix_message_open",
        "message",
        ["tenant_id", "account_id"],
        unique=False,
        postgresql_where="settled_at is null",
    )
    op.create_index("uq_message_carrier_sid", "message", ["tenant_id", "carrier_sid"], unique=True)
    op.create_index(
        "uq_message_idempotency",
        "message",
        ["tenant_id", "account_id", "idempotency_key"],
        unique=True,
    )
    op.create_table(
        "package",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("plan_version_id", sa.UUID(), nullable=False),
        sa.Column("purchased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purchased_by", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("anchor_on", sa.Date(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renews", sa.Boolean(), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_by", sa.Text(), nullable=True),
        sa.Column("expired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_package_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_package")),
        sa.UniqueConstraint(
            "tenant_id",
            "account_id",
            "idempotency_key",
            name=op.f("uq_package_tenant_id_account_id_idempotency_key"),
        ),
    )
    op.create_index(
        "ix_package_account", "package", ["tenant_id", "account_id", "id"], unique=False
    )
    op.create_index(
        "ix_package_due",
        "package",
        ["due_at"],
        unique=False,
        postgresql_where="expired_at is null",
    )
    op.create_table(
        "payment_method",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("customer_ref", sa.Text(), nullable=False),
        sa.Column("method_ref", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("last4", sa.String(length=4), nullable=False),
        sa.Column("expires", sa.String(length=7), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role in ('default','backup','other')", name=op.f("ck_payment_method_role")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_payment_method_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_payment_method")),
        sa.UniqueConstraint(
            "tenant_id",
            "account_id",
            "method_ref",
            name=op.f("uq_payment_method_tenant_id_account_id_method_ref"),
        ),
    )
    op.create_index(
        "uq_payment_method_role",
        "payment_method",
        ["tenant_id", "account_id", "role"],
        unique=True,
        postgresql_where="removed_at is null and role in ('default','backup')",
    )
    op.create_table(
        "plan_change",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("plan_version_id", sa.UUID(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('requested','scheduled','applied','canceled')",
            name=op.f("ck_plan_change_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_plan_change_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_plan_change")),
    )
    op.create_index(
        "ix_plan_change_account", "plan_change", ["tenant_id", "account_id", "id"], unique=False
    )
    op.create_index(
        "ix_plan_change_due",
        "plan_change",
        ["effective_at"],
        unique=False,
        postgresql_where="state = 'scheduled'",
    )
    op.create_table(
        "recharge_rule",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("min_micros", sa.BigInteger(), nullable=False),
        sa.Column("max_micros", sa.BigInteger(), nullable=False),
        sa.Column("daily_cap_micros", sa.BigInteger(), nullable=True),
        sa.Column("monthly_cap_micros", sa.BigInteger(), nullable=True),
        sa.Column("cooldown_seconds", sa.BigInteger(), nullable=False),
        sa.Column("hold_reason", sa.Text(), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("brake_lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "0 <= min_micros and min_micros < max_micros", name=op.f("ck_recharge_rule_range")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_recharge_rule_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", name=op.f("pk_recharge_rule")),
    )
    op.create_table(
        "settlement_day",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("used_micros", sa.BigInteger(), nullable=False),
        sa.Column("carried_micros", sa.BigInteger(), nullable=False),
        sa.Column("billed_micros", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("billed_micros >= 0", name=op.f("ck_settlement_day_billed")),
        sa.CheckConstraint(
            "state in ('due','carried','nothing','paid')", name=op.f("ck_settlement_day_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_settlement_day_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", "day", name=op.f("pk_settlement_day")),
    )
    op.create_index(
        "ix_settlement_day_due",
        "settlement_day",
        ["day"],
        unique=False,
        postgresql_where="state = 'due'",
    )
    op.create_table(
        "statement",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.String(length=24), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("opening_micros", sa.BigInteger(), nullable=False),
        sa.Column("charges_micros", sa.BigInteger(), nullable=False),
        sa.Column("credits_micros", sa.BigInteger(), nullable=False),
        sa.Column("vat_micros", sa.BigInteger(), nullable=False),
        sa.Column("closing_micros", sa.BigInteger(), nullable=False),
        sa.Column("owed_micros", sa.BigInteger(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_statement_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_statement")),
        sa.UniqueConstraint(
            "tenant_id",
            "account_id",
            "starts_on",
            name=op.f("uq_statement_tenant_id_account_id_starts_on"),
        ),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_statement_tenant_id_number")),
    )
    op.create_index("ix_statement_label", "statement", ["label"], unique=False)
    op.create_table(
        "subscription",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("plan_version_id", sa.UUID(), nullable=False),
        sa.Column("term", sa.String(length=8), nullable=False),
        sa.Column("fee_micros", sa.BigInteger(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("anchor_on", sa.Date(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renews", sa.Boolean(), nullable=False),
        sa.Column("canceled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("canceled_by", sa.Text(), nullable=True),
        sa.Column("cancel_effect", sa.String(length=12), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("term in ('month','year')", name=op.f("ck_subscription_term")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_subscription_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_subscription")),
    )
    op.create_index(
        "ix_subscription_due",
        "subscription",
        ["due_at"],
        unique=False,
        postgresql_where="ended_at is null",
    )
    op.create_index(
        "uq_subscription_open",
        "subscription",
        ["tenant_id", "account_id"],
        unique=True,
        postgresql_where="ended_at is null",
    )
    op.create_table(
        "carrier_leg",
        sa.Column("sid", sa.String(length=34), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("parent_sid", sa.String(length=34), nullable=True),
        sa.Column("from_address", sa.Text(), nullable=False),
        sa.Column("to_address", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("talk_seconds", sa.BigInteger(), nullable=True),
        sa.Column("price_micros", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_carrier_leg")),
    )
    op.create_index("ix_carrier_leg_day", "carrier_leg", ["day"], unique=False)
    op.create_table(
        "plan_publication",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moves_accounts", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("plan_version_id", sa.UUID(), nullable=True),
        sa.CheckConstraint("kind in ('retail','carrier')", name=op.f("ck_plan_publication_kind")),
        sa.CheckConstraint(
            "state in ('waiting','published','canceled')", name=op.f("ck_plan_publication_state")
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_version.id"],
            name=op.f("fk_plan_publication_plan_version_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_publication")),
    )
    op.create_index(
        "ix_plan_publication_due",
        "plan_publication",
        ["from_at"],
        unique=False,
        postgresql_where="state = 'waiting'",
    )
    op.add_column("leg", sa.Column("repriced_version_id", sa.UUID(), nullable=True))
    op.add_column("account", sa.Column("legal_name", sa.Text(), server_default="", nullable=False))
    op.add_column("account", sa.Column("address", sa.Text(), server_default="", nullable=False))
    op.add_column("account", sa.Column("vat_id", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "account", sa.Column("vat_id_checked_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "account", sa.Column("trial_used", sa.Boolean(), server_default="false", nullable=False)
    )
    op.add_column(
        "account", sa.Column("billing_email_bounced_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "account", sa.Column("draws_minutes", sa.Boolean(), server_default="false", nullable=False)
    )
    op.add_column("account", sa.Column("held", sa.String(length=12), nullable=True))
    op.add_column("account", sa.Column("recharge_below_micros", sa.BigInteger(), nullable=True))
    op.add_column("account", sa.Column("payment_notice", sa.String(length=16), nullable=True))
    op.add_column(
        "account",
        sa.Column(
            "look_at",
            sa.DateTime(timezone=True),
            server_default="2000-01-01 00:00:00+00",
            nullable=False,
        ),
    )
    op.add_column("account", sa.Column("alert_low_micros", sa.BigInteger(), nullable=True))
    op.add_column("account", sa.Column("alert_high_micros", sa.BigInteger(), nullable=True))
    op.add_column(
        "account", sa.Column("alerts_minutes", sa.Boolean(), server_default="false", nullable=False)
    )
    op.create_index("ix_account_look", "account", ["look_at"], unique=False)
    op.add_column("did", sa.Column("texts_to", sa.Text(), server_default="", nullable=False))
    op.add_column("did", sa.Column("trial_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("did", sa.Column("rental_n", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("did", sa.Column("rented_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("did", sa.Column("rent_due_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_did_rental_due",
        "did",
        ["rent_due_at"],
        unique=False,
        postgresql_where="released_at is null",
    )
    op.create_index(
        "ix_posting_credit",
        "posting",
        ["tenant_id", "account_id", "seq"],
        unique=False,
        postgresql_where="kind in ('topup','adjustment','reversal')",
    )

    for table in FROZEN:
        op.execute(
            f"create trigger {table}_is_frozen before update or delete on {table}"
            " for each row execute function refuse_change()"
        )


def downgrade() -> None:
    op.drop_index("ix_posting_credit", table_name="posting")
    op.drop_index("ix_did_rental_due", table_name="did", postgresql_where="released_at is null")
    op.drop_column("did", "rent_due_at")
    op.drop_column("did", "rented_until")
    op.drop_column("did", "rental_n")
    op.drop_column("did", "trial_until")
    op.drop_column("did", "texts_to")
    op.drop_index("ix_account_look", table_name="account")
    op.drop_column("account", "alerts_minutes")
    op.drop_column("account", "alert_high_micros")
    op.drop_column("account", "alert_low_micros")
    op.drop_column("account", "look_at")
    op.drop_column("account", "payment_notice")
    op.drop_column("account", "recharge_below_micros")
    op.drop_column("account", "held")
    op.drop_column("account", "draws_minutes")
    op.drop_column("account", "billing_email_bounced_at")
    op.drop_column("account", "trial_used")
    op.drop_column("account", "vat_id_checked_at")
    op.drop_column("account", "vat_id")
    op.drop_column("account", "address")
    op.drop_column("account", "legal_name")
    op.drop_column("leg", "repriced_version_id")
    op.drop_table("plan_publication")
    op.drop_table("carrier_leg")
    op.drop_index(
        "uq_subscription_open", table_name="subscription", postgresql_where="ended_at is null"
    )
    op.drop_index(
        "ix_subscription_due", table_name="subscription", postgresql_where="ended_at is null"
    )
    op.drop_table("subscription")
    op.drop_table("statement")
    op.drop_table("settlement_day")
    op.drop_table("recharge_rule")
    op.drop_index(
        "ix_plan_change_due", table_name="plan_change", postgresql_where="state = 'scheduled'"
    )
    op.drop_index("ix_plan_change_account", table_name="plan_change")
    op.drop_table("plan_change")
    op.drop_index(
        "uq_payment_method_role",
        table_name="payment_method",
        postgresql_where="removed_at is null and role in ('default','backup')",
    )
    op.drop_table("payment_method")
    op.drop_index("ix_package_due", table_name="package", postgresql_where="expired_at is null")
    op.drop_index("ix_package_account", table_name="package")
    op.drop_table("package")
    op.drop_index("uq_message_idempotency", table_name="message")
    op.drop_index("uq_message_carrier_sid", table_name="message")
    op.drop_index("ix_message_open", table_name="message", postgresql_where="settled_at is null")
    op.drop_index(
        "ix_message_forward", table_name="message", postgresql_where="forward_of is not null"
    )
    op.drop_index("ix_message_conversation", table_name="message")
    op.drop_index("ix_message_check", table_name="message", postgresql_where="check_at is not null")
    op.drop_index("ix_message_account", table_name="message")
    op.drop_table("message")
    op.drop_index("ix_conversation_account", table_name="conversation")
    op.drop_table("conversation")
    op.drop_index(
        "uq_charge_open",
        table_name="charge",
        postgresql_where="state in ('pending','unknown','requires_action')",
    )
    op.drop_index(
        "ix_charge_watched",
        table_name="charge",
        postgresql_where="state in ('pending','unknown','requires_action') or flag is not null",
    )
    op.drop_index("ix_charge_provider_ref", table_name="charge")
    op.drop_index("ix_charge_id", table_name="charge")
    op.drop_index("ix_charge_due", table_name="charge", postgresql_where="ask_at is not null")
    op.drop_index("ix_charge_created", table_name="charge")
    op.drop_index("ix_charge_account", table_name="charge")
    op.drop_table("charge")
    op.drop_table("charge_brake")
    op.drop_index(
        "ix_card_setup_due", table_name="card_setup", postgresql_where="ask_at is not null"
    )
    op.drop_table("card_setup")
    op.drop_index("ix_bucket_open", table_name="bucket", postgresql_where="closed_at is null")
    op.drop_index("ix_bucket_due", table_name="bucket", postgresql_where="closed_at is null")
    op.drop_table("bucket")
    op.drop_table("billing_membership")
    op.drop_table("dunning")
    op.drop_table("bank_transfer")
    op.drop_table("alert_setting")
    op.drop_table("alert")
    op.drop_table("statement_file")
    op.drop_table("statement_counter")
    op.drop_table("reconciliation")
    op.drop_table("opt_out")
    op.drop_index("ix_drift_day", table_name="drift")
    op.drop_table("drift")

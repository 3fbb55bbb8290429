"""first schema

Revision: 0001
After:

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

# What is written here is evidence or history: the database itself refuses to change it.
FROZEN = ("posting", "receipt", "plan_version", "forwarding_version", "audit")

REFUSE_CHANGE = """
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % refused', tg_table_name, tg_op
    using errcode = 'restrict_violation',
          hint = 'Correct a posting with a reversal; publish a new version of a document.';
end
$$
"""


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("parent_id", sa.UUID(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("plan_version_id", sa.UUID(), nullable=False),
        sa.Column("billing", sa.String(length=16), nullable=False),
        sa.Column("billing_email", sa.Text(), nullable=False),
        sa.Column("allowed_countries", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("suspended_notice", sa.Text(), nullable=True),
        sa.Column("low_balance_micros", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("billing in ('own','agency_shared')", name=op.f("ck_account_billing")),
        sa.CheckConstraint(
            "status in ('active','suspended','closed')", name=op.f("ck_account_status")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "parent_id"],
            ["account.tenant_id", "account.id"],
            name="fk_account_parent",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_account")),
    )
    op.create_index("ix_account_parent", "account", ["tenant_id", "parent_id"], unique=False)
    op.create_table(
        "account_directory",
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_directory")),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.String(length=12), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("tenant_id", sa.UUID(), nullable=True),
        sa.Column("account_id", sa.UUID(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role in ('account','ops')", name=op.f("ck_api_token_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
    )
    op.create_index("ix_api_token_account", "api_token", ["account_id", "id"], unique=False)
    op.create_table(
        "audit",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_account", "audit", ["tenant_id", "account_id", "id"], unique=False)
    op.create_table(
        "chain_head",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_chain_head")),
    )
    op.create_table(
        "daily_usage",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("did_id", sa.UUID(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("answered", sa.BigInteger(), nullable=False),
        sa.Column("talk_seconds", sa.BigInteger(), nullable=False),
        sa.Column("forwarded_seconds", sa.BigInteger(), nullable=False),
        sa.Column("billed_seconds", sa.BigInteger(), nullable=False),
        sa.Column("charge_micros", sa.BigInteger(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id", "account_id", "day", "did_id", "source", name=op.f("pk_daily_usage")
        ),
    )
    op.create_table(
        "did_directory",
        sa.Column("e164", sa.String(length=16), nullable=False),
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("did_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("e164", name=op.f("pk_did_directory")),
    )
    op.create_table(
        "idempotency",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=True),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", "key", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "ledger_account",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit", sa.String(length=8), nullable=False),
        sa.Column("balance_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "name", "unit", name=op.f("pk_ledger_account")),
    )
    op.create_table(
        "login",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("tenant_id", sa.UUID(), nullable=True),
        sa.Column("account_id", sa.UUID(), nullable=True),
        sa.Column("session_epoch", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(role = 'ops') = (tenant_id is null)", name=op.f("ck_login_staff_has_no_tenant")
        ),
        sa.CheckConstraint("role in ('owner','member','ops')", name=op.f("ck_login_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login")),
        sa.UniqueConstraint("email", name=op.f("uq_login_email")),
    )
    op.create_table(
        "mail",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("to_address", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
        sa.UniqueConstraint("key", name=op.f("uq_mail_key")),
    )
    op.create_index("ix_mail_sent_at", "mail", ["sent_at"], unique=False)
    op.create_table(
        "number_order",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("e164", sa.String(length=16), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("did_id", sa.UUID(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state in ('pending','unknown','bought','failed')", name=op.f("ck_number_order_state")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_number_order")),
        sa.UniqueConstraint(
            "tenant_id",
            "account_id",
            "idempotency_key",
            name=op.f("uq_number_order_tenant_id_account_id_idempotency_key"),
        ),
    )
    op.create_index(
        "ix_number_order_open",
        "number_order",
        ["state"],
        unique=False,
        postgresql_where="state in ('pending','unknown')",
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("queue", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    op.create_index(
        "ix_outbox_dead",
        "outbox",
        ["dead_at"],
        unique=False,
        postgresql_where="dead_at is not null",
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["queue", "due_at"],
        unique=False,
        postgresql_where="done_at is null and dead_at is null",
    )
    op.create_table(
        "plan",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('retail','carrier')", name=op.f("ck_plan_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
        sa.UniqueConstraint("code", name=op.f("uq_plan_code")),
    )
    op.create_table(
        "posting",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("debit", sa.Text(), nullable=False),
        sa.Column("credit", sa.Text(), nullable=False),
        sa.Column("unit", sa.String(length=8), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("balance_after_micros", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("call_sid", sa.Text(), nullable=True),
        sa.Column("leg_sid", sa.Text(), nullable=True),
        sa.Column("plan_version_id", sa.UUID(), nullable=True),
        sa.Column("rate_micros", sa.BigInteger(), nullable=True),
        sa.Column("billed_seconds", sa.BigInteger(), nullable=True),
        sa.Column("receipt_id", sa.UUID(), nullable=True),
        sa.Column("reverses_key", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name=op.f("ck_posting_positive")),
        sa.CheckConstraint("debit <> credit", name=op.f("ck_posting_two_sides")),
        sa.PrimaryKeyConstraint("tenant_id", "seq", name=op.f("pk_posting")),
        sa.UniqueConstraint("tenant_id", "key", name=op.f("uq_posting_tenant_id_key")),
    )
    op.create_index(
        "ix_posting_statement",
        "posting",
        ["tenant_id", "account_id", "seq"],
        unique=False,
        postgresql_where="balance_after_micros is not null",
    )
    op.create_table(
        "receipt",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("call_sid", sa.Text(), nullable=False),
        sa.Column("leg_sid", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_receipt")),
        sa.UniqueConstraint("tenant_id", "key", name=op.f("uq_receipt_tenant_id_key")),
    )
    op.create_index("ix_receipt_call", "receipt", ["tenant_id", "call_sid", "id"], unique=False)
    op.create_table(
        "call",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("call_sid", sa.String(length=34), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("did_id", sa.UUID(), nullable=False),
        sa.Column("plan_version_id", sa.UUID(), nullable=False),
        sa.Column("forwarding_version_id", sa.UUID(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("from_number", sa.Text(), nullable=True),
        sa.Column("from_raw", sa.Text(), nullable=False),
        sa.Column("from_country", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("from_city", sa.Text(), nullable=False),
        sa.Column("from_postal_code", sa.Text(), nullable=False),
        sa.Column("to_number", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.Column("won_leg_sid", sa.Text(), nullable=True),
        sa.Column("voicemail", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("check_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checks", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"], ["account.tenant_id", "account.id"], name="fk_call_account"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "call_sid", name=op.f("pk_call")),
    )
    op.create_index(
        "ix_call_account_started",
        "call",
        ["tenant_id", "account_id", "started_at", "call_sid"],
        unique=False,
    )
    op.create_index(
        "ix_call_check", "call", ["check_at"], unique=False, postgresql_where="check_at is not null"
    )
    op.create_index(
        "ix_call_did_started",
        "call",
        ["tenant_id", "did_id", "started_at", "call_sid"],
        unique=False,
    )
    op.create_index(
        "ix_call_live",
        "call",
        ["tenant_id", "account_id"],
        unique=False,
        postgresql_where="ended_at is null",
    )
    op.create_table(
        "did",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("e164", sa.String(length=16), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("number_type", sa.String(length=16), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("carrier_sid", sa.Text(), nullable=True),
        sa.Column("forwarding_version_id", sa.UUID(), nullable=True),
        sa.Column("rental_micros", sa.BigInteger(), nullable=False),
        sa.Column("bought_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("release_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("e164 ~ '^\\+[1-9][0-9]{6,14}$'", name=op.f("ck_did_e164")),
        sa.CheckConstraint(
            "status in ('active','suspended','releasing','released')", name=op.f("ck_did_status")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"], ["account.tenant_id", "account.id"], name="fk_did_account"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_did")),
    )
    op.create_index("ix_did_account", "did", ["tenant_id", "account_id", "id"], unique=False)
    op.create_table(
        "plan_version",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("plan_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_plan_version_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_version")),
        sa.UniqueConstraint("plan_id", "version", name=op.f("uq_plan_version_plan_id_version")),
    )
    op.create_table(
        "top_up",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name=op.f("ck_top_up_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_top_up_account",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_top_up")),
        sa.UniqueConstraint(
            "tenant_id",
            "account_id",
            "idempotency_key",
            name=op.f("uq_top_up_tenant_id_account_id_idempotency_key"),
        ),
    )
    op.create_table(
        "forwarding_version",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("did_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "did_id"], ["did.tenant_id", "did.id"], name="fk_forwarding_version_did"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_forwarding_version")),
        sa.UniqueConstraint(
            "tenant_id",
            "did_id",
            "version",
            name=op.f("uq_forwarding_version_tenant_id_did_id_version"),
        ),
    )
    op.create_table(
        "leg",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("leg_sid", sa.String(length=34), nullable=False),
        sa.Column("call_sid", sa.String(length=34), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("target_kind", sa.String(length=8), nullable=False),
        sa.Column("to_address", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_rank", sa.SmallInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("talk_seconds", sa.BigInteger(), nullable=False),
        sa.Column("ring_seconds", sa.BigInteger(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=True),
        sa.Column("end_receipt_id", sa.UUID(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("billed_seconds", sa.BigInteger(), nullable=True),
        sa.Column("rate_micros", sa.BigInteger(), nullable=True),
        sa.Column("rate_label", sa.Text(), nullable=True),
        sa.Column("charge_micros", sa.BigInteger(), nullable=True),
        sa.Column("cost_micros", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind in ('inbound','forwarded','transfer')", name=op.f("ck_leg_kind")),
        sa.CheckConstraint("talk_seconds between 0 and 86400", name=op.f("ck_leg_talk_seconds")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "call_sid"], ["call.tenant_id", "call.call_sid"], name="fk_leg_call"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "leg_sid", name=op.f("pk_leg")),
    )
    op.create_index("ix_leg_call", "leg", ["tenant_id", "call_sid"], unique=False)
    op.create_index(
        "ix_leg_due",
        "leg",
        ["tenant_id", "account_id", "ended_at"],
        unique=False,
        postgresql_where="ended_at is not null and settled_at is null",
    )
    op.create_table(
        "recording",
        sa.Column("tenant_id", sa.UUID(), nullable=False),
        sa.Column("recording_sid", sa.String(length=34), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("call_sid", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("duration_seconds", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=True),
        sa.Column("media", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "call_sid"], ["call.tenant_id", "call.call_sid"], name="fk_recording_call"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "recording_sid", name=op.f("pk_recording")),
    )
    op.create_index("ix_recording_call", "recording", ["tenant_id", "call_sid"], unique=False)

    op.execute(REFUSE_CHANGE)
    for table in FROZEN:
        op.execute(
            f"create trigger {table}_is_frozen before update or delete on {table}"
            " for each row execute function refuse_change()"
        )
        op.execute(
            f"create trigger {table}_is_kept before truncate on {table}"
            " for each statement execute function refuse_change()"
        )


def downgrade() -> None:
    op.drop_index("ix_recording_call", table_name="recording")
    op.drop_table("recording")
    op.drop_index(
        "ix_leg_due",
        table_name="leg",
        postgresql_where="ended_at is not null and settled_at is null",
    )
    op.drop_index("ix_leg_call", table_name="leg")
    op.drop_table("leg")
    op.drop_table("forwarding_version")
    op.drop_table("top_up")
    op.drop_table("plan_version")
    op.drop_index("ix_did_account", table_name="did")
    op.drop_table("did")
    op.drop_index("ix_call_live", table_name="call", postgresql_where="ended_at is null")
    op.drop_index("ix_call_did_started", table_name="call")
    op.drop_index("ix_call_check", table_name="call", postgresql_where="check_at is not null")
    op.drop_index("ix_call_account_started", table_name="call")
    op.drop_table("call")
    op.drop_index("ix_receipt_call", table_name="receipt")
    op.drop_table("receipt")
    op.drop_index(
        "ix_posting_statement",
        table_name="posting",
        postgresql_where="balance_after_micros is not null",
    )
    op.drop_table("posting")
    op.drop_table("plan")
    op.drop_index(
        "ix_outbox_due", table_name="outbox", postgresql_where="done_at is null and dead_at is null"
    )
    op.drop_index("ix_outbox_dead", table_name="outbox", postgresql_where="dead_at is not null")
    op.drop_table("outbox")
    op.drop_index(
        "ix_number_order_open",
        table_name="number_order",
        postgresql_where="state in ('pending','unknown')",
    )
    op.drop_table("number_order")
    op.drop_index("ix_mail_sent_at", table_name="mail")
    op.drop_table("mail")
    op.drop_table("login")
    op.drop_table("ledger_account")
    op.drop_table("lease")
    op.drop_table("idempotency")
    op.drop_table("did_directory")
    op.drop_table("daily_usage")
    op.drop_table("chain_head")
    op.drop_index("ix_audit_account", table_name="audit")
    op.drop_table("audit")
    op.drop_index("ix_api_token_account", table_name="api_token")
    op.drop_table("api_token")
    op.drop_table("account_directory")
    op.drop_index("ix_account_parent", table_name="account")
    op.drop_table("account")
    op.execute("drop function refuse_change()")

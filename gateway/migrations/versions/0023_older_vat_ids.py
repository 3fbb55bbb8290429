"""VAT ids that were given before the register was asked are asked about, once

Revision: 0023
After: 0022

The previous release still runs while this migration does: expand first, contract one release
later. Ledger tables are never rewritten.
"""

from alembic import op

revision = "0023"
down_revision = "0022"

IN_VIES = (
    "'AT','BE','BG','CY','CZ','DE','DK','EE','ES','FI','FR','GR','HR','HU','IE','IT','LT','LU','LV',"
    "'MT','NL','PL','PT','RO','SE','SI','SK'"
)
# RFC 9562: milliseconds in front of what is random, so that a question asked later sorts behind.
UUID7 = (
    "encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing"
    " substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)"
    " from 1 for 6), 52, 1), 53, 1), 'hex')::uuid"
)


def upgrade() -> None:
    """Ten seconds apart, so that an id that is given meanwhile does not wait for them all."""
    op.execute(
        f"""
insert into vat_id_check (tenant_id, id, account_id, vat_id, created_at, asked, ask_at,
                          requested_on, identifier, name, words)
select a.tenant_id, {UUID7}, a.id, a.vat_id, now(), 0,
       now() + row_number() over (order by a.id) * interval '10 seconds', '', '', '', ''
  from account as a
 where a.vat_id <> '' and a.vat_id_checked_at is null
   and (a.country in ({IN_VIES}) or (a.country = 'GB' and a.vat_id like 'XI%'))
   and not exists (select 1 from vat_id_check as c
                    where c.tenant_id = a.tenant_id and c.account_id = a.id
                      and c.vat_id = a.vat_id)
"""
    )


def downgrade() -> None:
    """The questions stay: whoever gave the ids is still to be answered."""

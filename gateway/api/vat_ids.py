"""VAT ids that staff has looked up."""

from __future__ import annotations

from gateway import runtime
from gateway.api.access import Access, for_account, require_ops
from gateway.api.accounts import AccountDetailOut, AccountOut, account_detail, account_out
from gateway.api.fields import Line
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import accounts, vat_checks


class VatIdCheckIn(Model):
    evidence: Line


class WithdrawalIn(Model):
    reason: Line


@blueprint.post("/ops/vat-id-checks")
@for_account
@blueprint.input(VatIdCheckIn, arg_name="body")
@blueprint.output(AccountOut, status_code=201)
def confirm_vat_id(access: Access, body: VatIdCheckIn) -> AccountOut:
    """Confirm a VAT id (staff)

    The register (VIES in the Union) has it, under the customer's name: from now on tax is left out
    where the law says so. `evidence` is what the register answered, and stands in the trail.
    """
    require_ops()
    with runtime.current().units.begin() as uow:
        return account_out(accounts.confirm_vat_id(uow, access.scope, body.evidence, access.actor))


@blueprint.post("/ops/vat-id-checks/withdrawal")
@for_account
@blueprint.input(WithdrawalIn, arg_name="body")
@blueprint.output(AccountDetailOut)
def withdraw_vat_id(access: Access, body: WithdrawalIn) -> AccountDetailOut:
    """Withdraw the confirmation of a VAT id (staff)

    It is not theirs after all: tax is charged from now on, and no register confirms it by itself.
    What is issued stays as it is.
    """
    require_ops()
    with runtime.current().units.begin() as uow:
        after = accounts.withdraw_vat_id(uow, access.scope, body.reason, access.actor)
        return account_detail(uow, after)


@blueprint.post("/ops/vat-id-checks/question")
@for_account
@blueprint.output(AccountDetailOut, status_code=202)
def ask_about_vat_id(access: Access) -> AccountDetailOut:
    """Ask the register about a VAT id again, now (staff)

    The answer stands in the account's `vat_id_standing` within a minute, as a rule. 409 where no
    register is asked.
    """
    require_ops()
    running = runtime.current()
    with running.units.begin() as uow:
        asked = vat_checks.ask_again(uow, running.settings, access.scope, access.actor)
        return account_detail(uow, asked)

"""VAT ids that staff has looked up."""

from __future__ import annotations

from gateway import runtime
from gateway.api.access import Access, for_account, require_ops
from gateway.api.accounts import AccountOut, account_out
from gateway.api.fields import Line
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import accounts


class VatIdCheckIn(Model):
    evidence: Line


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

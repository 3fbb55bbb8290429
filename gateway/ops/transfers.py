"""Bank transfers: the bank's file is imported, and what nobody could match is decided by staff."""

from __future__ import annotations

from gettext import gettext as _
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.limits import BANK_FILE, takes
from gateway.ops.pages import PAGE, blueprint, deed, staff
from gateway.services import accounts, transfers
from gateway.services.errors import Invalid, NotFound
from gateway.uow import UnitOfWork

COMPLAINTS_SHOWN = 5


@blueprint.get("/transfers")
def list_transfers() -> str:
    after, unmatched = request.args.get("after"), request.args.get("show") != "all"
    kept = None if unmatched else "all"
    with runtime.current().units.read() as uow:
        page = transfers.list_transfers(uow, after, PAGE, unmatched=unmatched)
        credited = {UUID(c["account_id"]) for row in page.items for c in row.credits}
        names = accounts.names(uow, credited)
    return render_template(
        "ops/transfers.html",
        section="transfers",
        page=page,
        names={str(id): name for id, name in names.items()},
        unmatched=unmatched,
        next_url=url_for("ops.list_transfers", after=page.next, show=kept) if page.next else None,
        first_url=url_for("ops.list_transfers", show=kept) if after else None,
    )


@blueprint.post("/transfers")
@takes(BANK_FILE)
def import_transfers() -> Response:
    """The form's file; one that is larger still goes through the command line. `back=debits` leads
    back to the debits' page."""
    page = "ops.list_debits" if request.form.get("back") == "debits" else "ops.list_transfers"
    upload = request.files.get("file")
    content = upload.read() if upload else b""
    try:
        if not content:
            raise Invalid.at("", _("choose the file that your bank gave you"))
        text = content.decode("utf-8-sig")
        found = transfers.import_file(runtime.current().units, text, staff().name)
    except UnicodeDecodeError:
        flash(_("The file is not UTF-8 text: nothing was imported."), "error")
    except Invalid as invalid:
        words = "; ".join(f"{e.path} {e.message}" for e in invalid.errors[:COMPLAINTS_SHOWN])
        flash(_("Nothing was imported: %(words)s.") % {"words": words.strip()}, "error")
    else:
        flash(
            _(
                "%(credited)s credited, %(unmatched)s left for you, %(known)s known already,"
                " %(returned)s debits returned."
            )
            % {
                "returned": found.returned,
                "credited": found.credited,
                "unmatched": found.unmatched,
                "known": found.known,
            }
        )
    return redirect(url_for(page))


@blueprint.post("/transfers/<uuid:transfer_id>")
@deed(back="ops.list_transfers")
def decide_transfer(uow: UnitOfWork, transfer_id: UUID) -> str:
    """`deed=assign` with an account, or `deed=dismiss`; both with a reason."""
    reason = request.form.get("reason", "").replace("\0", "")[:200]
    if request.form.get("deed") == "assign":
        country = runtime.current().settings.seller_country
        account_id = _account(uow)
        transfers.assign(uow, transfer_id, account_id, reason, staff().name, seller_country=country)
        return _("Credited.")
    transfers.dismiss(uow, transfer_id, reason, staff().name)
    return _("Dismissed: nothing was credited.")


def _account(uow: UnitOfWork) -> UUID:
    named = request.form.get("account", "").replace("\0", "").strip()[:200]
    if not named:
        raise Invalid.at("/account", _("write the name of an account, or its id"))
    try:
        return accounts.find_named(uow, named).id
    except NotFound:
        raise Invalid.at(
            "/account", _("no account is called so: look at the list of accounts")
        ) from None

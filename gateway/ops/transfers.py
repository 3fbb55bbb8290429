"""Bank transfers: the bank's file is imported, and what nobody could match is decided by staff."""

from __future__ import annotations

from gettext import gettext as _
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.limits import BANK_FILE, takes
from gateway.ops.pages import PAGE, blueprint, deed, staff
from gateway.services import transfers
from gateway.services.errors import Invalid
from gateway.uow import UnitOfWork

COMPLAINTS_SHOWN = 5


@blueprint.get("/transfers")
def list_transfers() -> str:
    after, unmatched = request.args.get("after"), request.args.get("show") != "all"
    kept = None if unmatched else "all"
    with runtime.current().units.read() as uow:
        page = transfers.list_transfers(uow, after, PAGE, unmatched=unmatched)
    return render_template(
        "ops/transfers.html",
        section="transfers",
        page=page,
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
        transfers.assign(uow, transfer_id, _account(), reason, staff().name, seller_country=country)
        return _("Credited.")
    transfers.dismiss(uow, transfer_id, reason, staff().name)
    return _("Dismissed: nothing was credited.")


def _account() -> UUID:
    try:
        return UUID(request.form.get("account", "").strip())
    except ValueError:
        raise Invalid.at("/account", _("copy the id of an account from its page")) from None

"""API tokens: issued once in clear, then only their first letters are ever seen again."""

from gettext import gettext as _
from uuid import UUID

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.services import tokens
from gateway.services.errors import FieldError, Invalid
from gateway.web.accounts import settings_page
from gateway.web.blueprint import blueprint, owners_only, principal, scope


@blueprint.post("/settings/tokens")
@owners_only
def issue_token() -> str | tuple[str, int]:
    """Answers the page itself, not a redirect: the text exists in this one response only."""
    name = request.form.get("token_name", "")
    try:
        with runtime.current().units.begin() as uow:
            text, _token = tokens.issue_token(uow, scope(), name, "account", principal().name)
    except Invalid as invalid:
        at_our_field = Invalid(FieldError("/token_name", e.message) for e in invalid.errors)
        return settings_page(at_our_field), 422
    return settings_page(new_token=text)


@blueprint.post("/settings/tokens/<uuid:token_id>/revoke")
@owners_only
def revoke_token(token_id: UUID) -> Response:
    with runtime.current().units.begin() as uow:
        revoked = tokens.revoke_token(uow, scope(), token_id, principal().name)
    flash(_("Token “%(name)s” no longer works.") % {"name": revoked.name})
    return redirect(url_for("web.settings") + "#tokens")

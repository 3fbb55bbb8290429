"""A plan on its way to being published: what the editor shows of a submitted form."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from gettext import gettext as _
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from gateway.services.errors import FieldError, Invalid
from gateway.services.preview import Answer, Preview, Scenario
from gateway.web import plan_edit, plan_form
from gateway.web.plan_form import Document
from gateway.web.prices import MinutePrices
from routing.describe import outline
from routing.numbering import InvalidNumber, parse_e164, pretty
from routing.plans import Step, plan_targets, warnings

Check = Callable[[Document], Step]  # raises Invalid with every complaint

# What is simply not filled in yet; said when somebody checks or publishes, not while they build.
UNFINISHED = frozenset(
    {"empty", "empty_targets", "empty_branch", "no_criteria", "unknown_postal_code"}
)
SEEN = ("check", "publish", "preview")
TALK_SECONDS_DEFAULT = 83
TALK_SECONDS_MAX = 86_400
CHOOSE = "choose:"


@dataclass(frozen=True, slots=True)
class ScenarioFields:
    """The scenario as typed."""

    caller: str = ""
    at: str = ""
    answers: tuple[str, ...] = ()
    talk: str = str(TALK_SECONDS_DEFAULT)


@dataclass(slots=True)
class Draft:
    document: Document
    step: Step | None = None
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    complaints: tuple[tuple[str, str], ...] = ()
    focus: str | None = None  # the pointer whose field gets it
    note: str = ""
    problem: str = ""
    typed: ScenarioFields = field(default_factory=ScenarioFields)
    scenario_errors: Mapping[str, list[str]] = field(default_factory=dict)
    preview: Preview | None = None
    prices: MinutePrices | None = None

    @property
    def outline(self) -> tuple[tuple[int, str], ...]:
        return () if self.step is None else outline(self.step)

    @property
    def warnings(self) -> tuple[str, ...]:
        return () if self.step is None else tuple(w.message for w in warnings(self.step))

    @property
    def phones(self) -> tuple[tuple[str, str], ...]:
        """Each address once, with the words for it."""
        if self.step is None:
            return ()
        found = {target.address: target for _path, target in plan_targets(self.step)}
        return tuple(
            (address, pretty(address) if target.type == "number" else address)
            for address, target in found.items()
        )


def opened(document: Document, check: Check, now: dt.datetime, zone: str) -> Draft:
    """The editor as it opens: the published plan, or a first step to fill in."""
    draft = Draft(document)
    _judge(draft, check, insist=False)
    first = tuple(address for address, _words in draft.phones[:1])
    draft.typed = ScenarioFields(at=_local_text(now, zone), answers=first)
    return draft


def submitted(form: MultiDict[str, str], check: Check, *, time_zone: str) -> tuple[Draft, str]:
    """The form's document after the button that was pressed, and that button.

    A pattern chosen in a box takes effect whichever button was pressed; publishing then waits for
    another press, so that nobody publishes what they have not seen.
    """
    op = form.get("op", "")
    try:
        document = plan_form.from_form(form)
    except plan_form.FormUnreadable:
        return Draft(
            plan_edit.new_step("simultaneous"), problem=_("The form came back damaged.")
        ), ""
    draft = Draft(document, note=form.get("note", ""), typed=_typed(form))
    chosen = _choices(form, document)
    for path, pattern in chosen:
        draft.document = plan_edit.change_pattern(
            draft.document, path, pattern, time_zone=time_zone
        )
        draft.focus = path
    if chosen and op == "publish":
        draft.problem = _("The plan changed just now. Look at it, then publish it.")
        op = ""
    if ":" in op:
        try:
            draft.document, draft.focus = plan_edit.apply(draft.document, op, time_zone=time_zone)
        except plan_edit.NoSuchPlace:
            draft.problem = _("That step is gone already.")
    verb = op.partition(":")[0]
    _judge(draft, check, insist=verb in SEEN)
    return draft, verb


def complain(draft: Draft, errors: tuple[FieldError, ...]) -> None:
    """Put a service's complaints at their fields."""
    draft.errors = plan_form.errors_by_field((e.path, e.message) for e in errors)
    draft.complaints = tuple((e.path, e.message) for e in errors)


def scenario(draft: Draft, zone: str) -> Scenario | None:
    """None, with complaints at the fields, when it cannot be understood."""
    typed, errors = draft.typed, {}
    caller: str | None = None
    if typed.caller.strip():
        try:
            caller = parse_e164(typed.caller)
        except InvalidNumber as problem:
            errors["scenario.caller"] = [str(problem)]
    at = _instant(typed.at, zone)
    if at is None:
        errors["scenario.at"] = [_("Choose a day and a time.")]
    talk = _whole(typed.talk, TALK_SECONDS_MAX)
    if talk is None:
        errors["scenario.talk"] = [_("Write whole seconds, up to a day.")]
    draft.scenario_errors = errors
    if at is None or talk is None or errors:
        return None
    answers = tuple(Answer(address, talk_seconds=talk) for address in typed.answers)
    return Scenario(at=at, caller=caller, answers=answers)


def _instant(text: str, zone: str) -> dt.datetime | None:
    try:
        local = dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
        return local.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def _whole(text: str, at_most: int) -> int | None:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 9):
        return None
    return int(digits) if int(digits) <= at_most else None


def _judge(draft: Draft, check: Check, *, insist: bool) -> None:
    """`insist`: also complain about what is simply not filled in yet."""
    try:
        draft.step = check(draft.document)
    except Invalid as invalid:
        complain(draft, invalid.errors)
        shown = (e for e in invalid.errors if insist or e.code not in UNFINISHED)
        draft.errors = plan_form.errors_by_field((e.path, e.message) for e in shown)


def _choices(form: MultiDict[str, str], document: Document) -> list[tuple[str, str]]:
    """Boxes whose choice differs from the step's pattern; deepest first, so that a change further
    up takes the changed branches along."""
    found = []
    for name, pattern in form.items(multi=True):
        path = name.removeprefix(CHOOSE)
        if name.startswith(CHOOSE) and pattern in plan_edit.PATTERNS:
            step = plan_form.find(document, path)
            if isinstance(step, dict) and step.get("pattern") != pattern:
                found.append((path, pattern))
    return sorted(found, key=lambda choice: -choice[0].count("/"))


def _typed(form: MultiDict[str, str]) -> ScenarioFields:
    return ScenarioFields(
        caller=form.get("scenario.caller", ""),
        at=form.get("scenario.at", ""),
        answers=tuple(form.getlist("scenario.answers")),
        talk=form.get("scenario.talk", ""),
    )


def _local_text(now: dt.datetime, zone: str) -> str:
    return now.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")

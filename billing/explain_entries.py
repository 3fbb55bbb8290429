"""Why a fee, a rent, a package or a grant of minutes is what it is: the rule, and its sum.

Lines of talk and of texts have their own explanations; what is here is charged or given because
a period began, a plan was changed, or a bucket came to its end.
"""

from collections.abc import Sequence

from billing.explain import Explanation, Step, money_words, rate_words, seconds_words
from billing.tariffs import Plan
from billing.terms import SECONDS_PER_MINUTE, PackageOffer, Term

_CHARGE = "Charge in millionths"


def explain_rent(
    amount_micros: int,
    *,
    description: str,
    month: int,
    country: str,
    number_type: str,
    plan: Plan,
    plan_version: int,
) -> Explanation:
    """`amount_micros` is the price that the number had when the month began: that of its plan,
    kept until a change of plan says another."""
    price = money_words(amount_micros, plan.currency)
    words = [
        f"{description}: {price} a month",
        f"a {country} {number_type} number, month {month} of it, in advance",
        _plan(plan, plan_version),
    ]
    return _charge(words, f"1 × {amount_micros}", amount_micros)


def explain_access(
    amount_micros: int,
    *,
    description: str,
    term: Term,
    n: int,
    plan: Plan,
    plan_version: int,
) -> Explanation:
    """`n` counts the terms from 0."""
    words = [
        f"{description}: {money_words(amount_micros, plan.currency)} a {term}",
        f"{term} {n + 1} of the access, in advance, whatever is used",
        _plan(plan, plan_version),
    ]
    return _charge(words, f"1 × {amount_micros}", amount_micros)


def explain_change(
    amount_micros: int, *, description: str, formula: str, plan: Plan, plan_version: int
) -> Explanation:
    """`formula` is the sum that was shown before the change: the difference of the two fees, all
    of it or the part for the days that were left."""
    share = (
        "the part for the days that were left"
        if plan.terms.upgrade.fee == "prorated"
        else "the whole difference"
    )
    words = [
        f"{description}: {money_words(amount_micros, plan.currency)}",
        f"the difference between the access fees, {share}",
        _plan(plan, plan_version),
    ]
    return _charge(words, formula, amount_micros)


def explain_package(
    amount_micros: int, *, description: str, offer: PackageOffer, plan: Plan, plan_version: int
) -> Explanation:
    a_minute = Step(
        "A minute in millionths, rounded up",
        f"ceil({amount_micros} / {offer.minutes})",
        -(-amount_micros // offer.minutes),
    )
    words = [
        f"{description}: {money_words(amount_micros, plan.currency)} for {offer.minutes:,} minutes",
        f"that is {rate_words(a_minute.value, plan.currency)} if all are used",
        _plan(plan, plan_version),
    ]
    charge = Step(_CHARGE, f"1 × {amount_micros}", amount_micros)
    return Explanation(", ".join(words), (a_minute, charge), amount_micros)


def explain_issue(
    seconds: int,
    *,
    description: str,
    minutes: int,
    plan: Plan,
    plan_version: int,
    formula: str | None = None,
) -> Explanation:
    """Minutes that a period begins with. Less than all of them were given where an upgrade was
    prorated, where the cycle had been given some before, or up to a new day of the cycle;
    `formula` is the sum that was posted with the line."""
    whole = minutes * SECONDS_PER_MINUTE
    words = [f"{description}: {minutes:,} minutes"]
    if seconds != whole:
        words = [f"{description}: {seconds_words(seconds)} of {minutes:,} minutes"]
        words.append("less what the cycle was given before, or what had passed of it")
    words.append(_plan(plan, plan_version))
    step = Step("Seconds", formula or f"{minutes} × {SECONDS_PER_MINUTE}", seconds)
    return Explanation(", ".join(words), (step,), seconds)


def explain_expiry(
    seconds: int, *, filled_seconds: int, used_seconds: int, carried_seconds: int
) -> Explanation:
    """What was left when the bucket's time was over, less what the plan let roll over."""
    words = [
        f"Unused minutes expired: {seconds_words(seconds)}",
        f"{seconds_words(filled_seconds)} were there, {seconds_words(used_seconds)} were used",
    ]
    formula = f"{filled_seconds} - {used_seconds}"
    if carried_seconds:
        words.append(f"{seconds_words(carried_seconds)} were carried over")
        formula += f" - {carried_seconds}"
    return Explanation(", ".join(words), (Step("Seconds", formula, seconds),), seconds)


def explain_included(
    amount_micros: int,
    *,
    description: str,
    formula: str,
    expires: bool,
    plan: Plan,
    plan_version: int,
) -> Explanation:
    """A grant (the cycle's credit, or what a greater plan adds), or what expired of them: granted
    less used. `formula` is the sum that was posted with the line."""
    rule = (
        "granted in the cycle, less what calls and texts used of it"
        if expires
        else "paid by the access fee, for calls and texts until the cycle ends"
    )
    words = [
        f"{description}: {money_words(amount_micros, plan.currency)}",
        rule,
        _plan(plan, plan_version),
    ]
    step = Step("Credit in millionths", formula, amount_micros)
    return Explanation(", ".join(words), (step,), amount_micros)


def explain_payment(
    net_micros: int,
    *,
    description: str,
    vat_micros: int,
    rate_basis_points: int,
    quantum_micros: int,
    note: str,
    currency: str,
) -> Explanation:
    """A credit by card: what the card paid, the tax in it, and what the balance got."""
    gross = net_micros + vat_micros
    words = [f"{description}: {money_words(net_micros, currency)}"]
    steps: list[Step] = []
    if vat_micros:
        words.append(f"the card paid {money_words(gross, currency)}, with {_bare(note)}")
        formula = f"round({net_micros} × {rate_basis_points} / {10_000 * quantum_micros})"
        steps.append(Step("Tax in millionths", f"{formula} × {quantum_micros}", vat_micros))
        steps.append(Step("Credit in millionths", f"{gross} - {vat_micros}", net_micros))
    else:
        words += [_bare(note)] if note else []
        steps.append(Step("Credit in millionths", f"1 × {net_micros}", net_micros))
    return Explanation(", ".join(words), tuple(steps), net_micros)


def explain_refund(
    net_micros: int,
    *,
    description: str,
    vat_micros: int,
    vat_formula: str,
    note: str,
    of: str,
    reason: str,
    currency: str,
) -> Explanation:
    """Money of a card payment that went back to its card. `of` is the line of that payment;
    `vat_formula` the sum of the tax that was kept with the refund."""
    gross = net_micros + vat_micros
    words = [f"{description}: {money_words(net_micros, currency)}", f"given back of {of}"]
    steps: list[Step] = []
    if vat_micros:
        words.append(f"the card gets {money_words(gross, currency)}, with {_bare(note)}")
        steps.append(Step("Tax in millionths", vat_formula, vat_micros))
        steps.append(Step("Given back in millionths", f"{gross} - {vat_micros}", net_micros))
    else:
        steps.append(Step("Given back in millionths", f"1 × {net_micros}", net_micros))
    words.append(f"because: {reason}")
    return Explanation(", ".join(words), tuple(steps), net_micros)


def _charge(words: Sequence[str], formula: str, amount_micros: int) -> Explanation:
    return Explanation(", ".join(words), (Step(_CHARGE, formula, amount_micros),), amount_micros)


def _plan(plan: Plan, version: int) -> str:
    return f"plan {plan.name} v{version}"


def _bare(note: str) -> str:
    return note.rstrip(".")

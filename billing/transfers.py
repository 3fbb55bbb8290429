"""Bank transfers: read from the bank's file, matched by the number the payer wrote (S5-18).

Two forms are read: ISO 20022 camt.053 in any version, and a plain CSV. What cannot be matched
with certainty is left for people.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from hashlib import sha256
from typing import TypeVar
from uuid import UUID
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from billing.mandates import debits_in
from billing.money import InvalidAmount, parse_amount
from billing.plan_reader import FieldError
from billing.statement_numbers import StatementNumber, numbers_in

FILE_LENGTH_MAX = 20_000_000
_CURRENCY = re.compile(r"[A-Z]{3}")
_NOT_PROVIDED = "NOTPROVIDED"  # ISO 20022: the payer gave no end-to-end reference


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that arrived; `bank_id` is the same however often the bank tells of it."""

    bank_id: str
    booked_on: date
    amount_micros: int
    currency: str
    reference: str
    payer: str = ""


class TransfersInvalid(ValueError):
    """The file cannot be read; carries all complaints, and then nothing of it counts."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__("; ".join(f"{error.path or '/'}: {error.message}" for error in errors))
        self.errors = errors


def transfer_key(transfer: Transfer) -> str:
    """The ledger's key: a file that is imported twice credits once."""
    return f"transfer:{transfer.bank_id}"


def parse_camt053(text: str) -> tuple[Transfer, ...]:
    """The booked credits of a bank statement; debits, reversals and pending entries are left.

    An entry that bundles several payments is taken apart. A document type definition is
    refused unread: no bank writes one, and it is how a file makes a parser explode.
    """
    if len(text) > FILE_LENGTH_MAX or "<!DOCTYPE" in text:
        raise _invalid("", "this is no bank statement: it is too long, or defines entities")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise _invalid("", f"this is no XML: {error}") from None
    statements = list(_named(root, "Stmt"))
    if not statements:
        raise _invalid("", "write a camt.053 document: there is no BkToCstmrStmt/Stmt in it")
    errors: list[FieldError] = []
    transfers: list[Transfer] = []
    for statement in statements:
        account = _text(statement, "Acct", "Id", "IBAN")
        for position, entry in enumerate(_children(statement, "Ntry")):
            if _is_booked_credit(entry):
                transfers += _payments(entry, account, f"/Stmt/Ntry/{position}", errors)
    if errors:
        raise TransfersInvalid(tuple(errors))
    return _unlike(transfers)


@dataclass(frozen=True, slots=True)
class Returned:
    """A debit that its bank took back: `references` hold what we called it, `reason` is a code of
    ISO 20022 where the bank gave one. `amount_micros` is what left, maybe with the bank's fee."""

    bank_id: str
    booked_on: date
    amount_micros: int
    currency: str
    references: str
    reason: str


T = TypeVar("T", Transfer, Returned)


def parse_returns(text: str) -> tuple[Returned, ...]:
    """The returned debits ("R-transactions") of a camt.053 that `parse_camt053` has read: booked
    money that left, with a reason for it or the mark of a reversal."""
    errors: list[FieldError] = []
    found: list[Returned] = []
    for statement in _named(ElementTree.fromstring(text), "Stmt"):
        for position, entry in enumerate(_children(statement, "Ntry")):
            if _text(entry, "CdtDbtInd") == "DBIT" and _is_booked(entry):
                found += _returns(entry, f"/Stmt/Ntry/{position}", errors)
    if errors:
        raise TransfersInvalid(tuple(errors))
    return _unlike(found)


def _is_return(part: Element, entry: Element) -> bool:
    return _child(part, "RtrInf") is not None or _text(entry, "RvslInd") in ("true", "1")


def _returns(entry: Element, path: str, errors: list[FieldError]) -> Iterator[Returned]:
    parts = list(_named(entry, "TxDtls"))
    for position, part in enumerate(parts, start=1):
        if not _is_return(part, entry):
            continue
        amount = _amount(part, entry, bundled=len(parts) > 1)
        booked = _text(entry, "BookgDt", "Dt") or _text(entry, "BookgDt", "DtTm")[:10]
        try:
            micros = parse_amount("" if amount is None else (amount.text or "").strip())
            booked_on = date.fromisoformat(booked)
        except ValueError as error:
            errors.append(FieldError(path, str(error)))
            continue
        references = _reference(part)
        given = _text(entry, "AcctSvcrRef") or _text(part, "Refs", "AcctSvcrRef")
        if given and len(parts) > 1:
            given = f"{given}/{position}"
        yield Returned(
            bank_id=given or _digest(booked, str(micros), references),
            booked_on=booked_on,
            amount_micros=micros,
            currency="" if amount is None else amount.get("Ccy", ""),
            references=references,
            reason=_text(part, "RtrInf", "Rsn", "Cd") or _text(part, "RtrInf", "Rsn", "Prtry"),
        )


def _is_booked(entry: Element) -> bool:
    return (_text(entry, "Sts", "Cd") or _text(entry, "Sts")) in ("BOOK", "")


def _is_booked_credit(entry: Element) -> bool:
    return (
        _text(entry, "CdtDbtInd") == "CRDT"
        and _text(entry, "RvslInd") not in ("true", "1")
        and _is_booked(entry)
    )


def _payments(
    entry: Element, account: str, path: str, errors: list[FieldError]
) -> Iterator[Transfer]:
    parts = list(_named(entry, "TxDtls")) or [entry]
    for position, part in enumerate(parts, start=1):
        if _text(part, "CdtDbtInd") == "DBIT":
            continue
        amount = _amount(part, entry, bundled=len(parts) > 1)
        booked = _text(entry, "BookgDt", "Dt") or _text(entry, "BookgDt", "DtTm")[:10]
        try:
            micros = parse_amount("" if amount is None else (amount.text or "").strip())
            booked_on = date.fromisoformat(booked)
        except ValueError as error:
            errors.append(FieldError(path, str(error)))
            continue
        given = _text(entry, "AcctSvcrRef") or _text(part, "Refs", "AcctSvcrRef")
        if given and len(parts) > 1:
            given = f"{given}/{position}"
        reference = _reference(part)
        yield Transfer(
            bank_id=given or _digest(account, booked, str(micros), reference),
            booked_on=booked_on,
            amount_micros=micros,
            currency="" if amount is None else amount.get("Ccy", ""),
            reference=reference,
            payer=_text(part, "RltdPties", "Dbtr", "Nm")
            or _text(part, "RltdPties", "Dbtr", "Pty", "Nm"),
        )


def _amount(part: Element, entry: Element, *, bundled: bool) -> Element | None:
    """A bundled payment has its own amount; a single one is the whole entry."""
    if not bundled:
        return _child(entry, "Amt")
    own = _child(part, "Amt")
    return own if own is not None else _at(part, "AmtDtls", "TxAmt", "Amt")


def _reference(part: Element) -> str:
    """Structured reference, free text and end-to-end id, in that order, each where given."""
    written = [_text(ref, "Ref") for ref in _named(part, "CdtrRefInf")]
    written += [(line.text or "").strip() for line in _named(part, "Ustrd")]
    end_to_end = _text(part, "Refs", "EndToEndId")
    written += [end_to_end] if end_to_end != _NOT_PROVIDED else []
    return " | ".join(text for text in written if text)


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _named(root: Element, name: str) -> Iterator[Element]:
    return (element for element in root.iter() if _local(element) == name)


def _children(parent: Element, name: str) -> Iterator[Element]:
    return (child for child in parent if _local(child) == name)


def _child(parent: Element, name: str) -> Element | None:
    return next(_children(parent, name), None)


def _at(parent: Element, *path: str) -> Element | None:
    found: Element | None = parent
    for name in path:
        found = None if found is None else _child(found, name)
    return found


def _text(parent: Element, *path: str) -> str:
    found = _at(parent, *path)
    return "" if found is None or found.text is None else found.text.strip()


CSV_COLUMNS = ("date", "amount", "currency", "reference")
"""Required; `payer`, `bank_id` and `reason` may follow. Further columns are not read."""


def parse_csv(text: str) -> tuple[Transfer, ...]:
    """Credits of a CSV with a header, comma or semicolon; amounts with a point, dates ISO.

    Rows with a negative amount are left: see `parse_csv_returns`. Complaints name the row, counted
    from 1 below the header.
    """
    rows = _rows(text)
    return _unlike(_transfer_of(cells) for cells in rows if parse_amount(cells["amount"]) > 0)


def parse_csv_returns(text: str) -> tuple[Returned, ...]:
    """Rows of the same CSV whose money left, and that name a debit of ours or give a `reason` (a
    code of ISO 20022); other money that left is none of our business."""
    return _unlike(
        _returned_of(cells)
        for cells in _rows(text)
        if parse_amount(cells["amount"]) < 0 and (cells["reason"] or debits_in(cells["reference"]))
    )


def _rows(text: str) -> list[dict[str, str]]:
    lines = text.removeprefix("\ufeff").splitlines()
    delimiter = ";" if lines and ";" in lines[0] else ","
    reader = csv.DictReader(lines, delimiter=delimiter)
    missing = [name for name in CSV_COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise _invalid("/0", f"the header lacks {', '.join(missing)}")
    errors: list[FieldError] = []
    rows: list[dict[str, str]] = []
    columns = (*CSV_COLUMNS, "payer", "bank_id", "reason")
    for position, row in enumerate(reader, start=1):
        cells = {name: (row.get(name) or "").strip() for name in columns}
        problem = _row_problem(cells)
        if problem is not None:
            errors.append(FieldError(f"/{position}/{problem.path}", problem.message))
        rows.append(cells)
    if errors:
        raise TransfersInvalid(tuple(errors))
    return rows


def _row_problem(cells: Mapping[str, str]) -> FieldError | None:
    try:
        date.fromisoformat(cells["date"])
    except ValueError:
        return FieldError("date", "write the day as 2026-11-22")
    try:
        parse_amount(cells["amount"])
    except InvalidAmount as error:
        return FieldError("amount", str(error))
    if _CURRENCY.fullmatch(cells["currency"]) is None:
        return FieldError("currency", 'write the ISO 4217 code, such as "EUR"')
    return None


def _transfer_of(cells: Mapping[str, str]) -> Transfer:
    return Transfer(
        bank_id=cells["bank_id"] or _digest(*(cells[name] for name in (*CSV_COLUMNS, "payer"))),
        booked_on=date.fromisoformat(cells["date"]),
        amount_micros=parse_amount(cells["amount"]),
        currency=cells["currency"],
        reference=cells["reference"],
        payer=cells["payer"],
    )


def _returned_of(cells: Mapping[str, str]) -> Returned:
    return Returned(
        bank_id=cells["bank_id"] or _digest(*(cells[name] for name in (*CSV_COLUMNS, "payer"))),
        booked_on=date.fromisoformat(cells["date"]),
        amount_micros=-parse_amount(cells["amount"]),
        currency=cells["currency"],
        references=cells["reference"],
        reason=cells["reason"].upper(),
    )


_DIGEST = "sha256:"
"""Marks an id of our own making, where the bank gave none."""


def _digest(*parts: str) -> str:
    return _DIGEST + sha256("\n".join(parts).encode()).hexdigest()[:32]


def _unlike(transfers: Iterable[T]) -> tuple[T, ...]:
    """Each payment of a file once. What the bank tells twice under one id is one payment; equal
    lines without an id are as many payments as there are lines, and are numbered.
    """
    seen: dict[str, int] = {}
    found: list[T] = []
    for transfer in transfers:
        n = seen[transfer.bank_id] = seen.get(transfer.bank_id, 0) + 1
        if n == 1:
            found.append(transfer)
        elif transfer.bank_id.startswith(_DIGEST):
            found.append(replace(transfer, bank_id=f"{transfer.bank_id}/{n}"))
    return tuple(found)


def _invalid(path: str, message: str) -> TransfersInvalid:
    return TransfersInvalid((FieldError(path, message),))


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """An issued statement that is not paid in full."""

    number: StatementNumber
    account_id: UUID
    owed_micros: int
    currency: str


@dataclass(frozen=True, slots=True)
class Payment:
    """A transfer, or a part of it, that pays an invoice: whole, in part, or with some over.

    The whole amount is credited to the account; `applied_micros` is what the invoice takes.
    """

    transfer: Transfer
    invoice: OpenInvoice
    amount_micros: int

    @property
    def applied_micros(self) -> int:
        return min(self.amount_micros, self.invoice.owed_micros)


class WhyLeft(StrEnum):
    NO_NUMBER = "no_number"
    NOT_OPEN = "not_open"
    OTHER_CURRENCY = "other_currency"
    SEVERAL = "several"


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Left for a person, and why."""

    transfer: Transfer
    why: WhyLeft


@dataclass(frozen=True, slots=True)
class Matches:
    payments: tuple[Payment, ...]
    unmatched: tuple[Unmatched, ...]


def match_transfers(transfers: Iterable[Transfer], invoices: Sequence[OpenInvoice]) -> Matches:
    """Payments by the numbers in their references; every micro is either paid or left.

    One number takes any amount. Several take the transfer only where it is exactly the sum
    of what they owe. An invoice that an earlier transfer of the list has paid is not open. A
    number that two invoices bear pays neither.
    """
    alike = Counter(invoice.number for invoice in invoices)
    owed = {invoice.number: invoice for invoice in invoices if alike[invoice.number] == 1}
    doubtful = frozenset(number for number, count in alike.items() if count > 1)
    payments: list[Payment] = []
    unmatched: list[Unmatched] = []
    for transfer in transfers:
        found = _pay(transfer, owed, doubtful)
        if isinstance(found, WhyLeft):
            unmatched.append(Unmatched(transfer, found))
            continue
        for payment in found:
            payments.append(payment)
            _reduce(owed, payment)
    return Matches(tuple(payments), tuple(unmatched))


def _pay(
    transfer: Transfer, owed: Mapping[StatementNumber, OpenInvoice], doubtful: Set[StatementNumber]
) -> tuple[Payment, ...] | WhyLeft:
    numbers = numbers_in(transfer.reference)
    if not numbers:
        return WhyLeft.NO_NUMBER
    if not doubtful.isdisjoint(numbers):
        return WhyLeft.SEVERAL
    invoices = [owed[number] for number in numbers if number in owed]
    if not invoices:
        return WhyLeft.NOT_OPEN
    if any(invoice.currency != transfer.currency for invoice in invoices):
        return WhyLeft.OTHER_CURRENCY
    if len(invoices) == 1:
        return (Payment(transfer, invoices[0], transfer.amount_micros),)
    if sum(invoice.owed_micros for invoice in invoices) != transfer.amount_micros:
        return WhyLeft.SEVERAL
    return tuple(Payment(transfer, invoice, invoice.owed_micros) for invoice in invoices)


def _reduce(owed: dict[StatementNumber, OpenInvoice], payment: Payment) -> None:
    invoice = payment.invoice
    rest = invoice.owed_micros - payment.applied_micros
    if rest:
        owed[invoice.number] = replace(invoice, owed_micros=rest)
    else:
        del owed[invoice.number]

"""A statement's invoice as EN 16931 data (UN/CEFACT CII, the profile of Factur-X and ZUGFeRD).

Figures are the document's own, never calculated again. Needs the extra `einvoice`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, cast
from xml.etree import ElementTree

from facturx import generate_from_binary, xml_check_xsd
from pycheval import (
    BankAccount,
    EN16931Invoice,
    EN16931LineItem,
    IncludedNote,
    Money,
    PaymentMeans,
    PaymentTerms,
    PostalAddress,
    Tax,
    TradeParty,
    generate_et,
)
from pycheval.quantities import QuantityCode
from pycheval.type_codes import DocumentTypeCode, PaymentMeansCode, TaxCategoryCode

from billing.invoices import TaxCategory
from billing.money import MICROS, format_amount, format_rate
from gateway.papers.seller import Seller
from gateway.papers.words import KINDS, closing_note, rate_words

PROFILE = "en16931"
ADDRESS_LINES_MAX = 3  # BT-35, BT-36, BT-162
EXPLAINED = (TaxCategoryCode.REVERSE_CHARGE, TaxCategoryCode.OUT_OF_SCOPE)
NEEDED = {"name": "SELLER_NAME", "address": "SELLER_ADDRESS"}

Document = Mapping[str, Any]


def settings_missing(document: Document, seller: Seller) -> tuple[str, ...]:
    """Names of the settings without which this invoice would not be one."""
    needed = dict(NEEDED)
    if document["invoice"]["category"] == TaxCategory.OUTSIDE_SCOPE:
        needed["tax_number"] = "SELLER_TAX_NUMBER"
    else:
        needed["vat_id"] = "SELLER_VAT_ID"
    return tuple(setting for field, setting in needed.items() if not getattr(seller, field))


def xml_of(document: Document, seller: Seller) -> bytes:
    """Checked against the schema of the profile; every setting it needs is there."""
    assert not settings_missing(document, seller), "the caller says in words what is missing"
    root = generate_et(_Writer(document, seller).invoice())
    xml: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    xml_check_xsd(xml, flavor="factur-x", level=PROFILE)
    return xml


def embed(pdf: bytes, xml: bytes, title: str, seller: Seller) -> bytes:
    """The paper for people and the data for programs in one file, which stays PDF/A-3."""
    made: bytes = generate_from_binary(
        pdf,
        xml,
        flavor="factur-x",
        level=PROFILE,
        check_xsd=False,
        check_schematron=False,
        pdf_metadata={"author": seller.name, "keywords": "", "title": title, "subject": title},
        lang="en-US",
        afrelationship="alternative",
    )
    return made


class _Writer:
    """A credit note counts the other way round: amounts of an invoice that gives are positive."""

    def __init__(self, document: Document, seller: Seller) -> None:
        self.document, self.seller = document, seller
        self.found = document["invoice"]
        self.currency = str(document["currency"])
        self.sign = -1 if self.found["net_micros"] < 0 else 1
        self.category = TaxCategoryCode(self.found["category"])
        self.taxed = self.category != TaxCategoryCode.OUT_OF_SCOPE

    def invoice(self) -> EN16931Invoice:
        document, found = self.document, self.found
        return EN16931Invoice(
            invoice_number=document["number"],
            type_code=DocumentTypeCode.INVOICE if self.sign > 0 else DocumentTypeCode.CREDIT_NOTE,
            invoice_date=dt.date.fromisoformat(document["issued_on"]),
            seller=self._seller(),
            buyer=self._buyer(),
            currency_code=self.currency,
            line_items=list(self._lines()),
            line_total_amount=self._coins(found["net_micros"]),
            tax_basis_total_amount=self._coins(found["net_micros"]),
            tax=[self._tax()],
            tax_total_amounts=[self._coins(found["vat_micros"])],
            grand_total_amount=self._coins(found["total_micros"]),
            prepaid_amount=self._coins(found["paid_micros"]),
            rounding_amount=self._coins(found["rounding_micros"]),
            due_payable_amount=self._coins(found["due_micros"]),
            delivery_date=dt.date.fromisoformat(document["last_on"]),
            billing_period=(
                dt.date.fromisoformat(document["starts_on"]),
                dt.date.fromisoformat(document["last_on"]),
            ),
            notes=[IncludedNote(self._note())],
            payment_reference=document["number"],
            payment_means=list(self._payment_means()),
            payment_terms=self._payment_terms(),
            seller_sepa_creditor_id=self.seller.creditor_id if self._debit() else None,
        )

    def _seller(self) -> TradeParty:
        seller = self.seller
        if self.taxed:
            return TradeParty(seller.name, _address(seller.country, seller.address),
                              vat_id=seller.vat_id)  # fmt: skip
        return TradeParty(
            seller.name,
            _address(seller.country, seller.address),
            tax_number=seller.tax_number,
            ids=[seller.tax_number],
        )

    def _buyer(self) -> TradeParty:
        customer = self.document["customer"]
        lines = tuple(line for line in customer["address"].splitlines() if line.strip())
        return TradeParty(
            customer["legal_name"] or customer["name"],
            _address(customer["country"], lines),
            vat_id=customer["vat_id"] or None if self.taxed else None,
            ids=[customer["id"]],
        )

    def _lines(self) -> Iterator[EN16931LineItem]:
        pairs = zip(self.document["charges"], self.found["lines"], strict=True)
        for position, (charge, line) in enumerate(pairs, start=1):
            unit = cast(QuantityCode, line["unit"])  # the library lists but a few of them
            words = charge["description"] or KINDS.get(charge["kind"], charge["kind"])
            yield EN16931LineItem(
                id=str(position),
                name=f"{words}, {charge['number']}" if charge["number"] else words,
                description=self._exactly(charge),
                net_price=Money(_decimal(line["price_micros"]), self.currency),
                basis_quantity=(Decimal(line["per"]), unit),
                billed_quantity=(Decimal(self.sign * line["quantity"]), unit),
                billed_total=self._coins(line["net_micros"]),
                tax_category=self.category,
                tax_rate=self._rate(),
            )

    def _exactly(self, charge: Mapping[str, Any]) -> str:
        """The line as the ledger has it: to the micro, at its rate."""
        words = f"{charge['count']} times"
        if charge["seconds"]:
            words += f", {charge['seconds']} s billed"
        if charge["rate_micros"] is not None:
            rate = f"{format_rate(charge['rate_micros'])} {self.currency}"
            words += f", {rate} {rate_words(charge['kind'])}"
        return f"{words}; exactly {format_amount(charge['amount_micros'])} {self.currency}"

    def _tax(self) -> Tax:
        tax = Tax(
            self._coins(self.found["vat_micros"]),
            self._coins(self.found["net_micros"]),
            None,
            self.category,
            exemption_reason=self.document["tax"]["note"] if self.category in EXPLAINED else None,
        )
        # Set afterwards: the library would round half a cent up, this house rounds it to even.
        tax.rate_percent = self._rate()
        return tax

    def _rate(self) -> Decimal | None:
        """Nothing outside the scope of VAT bears a rate, not even 0 (BR-O-05)."""
        return Decimal(self.document["tax"]["rate_basis_points"]) / 100 if self.taxed else None

    def _note(self) -> str:
        exact = format_amount(self.document["charges_micros"])
        return (
            f"Charges are counted in millionths and come to {exact} {self.currency} exactly; the"
            f" lines are rounded so that their sum is rounded once. {closing_note(self.document)}"
        )

    def _debit(self) -> Mapping[str, Any] | None:
        return self.document.get("debit")

    def _payment_means(self) -> Iterator[PaymentMeans]:
        """How the rest comes; a transfer needs an account to go to (BR-61)."""
        if not self.found["due_micros"]:
            return
        if self._debit():
            yield PaymentMeans(PaymentMeansCode.SEPA_DIRECT_DEBIT)
        elif self.document["mode"] == "card_daily":
            yield PaymentMeans(PaymentMeansCode.CREDIT_CARD)
        elif self.seller.iban:
            euro = self.currency == "EUR"
            code = PaymentMeansCode.SEPA_CREDIT_TRANSFER if euro else PaymentMeansCode.TRANSFER
            account = BankAccount(self.seller.iban, self.seller.name, None)
            yield PaymentMeans(code, account, self.seller.bic or None)

    def _payment_terms(self) -> PaymentTerms:
        due, debit = self.document["due_on"], self._debit()
        return PaymentTerms(
            description=closing_note(self.document),
            due_date=dt.date.fromisoformat(due) if due else None,
            direct_debit_mandate_id=debit["mandate"] if debit else None,
        )

    def _coins(self, micros: int) -> Money:
        return Money(_decimal(self.sign * micros, "0.01"), self.currency)


def _decimal(micros: int, least: str = "0.000001") -> Decimal:
    exact = Decimal(micros) / MICROS
    return exact.quantize(Decimal(least))


def _address(country: str, lines: tuple[str, ...]) -> PostalAddress:
    """As it was given, line by line; what is over goes to the last of them."""
    kept = [*lines[: ADDRESS_LINES_MAX - 1], ", ".join(lines[ADDRESS_LINES_MAX - 1 :])]
    kept += [""] * (ADDRESS_LINES_MAX - len(kept))
    return PostalAddress(country, line_one=kept[0], line_two=kept[1], line_three=kept[2])

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.statement_numbers import StatementNumber
from billing.transfers import (
    Matches,
    OpenInvoice,
    Returned,
    Transfer,
    TransfersInvalid,
    WhyLeft,
    match_transfers,
    parse_camt053,
    parse_csv,
    parse_csv_returns,
    parse_returns,
    transfer_key,
)

EURO = 1_000_000
ACME = UUID(int=1)
DAY = date(2026, 11, 20)


def camt(*entries: str, version: str = "08") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}">'
        f"<BkToCstmrStmt><GrpHdr><MsgId>1</MsgId></GrpHdr><Stmt><Id>1</Id>"
        f"<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>"
        f"{''.join(entries)}</Stmt></BkToCstmrStmt></Document>"
    )


def entry(
    amount: str = "120.50",
    *,
    details: str = "",
    sign: str = "CRDT",
    status: str = "<Sts><Cd>BOOK</Cd></Sts>",
    ref: str = "BANK-1",
    more: str = "",
) -> str:
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>{more}{status}'
        f"<BookgDt><Dt>2026-11-20</Dt></BookgDt>"
        f"{f'<AcctSvcrRef>{ref}</AcctSvcrRef>' if ref else ''}"
        f"<NtryDtls>{details}</NtryDtls></Ntry>"
    )


def part(text: str, amount: str = "", *, refs: str = "", payer: str = "Acme Ltd") -> str:
    own = f'<Amt Ccy="EUR">{amount}</Amt>' if amount else ""
    return (
        f"<TxDtls><Refs>{refs}</Refs>{own}"
        f"<RltdPties><Dbtr><Pty><Nm>{payer}</Nm></Pty></Dbtr></RltdPties>"
        f"<RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>"
    )


@pytest.mark.parametrize("version", ["02", "08", "13"])
def test_s5_18_a_bank_statement_of_any_version_gives_its_credits(version: str) -> None:
    text = camt(entry(details=part("Invoice 2026-000007")), version=version)
    expected = Transfer("BANK-1", DAY, 120_500_000, "EUR", "Invoice 2026-000007", "Acme Ltd")
    assert parse_camt053(text) == (expected,)
    assert transfer_key(expected) == "transfer:BANK-1"


@pytest.mark.parametrize(
    "left",
    [
        pytest.param(entry(sign="DBIT"), id="S5-18 a debit"),
        pytest.param(entry(status="<Sts><Cd>PDNG</Cd></Sts>"), id="S5-18 not booked yet"),
        pytest.param(entry(status="<Sts>PDNG</Sts>"), id="S5-18 not booked yet, as of old"),
        pytest.param(entry(more="<RvslInd>true</RvslInd>"), id="S5-18 a reversal"),
    ],
)
def test_what_is_no_booked_credit_is_left_out(left: str) -> None:
    kept = entry("1", ref="BANK-2", status="<Sts>BOOK</Sts>")
    assert [t.bank_id for t in parse_camt053(camt(left, kept))] == ["BANK-2"]


def test_s5_18_a_bundle_is_taken_apart() -> None:
    bundle = entry(
        "30.00", details=part("2026-000001", "10.00") + part("2026-000002", "20.00", payer="Bolt")
    )
    found = parse_camt053(camt(bundle))
    assert [(t.bank_id, t.amount_micros, t.reference, t.payer) for t in found] == [
        ("BANK-1/1", 10 * EURO, "2026-000001", "Acme Ltd"),
        ("BANK-1/2", 20 * EURO, "2026-000002", "Bolt"),
    ]


def test_s5_18_structured_references_and_end_to_end_ids_are_read_too() -> None:
    details = (
        "<TxDtls><Refs><EndToEndId>2026000009</EndToEndId></Refs><RmtInf><Strd><CdtrRefInf>"
        "<Ref>RF18 2026-000008</Ref></CdtrRefInf></Strd></RmtInf></TxDtls>"
    )
    (found,) = parse_camt053(camt(entry(details=details)))
    assert found.reference == "RF18 2026-000008 | 2026000009"
    silent = part("", refs="<EndToEndId>NOTPROVIDED</EndToEndId>")
    assert parse_camt053(camt(entry(details=silent)))[0].reference == ""


def test_s5_18_one_payment_told_in_two_files_has_one_id_and_two_equal_ones_have_two() -> None:
    nameless = entry(ref="", details=part("rent"))
    first = parse_camt053(camt(nameless))
    both = parse_camt053(camt(entry("1", ref="X"), nameless, nameless))
    assert first[0].bank_id == both[1].bank_id != both[2].bank_id
    told_twice = parse_camt053(camt(entry(), entry()))
    assert [t.bank_id for t in told_twice] == ["BANK-1"]


@pytest.mark.parametrize(
    "text, words",
    [
        pytest.param("<a", "no XML", id="S5-18 broken"),
        pytest.param("<a/>", "camt.053", id="S5-18 other XML"),
        pytest.param(
            '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "entities", id="S5-18 a bomb is not read"
        ),
        pytest.param(camt(entry("12,50")), "comma", id="S5-18 an amount with a comma"),
        pytest.param(camt(entry("")), "amount", id="S5-18 no amount"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(text: str, words: str) -> None:
    with pytest.raises(TransfersInvalid, match=words):
        parse_camt053(text)


def test_s5_18_a_csv_gives_its_credits() -> None:
    rows = (
        "\ufeffdate;amount;currency;reference;payer\n"
        "2026-11-20;120.50;EUR;Inv. 2026/000007;Acme Ltd\n"
        "2026-11-20;-5.00;EUR;fee;Bank\n"
        "2026-11-20;120.50;EUR;Inv. 2026/000007;Acme Ltd\n"
    )
    found = parse_csv(rows)
    assert [(t.amount_micros, t.reference, t.payer) for t in found] == [
        (120_500_000, "Inv. 2026/000007", "Acme Ltd")
    ] * 2
    assert len({t.bank_id for t in found}) == 2
    assert parse_csv(rows) == found


@pytest.mark.parametrize(
    "rows, path",
    [
        pytest.param("date,amount\n", "/0", id="S5-18 a column is missing"),
        pytest.param("", "/0", id="S5-18 an empty file"),
        pytest.param(
            "date,amount,currency,reference\n20.11.2026,1,EUR,x\n", "/1/date", id="S5-18 a day"
        ),
        pytest.param(
            'date,amount,currency,reference\n2026-11-20,"1,50",EUR,x\n',
            "/1/amount",
            id="S5-18 an amount",
        ),
        pytest.param(
            "date,amount,currency,reference\n2026-11-20,1,€,x\n", "/1/currency", id="S5-18 a sign"
        ),
    ],
)
def test_a_csv_that_is_wrong_names_the_row_and_the_cure(rows: str, path: str) -> None:
    with pytest.raises(TransfersInvalid) as caught:
        parse_csv(rows)
    assert [error.path for error in caught.value.errors] == [path]


def sent(amount: int, reference: str, currency: str = "EUR") -> Transfer:
    return Transfer(f"{amount} {reference}", DAY, amount * EURO, currency, reference)


def invoice(serial: int, owed: int = 100) -> OpenInvoice:
    return OpenInvoice(StatementNumber("9F3A01BC", serial), ACME, owed * EURO, "EUR")


def outcome(matches: Matches) -> list[tuple[int, int, int]]:
    return [
        (p.invoice.number.serial, p.amount_micros // EURO, p.applied_micros // EURO)
        for p in matches.payments
    ]


@pytest.mark.parametrize(
    "transfers, paid, left",
    [
        pytest.param([sent(100, "9F3A01BC-000001")], [(1, 100, 100)], [], id="S5-18 exact"),
        pytest.param(
            [sent(100, "inv 9f3a01bc / 000001 tks")], [(1, 100, 100)], [], id="S5-18 in words"
        ),
        pytest.param([sent(40, "9F3A01BC-000001")], [(1, 40, 40)], [], id="S5-18 in part"),
        pytest.param([sent(130, "9F3A01BC-000001")], [(1, 130, 100)], [], id="S5-18 too much"),
        pytest.param(
            [sent(40, "9F3A01BC-000001"), sent(60, "9F3A01BC-000001")],
            [(1, 40, 40), (1, 60, 60)],
            [],
            id="S5-18 in two rates",
        ),
        pytest.param(
            [sent(100, "9F3A01BC-000001"), sent(100, "9F3A01BC-000001")],
            [(1, 100, 100)],
            [WhyLeft.NOT_OPEN],
            id="S5-18 paid twice: the second is left",
        ),
        pytest.param(
            [sent(150, "9F3A01BC-000001 9F3A01BC-000002")],
            [(1, 100, 100), (2, 50, 50)],
            [],
            id="S5-18 one for two",
        ),
        pytest.param(
            [sent(149, "9F3A01BC-000001 9F3A01BC-000002")],
            [],
            [WhyLeft.SEVERAL],
            id="S5-18 two, not exact",
        ),
        pytest.param([sent(100, "thank you")], [], [WhyLeft.NO_NUMBER], id="S5-18 no number"),
        pytest.param(
            [sent(100, "00000000-000001")], [], [WhyLeft.NOT_OPEN], id="S5-18 another series"
        ),
        pytest.param(
            [sent(100, "DE02120300002026000001")],
            [],
            [WhyLeft.NO_NUMBER],
            id="S5-18 an IBAN is none",
        ),
        pytest.param(
            [sent(100, "9F3A01BC-000001", "USD")],
            [],
            [WhyLeft.OTHER_CURRENCY],
            id="S5-18 another currency",
        ),
    ],
)
def test_a_transfer_pays_the_invoice_that_it_names(
    transfers: list[Transfer], paid: list[tuple[int, int, int]], left: list[WhyLeft]
) -> None:
    matches = match_transfers(transfers, [invoice(1), invoice(2, owed=50)])
    assert outcome(matches) == paid
    assert [unmatched.why for unmatched in matches.unmatched] == left


def test_s5_18_a_number_that_two_invoices_bear_is_left_to_people() -> None:
    twins = [invoice(1), replace(invoice(1), account_id=UUID(int=2))]
    matches = match_transfers([sent(100, "9F3A01BC-000001")], twins)
    assert [unmatched.why for unmatched in matches.unmatched] == [WhyLeft.SEVERAL]
    assert matches.payments == ()


@given(
    st.lists(st.tuples(st.integers(1, 200), st.lists(st.integers(1, 6), max_size=2)), max_size=20)
)
def test_every_micro_that_arrives_is_paid_or_left(payments: list[tuple[int, list[int]]]) -> None:
    transfers = [
        sent(amount, " ".join(str(StatementNumber("9F3A01BC", serial)) for serial in serials))
        for amount, serials in payments
    ]
    matches = match_transfers(transfers, [invoice(serial) for serial in range(1, 6)])
    arrived = sum(transfer.amount_micros for transfer in transfers)
    left = sum(unmatched.transfer.amount_micros for unmatched in matches.unmatched)
    assert sum(payment.amount_micros for payment in matches.payments) + left == arrived
    for serial in range(1, 6):
        applied = [p.applied_micros for p in matches.payments if p.invoice.number.serial == serial]
        assert sum(applied) <= 100 * EURO


def test_s5_18_a_bundle_of_returns_is_taken_apart_each_with_its_reason() -> None:
    gone = "<RtrInf><Rsn><Cd>{}</Cd></Rsn></RtrInf>"
    parts = [
        part(f"9F3A01BC-00000{n}-1", f"{n}0.00").replace(
            "</TxDtls>", gone.format(code) + "</TxDtls>"
        )
        for n, code in ((1, "AM04"), (2, "AC04"))
    ]
    paid = part("rent", "5.00")
    text = camt(entry("35.00", sign="DBIT", details="".join([*parts, paid])))
    assert parse_returns(text) == (
        Returned("BANK-1/1", DAY, 10 * EURO, "EUR", "9F3A01BC-000001-1", "AM04"),
        Returned("BANK-1/2", DAY, 20 * EURO, "EUR", "9F3A01BC-000002-1", "AC04"),
    )
    assert parse_camt053(text) == ()


def test_s5_18_rows_of_a_csv_that_left_are_returns_where_they_name_a_debit_or_a_reason() -> None:
    text = (
        "date;amount;currency;reference;reason;bank_id\n"
        "2026-11-20;-35.70;EUR;return 9f3a01bc-000001-1;;B1\n"
        "2026-11-20;-11.90;EUR;return;md06;B2\n"
        "2026-11-20;-900.00;EUR;rent;;B3\n"
        "2026-11-20;35.70;EUR;9F3A01BC-000001-1;;B4\n"
    )
    assert parse_csv_returns(text) == (
        Returned("B1", DAY, 35_700_000, "EUR", "return 9f3a01bc-000001-1", ""),
        Returned("B2", DAY, 11_900_000, "EUR", "return", "MD06"),
    )
    assert [t.bank_id for t in parse_csv(text)] == ["B4"]

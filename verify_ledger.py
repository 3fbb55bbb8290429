#!/usr/bin/env python3
"""Proves a ledger that `ringledger ledger export` wrote, without Ringledger and without a database.

    python3 verify_ledger.py ledger.jsonl

Needs Python 3.9 or newer and nothing else. It shares no code with the program that wrote the
ledger: two independent hands have to come to the same sums and hashes. Exit code 0: everything
holds; 1: it does not, and the first line that is wrong is named; 2: the file cannot be read.

The file is JSON, one object a line, keys sorted, no spaces:

  {"format":"ringledger-ledger/1"}
  {"tenant":T,"tenant_sha256":HASH}                then T's postings, the oldest first:
  {"account":…,"actor":…,…,"seq":1,"tenant":T,…}
  {"balances":[[ledger account,unit,balance],…],"head":HASH,"lines":N,"tenant":T}
  …                                                further tenants, and at the end:
  {"exported_at":…,"lines":lines above,"sha256":of the bytes above and of exported_at}

What is proven, for each tenant: the postings are numbered 1, 2, 3 …; each carries the SHA-256 of
its fields and of its predecessor's hash; none was changed, left out, added or moved; no event was
posted twice; each moves a positive amount from one ledger account to another; what it says was
left is what its lines sum to; and the balances are the sums of the lines, nothing else.
"""

import hashlib
import json
import sys
from datetime import datetime, timezone

FORMAT = "ringledger-ledger/1"
POSTING = {
    "account": str,
    "actor": (str, type(None)),
    "amount": int,
    "at": str,
    "balance_after": (int, type(None)),
    "billed_seconds": (int, type(None)),
    "call_sid": (str, type(None)),
    "credit": str,
    "debit": str,
    "description": str,
    "hash": str,
    "key": str,
    "kind": str,
    "leg_sid": (str, type(None)),
    "plan_version": (str, type(None)),
    "rate": (int, type(None)),
    "reason": (str, type(None)),
    "receipt": (str, type(None)),
    "reverses": (str, type(None)),
    "seq": int,
    "tenant": str,
    "unit": str,
}
OPENING = {"tenant": str, "tenant_sha256": str}
CLOSING = {"balances": list, "head": str, "lines": int, "tenant": str}
ENDING = {"exported_at": str, "lines": int, "sha256": str}
UTC = timezone.utc  # noqa: UP017  an auditor's Python may be older than datetime.UTC
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Wrong(Exception):
    """The line being read does not hold."""


class Tenant:
    """One tenant's chain as far as it has been read."""

    def __init__(self, name):
        self.name = name
        self.lines = 0
        self.head = "0" * 64
        self.balances = {}
        self.events = set()

    def take(self, line):
        if line["tenant"] != self.name:
            raise Wrong(f"belongs to tenant {line['tenant']}, among the lines of {self.name}")
        if line["seq"] != self.lines + 1:
            raise Wrong(f"is posting {line['seq']}; posting {self.lines + 1} should stand here")
        digest = hashlib.sha256(hashed_text(self.head, line).encode()).hexdigest()
        if digest != line["hash"]:
            raise Wrong(f"posting {line['seq']} ({line['key']}) is not what was hashed")
        self.lines, self.head = line["seq"], digest
        self._once(line["key"])
        self._move(line)

    def _once(self, key):
        """Eight bytes of each key are kept, so that a million lines fit into memory."""
        event = hashlib.sha256(key.encode()).digest()[:8]
        if event in self.events:
            raise Wrong(f"the event {key} was posted before")
        self.events.add(event)

    def _move(self, line):
        debit, credit, unit, amount = line["debit"], line["credit"], line["unit"], line["amount"]
        if amount <= 0 or debit == credit:
            raise Wrong(f"posting {line['seq']} moves {amount} from {debit} to {credit}")
        self.balances[debit, unit] = self.balances.get((debit, unit), 0) - amount
        self.balances[credit, unit] = self.balances.get((credit, unit), 0) + amount
        owned = debit if ":" in debit else credit if ":" in credit else None
        left = None if owned is None else self.balances[owned, unit]
        if line["balance_after"] != left:
            raise Wrong(
                f"posting {line['seq']} says that {line['balance_after']} was left; it was {left}"
            )

    def close(self, line):
        if line["tenant"] != self.name:
            raise Wrong(f"closes tenant {line['tenant']}, but {self.name} is open")
        if (line["lines"], line["head"]) != (self.lines, self.head):
            raise Wrong(
                f"says that the chain ends at posting {line['lines']} ({line['head'][:16]}…); "
                f"it ends at {self.lines} ({self.head[:16]}…)"
            )
        stated = {}
        for entry in line["balances"]:
            expect(isinstance(entry, list) and len(entry) == 3, "has a balance that is none")
            name, unit, balance = entry
            expect((name, unit) not in stated, f"states {name} twice")
            stated[name, unit] = balance
        for name, unit in sorted({*stated, *self.balances}):
            said, summed = stated.get((name, unit), 0), self.balances.get((name, unit), 0)
            expect(
                said == summed,
                f"says that {name} holds {said} {unit}; its postings sum to {summed}",
            )


def hashed_text(previous, line):
    """The text whose SHA-256 a posting carries: one fact a line, text with its length before it."""
    at = parse_instant(line["at"]) - EPOCH
    micros = (at.days * 86_400 + at.seconds) * 1_000_000 + at.microseconds
    return "".join(
        fact + "\n"
        for fact in (
            "ringledger/1",
            previous,
            str(line["seq"]),
            text(line["key"]),
            text(line["kind"]),
            text(line["debit"]),
            text(line["credit"]),
            text(line["unit"]),
            str(line["amount"]),
            str(micros),
            line["account"].replace("-", ""),
            text(line["description"]),
            number(line["balance_after"]),
            text(line["call_sid"]),
            text(line["leg_sid"]),
            identifier(line["plan_version"]),
            number(line["rate"]),
            number(line["billed_seconds"]),
            identifier(line["receipt"]),
            text(line["reverses"]),
            text(line["actor"]),
            text(line["reason"]),
        )
    )


def text(value):
    return "-" if value is None else f"{len(value)}:{value}"


def number(value):
    return "-" if value is None else str(value)


def identifier(value):
    return "-" if value is None else value.replace("-", "")


def parse_instant(written):
    """ "2026-03-04T15:00:00.000000Z", in this one form."""
    try:
        at = datetime.strptime(written, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        raise Wrong(f"{written!r} is no instant") from None
    expect(at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") == written, f"{written!r} is written oddly")
    return at


def expect(holds, words):
    if not holds:
        raise Wrong(words)


def parse(raw):
    """The object of a line, which must stand in its one canonical form."""
    expect(raw.endswith(b"\n"), "is cut off")
    try:
        line = json.loads(raw.decode("utf-8"))
        again = json.dumps(line, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        canonical = again.encode("utf-8") + b"\n"
    except (ValueError, TypeError, RecursionError):
        raise Wrong("is not JSON text") from None
    expect(isinstance(line, dict), "is no object")
    expect(canonical == raw, "is not in its canonical form")
    return line


def check_fields(line, fields):
    expect(line.keys() == fields.keys(), "does not have the fields that belong there")
    for name, types in fields.items():
        held = isinstance(line[name], types) and not isinstance(line[name], bool)
        expect(held, f"the field {name} holds {line[name]!r}")


class Ledger:
    """The whole file, read line by line."""

    def __init__(self):
        self.digest = hashlib.sha256()
        self.number = 0
        self.tenants = []
        self.open = None
        self.ended = False

    def take(self, raw):
        self.number += 1
        expect(not self.ended, "stands behind the end")
        line = parse(raw)
        if "sha256" in line:
            self._end(line)
            return
        self.digest.update(raw)
        if self.number == 1:
            expect(line == {"format": FORMAT}, f"does not say {FORMAT}")
        elif self.open is None:
            self._begin(line)
        elif "balances" in line:
            check_fields(line, CLOSING)
            self.open.close(line)
            self.tenants.append(self.open)
            self.open = None
        else:
            check_fields(line, POSTING)
            self.open.take(line)

    def _begin(self, line):
        check_fields(line, OPENING)
        digest = hashlib.sha256(line["tenant"].encode()).hexdigest()
        expect(line["tenant_sha256"] == digest, "names another tenant than was written")
        # Ascending, so that no tenant can stand there twice.
        expect(
            not self.tenants or line["tenant"] > self.tenants[-1].name,
            f"opens tenant {line['tenant']} out of order",
        )
        self.open = Tenant(line["tenant"])

    def _end(self, line):
        check_fields(line, ENDING)
        expect(self.open is None, "ends the file before the tenant was closed")
        expect(self.number > 1, "stands alone")
        parse_instant(line["exported_at"])
        self.digest.update(line["exported_at"].encode())
        expect(line["lines"] == self.number - 1, f"counts {line['lines']} lines before it")
        expect(line["sha256"] == self.digest.hexdigest(), "does not fit the lines before it")
        self.ended = True

    def finish(self):
        self.number += 1
        expect(self.ended, "is missing: the file ends too early")


def verify(lines):
    """The tenants of a ledger given as lines of bytes; raises Wrong with `number` set."""
    ledger = Ledger()
    try:
        for raw in lines:
            ledger.take(raw)
        ledger.finish()
    except Wrong as wrong:
        wrong.number = ledger.number
        raise
    return ledger.tenants


def main(arguments):
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python3 verify_ledger.py LEDGER.jsonl", file=sys.stderr)
        return 2
    try:
        with open(arguments[0], "rb") as file:
            tenants = verify(file)
    except OSError as error:
        print(f"{arguments[0]} cannot be read: {error.strerror}", file=sys.stderr)
        return 2
    except Wrong as wrong:
        print(f"NOT PROVEN: line {wrong.number} of {arguments[0]}: {wrong}")
        return 1
    for tenant in tenants:
        print(f"{tenant.name}  {tenant.lines} postings hold, head {tenant.head}")
    lines = sum(tenant.lines for tenant in tenants)
    print(f"Everything holds: {len(tenants)} tenants, {lines} postings.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

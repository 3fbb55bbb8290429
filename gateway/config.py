"""What the operator may set, read once at start; every problem is reported, each with its cure.

Sources, strongest first: the environment, the file `.env`, the defaults here. Any setting may
come from a file instead: `SECRET_KEY_FILE=/run/secrets/key` stands for `SECRET_KEY`.

What nobody has to invent is made once and kept under `VAR_DIR/secrets` (mode 0600): the cookie
key and the sandbox carrier's token. So every process of one installation reads the same values.
"""

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from dotenv import dotenv_values
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

SANDBOX_ACCOUNT_SID = "AC" + "5a" * 16
SANDBOX_ALERT_NUMBER = "+15005550006"  # twilio.com/docs/iam/test-credentials: always a good sender
# sun_path holds 108 bytes with the closing NUL: man 7 unix (macOS: 104, so this is the floor).
SOCKET_PATH_BYTES_MAX = 103
# PostgreSQL takes a comma for the end of a socket's folder, and redis-py fails to read the address
# of a connection with a space or an equals sign in it.
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./~+@-]+")
POSTGRES_SOCKET_NAME = ".s.PGSQL.5432"
VALKEY_SOCKET_NAME = "valkey.sock"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class SettingsInvalid(Exception):
    """Carries every problem found, one sentence each, so that one start is enough to fix all."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class Settings(BaseSettings):
    """The checked settings. Build them with `load_settings`; secrets do not show in `repr`.

    `database_url` and `redis_url` are never empty: when the operator gave none they point at the
    embedded servers (`embedded_postgres`, `embedded_valkey`), whose sockets follow from VAR_DIR;
    so a command in a second terminal finds the servers that `ringledger up` started.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=False)

    database_url: str = Field("", repr=False)
    redis_url: str = Field("", repr=False)
    embedded_postgres: bool = False
    embedded_valkey: bool = False
    var_dir: Path = Path("var")
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    public_url: str = ""
    sandbox: bool = False
    twilio_account_sid: str = ""
    twilio_auth_token: str = Field("", repr=False)
    twilio_api_url: str = ""
    sandbox_port: int = Field(0, ge=0, le=65535)
    sandbox_traffic: float = Field(6.0, ge=0, le=600, description="demo calls per minute")
    stripe_api_key: str = Field("", repr=False)
    stripe_webhook_secret: str = Field("", repr=False)
    mail_url: str = Field("", repr=False)
    alert_number: str = ""  # ours at the carrier: warnings by text and call come from it
    # Who bills, as statements print it; lines are separated by "|".
    seller_name: str = Field("Ringledger", max_length=120)
    seller_address: str = Field("", max_length=300)
    seller_country: str = Field("US", pattern="^[A-Z]{2}$")  # decides how customers are taxed
    seller_vat_id: str = Field("", max_length=20)
    # Stands for the VAT id on invoices without VAT, which must not bear one (EN 16931, BR-O-02).
    seller_tax_number: str = Field("", max_length=35)
    seller_bank: str = Field("", max_length=300)  # where transfers go, as printed
    seller_iban: str = ""  # where transfers go, for e-invoices and debits
    seller_bic: str = Field("", pattern="^([A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?)?$")
    seller_creditor_id: str = Field("", max_length=35)  # the central bank's, for SEPA debits
    # Whether VIES is asked about customers' VAT ids; "confirm": its yes does without staff.
    vat_check: Literal["off", "ask", "confirm"] = "off"
    vies_url: str = ""
    secret_key: str = Field("", repr=False)
    bootstrap_ops_token: str = Field("", repr=False)
    web_concurrency: int = Field(2, ge=1, le=64)
    log_level: str = "INFO"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # load_settings merges the sources itself: NAME_FILE and defaults that depend on other
        # settings need all of them side by side, and a test can hand in its own environment.
        return (init_settings,)

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in LOG_LEVELS:
            raise ValueError(f"must be one of {', '.join(LOG_LEVELS)}")
        return value.upper()

    @field_validator("database_url")
    @classmethod
    def _psycopg_url(cls, value: str) -> str:
        # postgres:// is what hosting platforms hand out; SQLAlchemy wants the driver's name.
        url = re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg://", value)
        if not url.startswith("postgresql+psycopg://"):
            raise ValueError("must look like postgresql://user:password@host:5432/name")
        return url

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, value: str) -> str:
        if not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must look like redis://host:6379/0, rediss://… or unix:///path")
        return value

    @field_validator("public_url", "twilio_api_url", "vies_url")
    @classmethod
    def _web_base(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must look like https://calls.example.com")
        if parts.query or parts.fragment:
            raise ValueError("is a base address: leave out everything from ? or # on")
        return value.rstrip("/")

    @field_validator("mail_url")
    @classmethod
    def _mail_scheme(cls, value: str) -> str:
        if value and not value.startswith(("smtp://", "smtps://")):
            raise ValueError("must look like smtp://user:password@host:587 (or smtps://…:465)")
        return value

    @field_validator("alert_number")
    @classmethod
    def _e164(cls, value: str) -> str:
        if value and not re.fullmatch(r"\+[1-9][0-9]{6,14}", value):
            raise ValueError("must look like +14155550100")
        return value

    @field_validator("twilio_account_sid")
    @classmethod
    def _account_sid(cls, value: str) -> str:
        if not re.fullmatch(r"AC[0-9a-fA-F]{32}", value):
            raise ValueError("must be AC and 32 hexadecimal digits, as the Twilio Console shows it")
        return value

    @field_validator("seller_iban")
    @classmethod
    def _account_number(cls, value: str) -> str:
        # Not at the top: most sellers name none.
        from stdnum import iban

        if value and not iban.is_valid(value):
            raise ValueError("is no IBAN: its check digits do not fit")
        return iban.compact(value)

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: str) -> str:
        if len(value) < 16:
            raise ValueError("is shorter than 16 characters: leave it empty to have one made")
        return value

    @property
    def sandbox_dir(self) -> Path:
        return self.var_dir / "sandbox"

    @property
    def sandbox_cards(self) -> bool:
        """Are cards play money? Never beside the real Twilio: calls that cost real money must not
        be paid for with it, so without Stripe's keys no cards are taken there."""
        return not self.stripe_api_key and (self.sandbox or bool(self.twilio_api_url))

    @property
    def takes_cards(self) -> bool:
        return bool(self.stripe_api_key) or self.sandbox_cards

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    # The sandbox's card network derives both from the same token (gateway.sandbox).

    @property
    def sandbox_card_key(self) -> str:
        return f"sk_sandbox_{self.twilio_auth_token}"

    @property
    def sandbox_card_secret(self) -> str:
        return f"whsec_{self.twilio_auth_token}"

    @property
    def runs_carrier(self) -> bool:
        """Is the sandbox carrier of this installation the one that is asked?"""
        return self.sandbox and self.twilio_api_url == f"http://127.0.0.1:{self.sandbox_port}"

    def cautions(self) -> tuple[str, ...]:
        """What is allowed but probably not meant; `ringledger up` prints them."""
        found = []
        loopback = urlsplit(self.public_url).hostname in ("127.0.0.1", "localhost", "::1")
        if not self.sandbox and not self.twilio_api_url and loopback:
            found.append(
                f"Twilio cannot reach {self.public_url}: "
                "set PUBLIC_URL to the address that the internet sees."
            )
        if self.sandbox_cards and not self.sandbox:
            found.append(
                "cards are play money, but calls are not in the sandbox: "
                "set STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET to take real ones."
            )
        return tuple(found)


NAMES = tuple(
    name.upper()
    for name in Settings.model_fields
    if name not in ("sandbox", "embedded_postgres", "embedded_valkey")
)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check everything. Without `environ`: the process environment over `.env`.

    Raises SettingsInvalid with all problems. The second call finds the secrets that the first
    one made.
    """
    if environ is None:
        from_file = {k: v for k, v in dotenv_values(".env").items() if v is not None}
        environ = {**from_file, **os.environ}
    problems: list[str] = []
    values = _given(environ, problems)
    _check_pairs(values, problems)
    _fill_in(values)
    try:
        Settings(**values)
    except ValidationError as error:
        problems.extend(_sentences(error))
    if not problems:
        _keep_secrets(values, problems)
    if problems:
        raise SettingsInvalid(tuple(problems))
    return Settings(**values)


def socket_dir(var_dir: Path, name: str, socket_name: str) -> Path:
    """Where a server's unix socket lives: in its own folder, or in a short and plain one that every
    process of this installation can compute where a socket address cannot hold the path."""
    own = var_dir / name
    fits = len(os.fsencode(own / socket_name)) <= SOCKET_PATH_BYTES_MAX
    if fits and PLAIN_PATH.fullmatch(str(own)):
        return own
    mark = hashlib.sha256(os.fsencode(own)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"ringledger-{os.getuid()}-{mark}"


def embedded_database_url(var_dir: Path, database: str = "ringledger") -> str:
    folder = quote(str(socket_dir(var_dir, "postgres", POSTGRES_SOCKET_NAME)), safe="")
    return f"postgresql+psycopg://ringledger@/{database}?host={folder}"


def embedded_redis_url(var_dir: Path) -> str:
    path = socket_dir(var_dir, "valkey", VALKEY_SOCKET_NAME) / VALKEY_SOCKET_NAME
    return f"unix://{quote(str(path))}?db=0"


def _given(environ: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    """The settings that were given, by field name; an empty one counts as not given."""
    values: dict[str, Any] = {}
    for name in NAMES:
        text = environ.get(name, "").strip()
        path = environ.get(f"{name}_FILE", "").strip()
        if text and path:
            problems.append(f"{name} and {name}_FILE are both set: keep one of them.")
        elif path:
            try:
                text = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{name}_FILE names {path}, which cannot be read: {error}.")
        if text:
            values[name.lower()] = text
    return values


def _check_pairs(values: dict[str, Any], problems: list[str]) -> None:
    for one, other, when_empty in (
        ("twilio_account_sid", "twilio_auth_token", "the sandbox carrier"),
        ("stripe_api_key", "stripe_webhook_secret", "sandbox payments"),
    ):
        present = [name for name in (one, other) if name in values]
        if len(present) == 1:
            absent = other if present == [one] else one
            problems.append(
                f"{present[0].upper()} is set but {absent.upper()} is not: "
                f"set both, or neither for {when_empty}."
            )


def _fill_in(values: dict[str, Any]) -> None:
    """Defaults that follow from other settings. Text that is no number is left for the check."""
    var_dir = Path(os.path.abspath(Path(values.get("var_dir", "var")).expanduser()))
    port = values.get("port", "8000")
    values["var_dir"] = var_dir
    values["sandbox"] = not ({"twilio_account_sid", "twilio_auth_token"} & values.keys())
    values["embedded_postgres"] = "database_url" not in values
    values["embedded_valkey"] = "redis_url" not in values
    values.setdefault("database_url", embedded_database_url(var_dir))
    values.setdefault("redis_url", embedded_redis_url(var_dir))
    values.setdefault("public_url", f"http://127.0.0.1:{port}")
    if port.isascii() and port.isdigit():
        values.setdefault("sandbox_port", str(int(port) + 1 if int(port) < 65535 else 65534))
    if values["sandbox"]:
        values["twilio_account_sid"] = SANDBOX_ACCOUNT_SID
        values.setdefault("alert_number", SANDBOX_ALERT_NUMBER)
        values.setdefault("twilio_api_url", f"http://127.0.0.1:{values.get('sandbox_port', '0')}")


def _keep_secrets(values: dict[str, Any], problems: list[str]) -> None:
    wanted = ["secret_key"] if "secret_key" not in values else []
    if values["sandbox"]:
        wanted.append("twilio_auth_token")
    for name in wanted:
        try:
            values[name] = _kept(values["var_dir"] / "secrets" / name)
        except OSError as error:
            cure = "make it writable, or set VAR_DIR to a folder that is"
            problems.append(
                f"VAR_DIR {values['var_dir']} cannot be used ({error.strerror}): {cure}."
            )
            return


def _kept(path: Path) -> str:
    """Read the secret, or make it: the link is atomic, so of two first starts both read one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()


def _sentences(error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_input=False, include_url=False):
        name = str(item["loc"][0]).upper()
        if item["type"] == "value_error":
            yield f"{name} {item['ctx']['error']}."
        else:
            yield f"{name}: {item['msg'][0].lower()}{item['msg'][1:]}."

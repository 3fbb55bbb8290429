"""How the sandbox process is told what to be; read from the environment once, at its start."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CREDENTIALS_MISSING = (
    "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are not set: the sandbox carrier signs its webhooks"
    " with them; set both to the values that the gateway has"
)


class SettingsInvalid(Exception):
    """One sentence for each problem, each with its cure."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    account_sid: str
    auth_token: str
    host: str = "127.0.0.1"
    port: int = 8001
    directory: Path | None = None  # None: nothing survives a restart
    calls_per_minute: float = 0.0
    price_delay_seconds: float = 20.0
    seed: int = 1
    card_events_url: str = ""  # empty: nobody is told what becomes of payments

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}"


def read_settings(environ: Mapping[str, str]) -> SandboxSettings:
    """All problems at once."""
    problems: list[str] = []

    def number(name: str, default: float, high: float) -> float:
        text = environ.get(name) or str(default)
        try:
            value = float(text)
        except ValueError:
            value = -1
        if not 0 <= value <= high:
            problems.append(
                f"{name}={text!r} is not a number from 0 to {high:g}: correct or unset it"
            )
        return value

    if not environ.get("TWILIO_ACCOUNT_SID") or not environ.get("TWILIO_AUTH_TOKEN"):
        problems.append(CREDENTIALS_MISSING)
    directory = environ.get("SANDBOX_DIR")
    settings = SandboxSettings(
        account_sid=environ.get("TWILIO_ACCOUNT_SID", ""),
        auth_token=environ.get("TWILIO_AUTH_TOKEN", ""),
        host=environ.get("SANDBOX_HOST") or "127.0.0.1",
        port=int(number("SANDBOX_PORT", 8001, 65_535)),
        directory=Path(directory) if directory else None,
        calls_per_minute=number("SANDBOX_TRAFFIC", 0, 6_000),
        price_delay_seconds=number("SANDBOX_PRICE_DELAY", 20, 86_400),
        seed=int(number("SANDBOX_SEED", 1, 2**31)),
        card_events_url=environ.get("SANDBOX_CARD_EVENTS_URL", ""),
    )
    if problems:
        raise SettingsInvalid(tuple(problems))
    return settings

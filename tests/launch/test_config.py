"""Settings: all problems at once, each with its cure; secrets made once and never shown."""

import tempfile
import threading
from pathlib import Path

import pytest

from gateway.config import (
    SANDBOX_ACCOUNT_SID,
    SOCKET_PATH_BYTES_MAX,
    Settings,
    SettingsInvalid,
    embedded_database_url,
    load_settings,
    socket_dir,
)

TWILIO = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "token"}


def _load(tmp_path: Path, **environ: str) -> Settings:
    return load_settings({"VAR_DIR": str(tmp_path / "var"), **environ})


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        _load(
            tmp_path,
            PORT="eighty",
            WEB_CONCURRENCY="0",
            LOG_LEVEL="chatty",
            DATABASE_URL="mysql://localhost/x",
            REDIS_URL="localhost:6379",
            PUBLIC_URL="calls.example.com",
            MAIL_URL="mail.example.com",
            VAT_CHECK="always",
            VIES_URL="vies.example.com",
            SECRET_KEY="short",
            TWILIO_ACCOUNT_SID="AC123",
            STRIPE_API_KEY="sk_test",
            BOOTSTRAP_OPS_TOKEN_FILE="/nowhere/token",
        )
    told = "\n".join(caught.value.problems)
    for name in (
        *("PORT", "WEB_CONCURRENCY", "LOG_LEVEL", "DATABASE_URL", "REDIS_URL", "PUBLIC_URL"),
        *(
            "MAIL_URL",
            "VAT_CHECK",
            "VIES_URL",
            "SECRET_KEY",
            "TWILIO_ACCOUNT_SID",
            "STRIPE_WEBHOOK_SECRET",
        ),
        *("TWILIO_AUTH_TOKEN", "BOOTSTRAP_OPS_TOKEN_FILE"),
    ):
        assert name in told
    assert len(caught.value.problems) == 14
    assert all(problem.endswith(".") for problem in caught.value.problems)


def test_nothing_set_means_the_sandbox_on_embedded_servers(tmp_path: Path) -> None:
    settings = _load(tmp_path)
    assert settings.sandbox and settings.runs_carrier
    assert settings.embedded_postgres and settings.embedded_valkey
    assert settings.twilio_account_sid == SANDBOX_ACCOUNT_SID
    assert settings.twilio_api_url == "http://127.0.0.1:8001"
    assert settings.public_url == "http://127.0.0.1:8000"
    assert len(settings.twilio_auth_token) == 64


def test_with_credentials_nothing_is_sandboxed(tmp_path: Path) -> None:
    settings = _load(tmp_path, **TWILIO, PUBLIC_URL="https://calls.example.com/base/")
    assert not settings.sandbox and not settings.runs_carrier
    assert settings.twilio_api_url == ""
    assert settings.public_url == "https://calls.example.com/base"
    assert settings.cautions() == ()


def test_an_address_that_twilio_cannot_reach_is_pointed_out(tmp_path: Path) -> None:
    (caution,) = _load(tmp_path, **TWILIO).cautions()
    assert "PUBLIC_URL" in caution


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("postgres://u:p@h:5/d", id="as hosting platforms write it"),
        pytest.param("postgresql://u:p@h:5/d", id="as libpq writes it"),
        pytest.param("postgresql+psycopg://u:p@h:5/d", id="as SQLAlchemy writes it"),
    ],
)
def test_a_database_address_gets_the_drivers_name(tmp_path: Path, given: str) -> None:
    settings = _load(tmp_path, DATABASE_URL=given)
    assert settings.database_url == "postgresql+psycopg://u:p@h:5/d"
    assert not settings.embedded_postgres


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "ops"
    secret.write_text("olga-may-enter\n")
    settings = _load(tmp_path, BOOTSTRAP_OPS_TOKEN_FILE=str(secret))
    assert settings.bootstrap_ops_token == "olga-may-enter"
    with pytest.raises(SettingsInvalid, match="keep one of them"):
        _load(tmp_path, BOOTSTRAP_OPS_TOKEN_FILE=str(secret), BOOTSTRAP_OPS_TOKEN="x")


def test_made_secrets_are_private_and_the_same_for_every_process(tmp_path: Path) -> None:
    found: list[Settings] = []
    threads = [threading.Thread(target=lambda: found.append(_load(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({(one.secret_key, one.twilio_auth_token) for one in found}) == 1
    kept = list((tmp_path / "var" / "secrets").iterdir())
    assert sorted(path.name for path in kept) == ["secret_key", "twilio_auth_token"]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_secrets_are_not_in_the_representation(tmp_path: Path) -> None:
    settings = _load(tmp_path, **TWILIO, DATABASE_URL="postgres://u:hidden@h/d")
    assert "hidden" not in repr(settings)
    assert settings.secret_key not in repr(settings)
    assert "'token'" not in repr(settings)


def test_the_file_dot_env_is_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PORT=9100\nLOG_LEVEL=debug\n")
    monkeypatch.setenv("PORT", "9200")
    monkeypatch.delenv("VAR_DIR", raising=False)
    settings = load_settings()
    assert (settings.port, settings.log_level) == (9200, "DEBUG")
    assert settings.var_dir == tmp_path / "var"


@pytest.mark.parametrize("name", ["my clones", "a,b", "a=b", "günther", "it's", 'say "hi"'])
def test_a_socket_path_is_plain_whatever_the_folder_is_called(tmp_path: Path, name: str) -> None:
    odd = tmp_path / name / "var"
    plain = socket_dir(odd, "valkey", "valkey.sock")
    assert plain.parent == Path(tempfile.gettempdir())
    assert plain != socket_dir(odd, "postgres", ".s.PGSQL.5432")
    assert socket_dir(tmp_path / "var", "valkey", "valkey.sock") == tmp_path / "var" / "valkey"


def test_a_socket_path_never_outgrows_the_kernels_limit(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 30) / "var"
    short = socket_dir(deep, "postgres", ".s.PGSQL.5432")
    assert len(str(short / ".s.PGSQL.5432")) <= SOCKET_PATH_BYTES_MAX
    assert short == socket_dir(deep, "postgres", ".s.PGSQL.5432")
    assert short != socket_dir(deep.with_name("other"), "postgres", ".s.PGSQL.5432")
    assert str(deep) not in embedded_database_url(deep)

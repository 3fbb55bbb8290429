"""What survives a restart of the carrier: one SQLite file of documents, or memory for tests."""

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

DOCUMENTS_KEPT_MAX = 20_000  # of each kind, at start: an old demo must not grow for ever


class Store:
    """Every write is its own commit; a document of the same kind and SID is replaced."""

    def __init__(self, directory: Path | None = None) -> None:
        self._lock = threading.Lock()
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
        path = ":memory:" if directory is None else str(directory / "carrier.sqlite3")
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS documents (kind TEXT, sid TEXT, body TEXT NOT NULL,"
            " PRIMARY KEY (kind, sid))"
        )

    def save(self, kind: str, sid: str, document: dict[str, Any]) -> None:
        body = json.dumps(document, separators=(",", ":"))
        with self._lock:
            self._db.execute(
                "INSERT INTO documents VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET body = excluded.body",
                (kind, sid, body),
            )

    def delete(self, kind: str, sid: str) -> None:
        with self._lock:
            self._db.execute("DELETE FROM documents WHERE kind = ? AND sid = ?", (kind, sid))

    def load(self, kind: str) -> list[dict[str, Any]]:
        """Oldest first, the newest DOCUMENTS_KEPT_MAX of them; older ones are dropped."""
        with self._lock:
            self._db.execute(
                "DELETE FROM documents WHERE kind = ? AND rowid NOT IN"
                " (SELECT rowid FROM documents WHERE kind = ? ORDER BY rowid DESC LIMIT ?)",
                (kind, kind, DOCUMENTS_KEPT_MAX),
            )
            rows = self._db.execute(
                "SELECT body FROM documents WHERE kind = ? ORDER BY rowid", (kind,)
            ).fetchall()
        return [json.loads(body) for (body,) in rows]

    def close(self) -> None:
        with self._lock:
            self._db.close()

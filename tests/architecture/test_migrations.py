"""The migrations are one line, however many people added one on the same day."""

from alembic.script import ScriptDirectory

from gateway import db


def test_every_migration_follows_one_other_and_there_is_one_newest() -> None:
    script = ScriptDirectory.from_config(db.alembic_config("postgresql+psycopg://nobody@/none"))
    line = list(script.walk_revisions())
    assert len(script.get_heads()) == 1
    assert [one.revision for one in line] == [f"{n:04d}" for n in range(len(line), 0, -1)]
    files = sorted((db.MIGRATIONS / "versions").glob("*.py"))
    assert [file.name[:4] for file in files] == [one.revision for one in reversed(line)]

"""Reading what is mounted, and saying what is wrong with it without saying what stands in it."""

from __future__ import annotations

import stat
from pathlib import Path

from sos_constructs.postgres.agent.files import Declared, DeclaredError, write_whole

import pytest

from tests.postgres.example import spec
from tests.postgres.mounted import mount


@pytest.fixture
def declared(tmp_path: Path) -> Declared:
    return mount(tmp_path, spec()).declared()


def test_everything_is_read(declared: Declared):
    assert [database["name"] for database in declared.databases] == ["auth", "users", "emergency", "medical", "devices"]
    assert [role["name"] for role in declared.roles][:5] == ["postgres", "standby", "rewind", "monitoring", "auth"]
    assert declared.patroni["scope"] == "postgres-patroni"
    assert declared.credential("auth-db-password") == "canary-auth-db-password-0123456789"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "must be printable ASCII without spaces and without a newline at its end"),
        (b"secret\n", "must be printable ASCII without spaces and without a newline at its end"),
        (b"sec ret", "must be printable ASCII"),
        (b"sec\x00ret", "must be printable ASCII"),
        ("s\u00e9cret".encode(), "must be readable ASCII text"),
    ],
)
def test_bad_values_are_named_and_never_shown(content: bytes, fault: str, declared: Declared):
    (declared.credentials_dir / "auth-db-password").write_bytes(content)
    with pytest.raises(DeclaredError) as raised:
        declared.credential("auth-db-password")
    assert str(raised.value).startswith(f"Secret key auth-db-password: {fault}")
    assert "sec" not in str(raised.value).lower().replace("secret key", "")


def test_missing_keys_are_named(declared: Declared):
    (declared.credentials_dir / "auth-db-password").unlink()
    with pytest.raises(DeclaredError, match=r"^Secret key auth-db-password: is missing$"):
        declared.credential("auth-db-password")


def test_usernames_of_the_secret_must_be_the_declared_ones(declared: Declared):
    role = next(role for role in declared.roles if role["name"] == "auth")
    declared.check_username(role)
    (declared.credentials_dir / "auth-db-username").write_text("somebody")
    with pytest.raises(DeclaredError, match=r"^Secret key auth-db-username: differs from the declared role 'auth'; change one of the two$"):
        declared.check_username(role)


@pytest.mark.parametrize("name", ["patroni.json", "databases.json"])
@pytest.mark.parametrize("content", [None, b"{", b"\xff"])
def test_broken_configuration_is_named(name: str, content: bytes | None, declared: Declared):
    path = declared.config_dir / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeclaredError, match=rf"^ConfigMap file {name}: "):
        Declared(declared.config_dir, declared.credentials_dir)


def test_missing_settings_are_named(declared: Declared):
    (declared.config_dir / "postgresql.conf").unlink()
    with pytest.raises(DeclaredError, match=r"^ConfigMap file postgresql.conf: No such file"):
        declared.settings_digest()


@pytest.mark.parametrize("path", ["config/passwd", "config/postgresql.conf", "credentials/auth-db-password"])
def test_digests_change_with_the_files(path: str, tmp_path: Path, declared: Declared):
    whole, settings = declared.digest(), declared.settings_digest()
    assert (declared.digest(), declared.settings_digest()) == (whole, settings)
    (tmp_path / path).write_text("other")
    assert declared.digest() != whole
    assert (declared.settings_digest() != settings) == (path == "config/postgresql.conf")


def test_digests_see_files_come_and_go_and_swap(tmp_path: Path, declared: Declared):
    before = declared.digest()
    (tmp_path / "config" / "new").write_text("")
    assert declared.digest() != before
    (tmp_path / "config" / "new").unlink()
    one, other = (tmp_path / "credentials" / f"{name}-db-password" for name in ("auth", "users"))
    texts = one.read_text(), other.read_text()
    other.write_text(texts[0])
    one.write_text(texts[1])
    assert declared.digest() != before


def test_as_the_kubelet_mounts_it(tmp_path: Path):
    """Symbolic links into a folder that is swapped whole; the folder itself is not a file."""
    member = mount(tmp_path, spec())
    for folder in (member.config_dir, member.credentials_dir):
        version = folder / "..2026_01_01"
        version.mkdir()
        for path in [path for path in folder.iterdir() if path.is_file()]:
            path.rename(version / path.name)
        (folder / "..data").symlink_to(version.name)
        for path in version.iterdir():
            (folder / path.name).symlink_to(f"..data/{path.name}")
    declared = member.declared()
    before = declared.digest()
    assert declared.credential("patroni-username") == "patroni"
    (member.config_dir / "..2026_01_01" / "passwd").write_text("other")
    assert declared.digest() != before


def test_files_are_written_whole_and_for_their_owner_only(tmp_path: Path):
    path = tmp_path / "patroni.yml"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as old:
        write_whole(path, "new")
        assert old.read() == "old", "a reader of the old file keeps it: the new one replaced it by name"
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]

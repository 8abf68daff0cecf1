from collections import namedtuple
from pathlib import Path

import pytest

from storage.address import _refuse_network, parse_address, redacted
from storage.errors import StorageError

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("postgresql://me:s3cr3t@host:5432/name", "postgresql://me:***@host:5432/name"),
        ("postgres://me:a@s3cr3t@host/name", "postgres://me:***@host/name"),
        ("postgres://me:a/s3cr3t?b@host/name", "postgres://me:***@host/name"),
        ("postgresql:///me:s3cr3t@host/name", "postgresql://me:***@host/name"),
        ("mysql://:s3cr3t@host/name", "mysql://:***@host/name"),
        ("mysql://host/name?user=me&passwd=s3cr3t", "mysql://host/name?user=me&passwd=***"),
        (
            "postgresql://host/name?sslpassword=s3cr3t&sslmode=require",
            "postgresql://host/name?sslpassword=***&sslmode=require",
        ),
        ("postgresql://me@host/name", "postgresql://me@host/name"),
        ("postgresql://me:s3cr3t", "postgresql://me:***"),
        ("postgresql://me:s3cr3t/host", "postgresql://me:***"),
        ("postgresql://me:5432s3cr3t", "postgresql://me:***"),
        ("postgresql://:s3cr3t", "postgresql://:***"),
        ("me:s3cr3t", "me:***"),
        ("postgresql://host:5432", "postgresql://host:5432"),
        ("postgresql://host:5432/name", "postgresql://host:5432/name"),
        ("postgresql://host:5432?user=me", "postgresql://host:5432?user=me"),
        ("postgresql://a:5432,b:5433/name", "postgresql://a:5432,b:5433/name"),
        ("postgresql://[::1]:5432/name", "postgresql://[::1]:5432/name"),
        ("postgresql://host/na:me", "postgresql://host/na:me"),
        (
            "postgresql://host/name?service=a&pass=s3cr3t",
            "postgresql://host/name?service=a&pass=***",
        ),
        ("sqlite+pysqlcipher://:s3cr3t@/x.db", "sqlite+pysqlcipher://:***@/x.db"),
        ("sqlite+pysqlite:////data/a:b@c.db", "sqlite+pysqlite:////data/a:b@c.db"),
        ("me:s3cr3t@host/name", "me:***@host/name"),
        ("host=host password=s3cr3t", "host=host password=***"),
        ("sqlite:////data/a:b@c.db", "sqlite:////data/a:b@c.db"),
        ("", ""),
        ("://", "://"),
        ("postgresql://me:s3cr3t@host:port\nb/name", "postgresql://me:***@host:port\nb/name"),
    ],
)
def test_redacted_hides_the_password_and_nothing_else(url: str, printed: str) -> None:
    assert redacted(url) == printed


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "cannot be read"),
        ("me:s3cr3t@host/name", "cannot be read"),
        ("host=host password=s3cr3t", "cannot be read"),
        ("postgresql://me:s3cr3t@host:s3cr3t@x/name", "cannot be read"),
        ("postgresql://me:s3cr3t@host:port/name", "cannot be read"),
        ("oracle://me:s3cr3t@host/name", "unknown kind of database 'oracle'"),
        ("redis://:s3cr3t@host/0", "unknown kind of database 'redis'"),
        ("sqlite://", "memory"),
        ("sqlite:///:memory:", "memory"),
        ("sqlite:///file::memory:?cache=shared&uri=true", "memory"),
        ("sqlite:///file:x?mode=memory&uri=true", "memory"),
        ("sqlite:////dev/null/x/studies.db", "/dev/null/x"),
    ],
)
def test_a_wrong_url_is_one_line_without_its_password(url: str, said: str) -> None:
    with pytest.raises(StorageError) as caught:
        parse_address(url)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "module", "drivername"),
    [
        ("postgres", "psycopg", "postgresql+psycopg"),
        ("postgresql", "psycopg", "postgresql+psycopg"),
        ("mysql", "pymysql", "mysql+pymysql"),
        ("mariadb", "pymysql", "mariadb+pymysql"),
    ],
)
def test_the_driver_is_chosen_for_the_user(typed: str, module: str, drivername: str) -> None:
    pytest.importorskip(module)
    address = parse_address(f"{typed}://me:s3cr3t@host/name?password=s3cr3t&charset=utf8")
    assert address.url.drivername == drivername
    assert address.secrets == {"password": SECRET}
    assert dict(address.url.query) == {"charset": "utf8"}
    assert SECRET not in repr(address)


def test_the_folder_of_a_file_is_made(tmp_path) -> None:
    parse_address(f"sqlite:///{tmp_path}/a/b/studies.db")
    assert (tmp_path / "a" / "b").is_dir()


Mount = namedtuple("Mount", "mountpoint fstype")
MOUNTS = [Mount("/", "ext4"), Mount("/home", "nfs4"), Mount("/home/me/fast", "xfs")]


def test_a_file_on_a_network_file_system_is_refused_with_what_to_do() -> None:
    with pytest.raises(
        StorageError, match=r"nfs4 at /home.*local folder, or a PostgreSQL"
    ) as caught:
        _refuse_network(Path("/home/me/runs"), MOUNTS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("folder", ["/home/me/fast/runs", "/homes/me", "/tmp"])
def test_a_local_folder_is_taken_wherever_it_is_mounted(folder: str) -> None:
    _refuse_network(Path(folder), MOUNTS)

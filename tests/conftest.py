"""Real servers, and a real browser, for all tests that ask for them."""

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest
from playwright.sync_api import Browser

from tests.browser import headless_chromium
from tests.s3 import ENVIRONMENT, make_bucket, s3_server
from tests.servers import NoServerError, Server, mariadb_server, postgresql_server

# A shell starts what runs in its background deaf to Ctrl-C, and every command of a test would be too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _or_skip(starting: AbstractContextManager[Server]) -> Iterator[Server]:
    with ExitStack() as running:
        try:
            server = running.enter_context(starting)
        except NoServerError as error:
            pytest.skip(str(error))
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    pytest.importorskip("psycopg")
    with _or_skip(postgresql_server()) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    pytest.importorskip("pymysql")
    with _or_skip(mariadb_server()) as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql: Server) -> str:
    return postgresql.emptied()


@pytest.fixture
def mariadb_url(mariadb: Server) -> str:
    return mariadb.emptied()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A location in a bucket of its own, whose server and account are in the environment."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": s3_endpoint}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return f"s3://{make_bucket()}/one/place"


@pytest.fixture(scope="module")  # while it lives no test of the same thread can run asyncio's loop
def chromium() -> Iterator[Browser]:
    with headless_chromium() as browser:
        yield browser

"""An S3 server on this machine, reached as users reach theirs: by the environment."""

import logging
import secrets

import pytest

from tune.storage import lease
from tune.storage.remote_folder import RemoteFolder
from tune.storage_url import local_folder_of


class Server:
    """Moto's S3 server; what it holds outlives a stop."""

    def __init__(self):
        from moto.server import ThreadedMotoServer

        self._make = ThreadedMotoServer
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        _, self.port = self._server.get_host_and_port()

    @property
    def environment(self):
        return {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "open-sesame",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",  # of a request where nothing answers: each further one waits for seconds
        }

    def stop(self):
        self._server.stop()

    def start(self):
        self._server = self._make(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()


@pytest.fixture(scope="session")
def server():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def reach(server, monkeypatch, tmp_path):
    """Let this process reach the server; its cache is the test's own, and a lapsed lease is not watched for long."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(lease, "WATCH_S", 0.2)
    return server


@pytest.fixture
def url(reach):
    """Return the URL of a folder in a bucket of its own."""
    import boto3

    bucket = f"bucket-{secrets.token_hex(4)}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return f"s3://{bucket}/folder"


@pytest.fixture
def remote(url):
    return RemoteFolder(url)


@pytest.fixture
def machine(url, monkeypatch, tmp_path):
    """Return what makes this process one of several machines: each has a cache of its own."""

    def become(name):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
        return local_folder_of(url) / "exp"

    return become

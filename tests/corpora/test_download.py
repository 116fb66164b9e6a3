import hashlib
import http.server
import random
import threading

import pytest

from neuromusic_hf.corpora.download import DownloadError, fetch

PAYLOAD = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(PAYLOAD).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves PAYLOAD; `breaks` times the connection ends after 100,000 bytes."""

    breaks = 0
    ranges = True
    payload = PAYLOAD

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/archive.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.requests.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        if start >= len(self.server.payload):
            self.send_error(416)
            return
        body = self.server.payload[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.breaks:
            self.server.breaks -= 1
            body = body[:100_000]
        self.wfile.write(body)


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "downloads" / "archive.zip"


def test_a_file_arrives_once(server, target):
    assert fetch(server.url, target, SHA256) == target
    assert target.read_bytes() == PAYLOAD
    fetch(server.url, target, SHA256)
    assert server.requests == [None]
    assert [path.name for path in target.parent.iterdir()] == ["archive.zip"]


def test_a_broken_download_goes_on_where_it_ended(server, target):
    server.breaks = 2
    fetch(server.url, target, SHA256)
    assert target.read_bytes() == PAYLOAD
    assert server.requests == [None, "bytes=100000-", "bytes=200000-"]


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server, target):
    server.breaks = 1
    with pytest.raises(DownloadError, match="data_dir"):
        fetch(server.url, target, SHA256, attempts=1)
    assert not target.exists()
    fetch(server.url, target, SHA256, attempts=1)
    assert target.read_bytes() == PAYLOAD and server.requests[-1] == "bytes=100000-"


def test_a_server_without_ranges_starts_over(server, target):
    server.breaks, server.ranges = 1, False
    fetch(server.url, target, SHA256)
    assert target.read_bytes() == PAYLOAD


def test_a_complete_part_is_only_checked(server, target):
    target.parent.mkdir()
    target.with_name("archive.zip.part").write_bytes(PAYLOAD)
    fetch(server.url, target, SHA256)
    assert target.read_bytes() == PAYLOAD


def test_a_wrong_checksum_names_both_and_leaves_nothing(server, target):
    server.payload = b"something else"
    with pytest.raises(DownloadError) as caught:
        fetch(server.url, target, SHA256)
    assert SHA256 in str(caught.value) and hashlib.sha256(b"something else").hexdigest() in str(caught.value)
    assert list(target.parent.iterdir()) == []


def test_a_file_with_a_wrong_checksum_is_fetched_anew(server, target):
    target.parent.mkdir()
    target.write_bytes(b"damaged")
    assert fetch(server.url, target, SHA256).read_bytes() == PAYLOAD


def test_an_absent_server_is_an_error_that_names_the_address(target):
    with pytest.raises(DownloadError, match="http://127.0.0.1:9/archive.zip"):
        fetch("http://127.0.0.1:9/archive.zip", target, SHA256, attempts=2, timeout=2)

"""The watch over what happens while a repository is refused: it sees what must not."""

import os
import socket

import pytest


def connect(port):
    with socket.socket() as client:
        client.connect(("127.0.0.1", port))


DEEDS = {
    "another host": lambda secret: socket.getaddrinfo("stranger.invalid", 443, flags=socket.AI_NUMERICHOST),
    "another port": lambda secret: connect(9),
    "a link": lambda secret: open(os.symlink(secret, secret.with_name("link")) or secret.with_name("link")).close(),
    "another path": lambda secret: open(secret.parent / "other" / ".." / secret.name).close(),
    "a path from here": lambda secret: open(secret.name, "rb").close(),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_deed_is_seen(deed, refused, secret, monkeypatch):
    (secret.parent / "other").mkdir()
    monkeypatch.chdir(secret.parent)
    with pytest.raises(AssertionError, match="stranger.invalid|127.0.0.1|secret.json"):
        with refused():
            DEEDS[deed](secret)
            raise ValueError


def test_the_hub_may_be_asked(hub, refused):
    with refused():
        connect(hub.server_port)
        raise ValueError

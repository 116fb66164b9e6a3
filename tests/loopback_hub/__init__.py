"""
A Hugging Face Hub on the loopback interface, in memory: it speaks the protocol to the real `huggingface_hub` client.

Tokens are users: `hf_alice` writes to `alice/*`, anyone to `team/*`, `hf_alice_read` may only read. Not
served: xet, gated repositories, validation of cards.
"""

from .faults import Cut, Fault, Slow, Status, WrongEtag
from .server import LoopbackHub

__all__ = ["Cut", "Fault", "LoopbackHub", "Slow", "Status", "WrongEtag"]

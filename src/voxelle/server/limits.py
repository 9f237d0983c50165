"""How much any one client may ask of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what comes from outside; the usual client stays far below all of them."""

    sessions: int = 1_000
    """Open web sockets; twice the 500 voice clients that one core is meant to serve."""

    members: int = 200
    """People that one session may announce: a full Discord stage, roughly."""

    rooms: int = 8
    """Rooms that one session may open: it joins one, and a reader may look into a few more."""

    empty_room_s: float = 300.0
    """Seconds for which a room without any session is kept: an app that starts anew comes back
    within them, and finds what was said before."""

    message_bytes: int = 256_000
    """Largest message the socket takes at all; a longer one closes it with code 1009."""

    first_message_s: float = 10.0
    """Seconds within which a client must say what it wants."""

    header_s: float = 10.0
    """Seconds within which the head of an HTTP request must have arrived."""

    ping_s: float = 20.0
    """Seconds between pings, and seconds that the answer may take: the default of websockets."""

    messages_per_s: float = 3_000.0
    """Messages of one session: 50 frames a second of 25 speakers, twice over."""

    audio_speed: float = 1.5
    """Seconds of one person's sound that may arrive in a second, in the long run."""

    audio_burst_s: float = 10.0
    """Seconds of one person's sound that may arrive at once, after a hiccup of the network."""

    errors_per_s: float = 5.0
    """Answers to mistakes; further mistakes of the same second are counted, not answered."""

    mistakes: int = 20
    """Mistakes in a row after which a session is closed."""

    backlog_bytes: int = 400_000
    """Bytes a reader may be behind before it is cut: four seconds of her voice at 48 kHz."""

    cut_s: float = 1.0
    """Seconds a reader that is cut has to take the sentence that says why."""

    body_bytes: int = 2_000_000
    """Largest body of an HTTP request."""

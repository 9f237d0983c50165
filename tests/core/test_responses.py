from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from voxelle.utils.exceptions import RateLimitError, ValidationError
from voxelle.utils.response_utils import MAX_PAGE, error, new_request_id, paginated, success


def test_every_envelope_has_the_same_keys_and_is_json() -> None:
    envelopes = [success("done", {"a": 1}), error("no", "x"), paginated("all", [1, 2, 3])]
    for envelope in envelopes:
        assert list(envelope) == ["success", "message", "data", "timestamp", "request_id"]
        assert json.loads(json.dumps(envelope)) == envelope
        age = datetime.now(UTC) - datetime.fromisoformat(envelope["timestamp"])
        assert 0 <= age.total_seconds() < 60
    assert [envelope["success"] for envelope in envelopes] == [True, False, True]


def test_a_request_keeps_its_id_and_others_get_new_ones() -> None:
    assert success("done", request_id="abc")["request_id"] == "abc"
    assert len({new_request_id() for _ in range(1000)}) == 1000


def test_an_exception_becomes_its_sentence_and_its_component_without_its_context() -> None:
    envelope = error(RateLimitError("too many requests: wait 5 s", user="ann"))
    assert envelope["message"] == "too many requests: wait 5 s"
    assert envelope["data"] == {"code": "api"}
    assert "ann" not in json.dumps(envelope)
    assert error("no", "busy", details={"wait_s": 5})["data"] == {"code": "busy", "wait_s": 5}


def test_an_error_shows_no_secret() -> None:
    assert "sk-" not in error("refused: sk-abcdefgh12345678")["message"]


def test_pages_are_cut_from_the_whole_and_know_their_place() -> None:
    items = list(range(45))
    data = paginated("some", items, page=3, page_size=20)["data"]
    assert data == {
        "items": [40, 41, 42, 43, 44],
        "page": 3,
        "page_size": 20,
        "pages": 3,
        "total": 45,
        "has_next": False,
    }
    assert paginated("some", items, page=9)["data"]["items"] == []  # type: ignore[index] # a dict
    assert paginated("some", [], page=1)["data"]["pages"] == 0  # type: ignore[index] # a dict


@pytest.mark.parametrize(("page", "size"), [(0, 10), (1, 0), (1, MAX_PAGE + 1), (-1, 10)])
def test_impossible_pages_are_refused(page: int, size: int) -> None:
    with pytest.raises(ValidationError, match="page"):
        paginated("some", [1], page, size)

"""What she says when something happens on the stream."""

from __future__ import annotations

from voxelle.operations.t2t.offline.lines import Chooser
from voxelle.operations.t2t.offline.moment import Moment, safe_name

_SAME = {
    "sub": "subscription",
    "subscribe": "subscription",
    "resub": "subscription",
    "resubscription": "subscription",
    "cheer": "bits",
    "gift_sub": "gift",
    "subgift": "gift",
}
_KNOWN = ("raid", "follow", "subscription", "gift", "bits", "redemption")


def thank(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    """Thank for an event with what is known about it."""
    sort = str(moment.facts.get("type", "other")).lower()
    sort = _SAME.get(sort, sort)
    given = moment.facts.get("amount", 0)
    amount = given if isinstance(given, int) and given > 0 else 0
    pool = _pool(sort, amount)
    user = safe_name(str(moment.facts.get("user", ""))) or moment.user or "somebody"
    known = {**slots, "user": user, "amount": str(amount or "some"), "subs": "subs"}
    return chooser.choose(pool, known)


def _pool(sort: str, amount: int) -> str:
    if sort not in _KNOWN:
        return "other"
    if sort == "raid" and amount <= 1:
        return "raid_plain"
    if sort == "subscription" and amount > 1:
        return "resubscription"
    if sort == "gift" and amount <= 1:
        return "gift_one"
    return sort

"""What an ear should listen for: the name of the character it works for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from voxelle.operations.registry import Choice, Registry
from voxelle.utils.exceptions import ConfigurationError

_WORD = re.compile(r"[A-Za-z][A-Za-z'-]{1,38}")
"""Parts of a name that an English ear can guess the sound of."""


def listening_for(choice: Choice, name: str, registry: Registry) -> Choice:
    """Give the choice with the character's name among its `words`, if it has that option.

    Words that the config names stay alone. A choice that cannot be found is left as it is:
    opening it tells why.
    """
    if "words" in choice.options:
        return choice
    try:
        option = registry.find(choice.id).options_type.model_fields.get("words")
    except ConfigurationError:
        return choice
    if option is None:
        return choice
    known = option.get_default(call_default_factory=True)
    if isinstance(known, Mapping):
        parts = [part.lower() for part in _WORD.findall(name)]
        words: object = {**dict.fromkeys(parts, ""), **known}
    else:
        words = (*known, name)
    return Choice.model_validate({"id": choice.id, **choice.options, "words": words})

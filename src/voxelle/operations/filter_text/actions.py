"""Telling what is done from what is stressed: `*waves*` and `*really*`."""

from __future__ import annotations

_DEEDS = frozenset(
    "sigh gasp wink giggle laugh smile grin smirk blush cough wave nod shrug hug yawn sniff wiggle "
    "chuckle cry sob pout bow bounce dance clap purr poke boop pat stare whisper gulp groan "
    "facepalm facepalming ahem grumble hiccup snort squeal shiver tremble bonk nuzzle headpat jump "
    "spin hop glare frown wince cringe snicker hum sneeze snore blink salute pause silence "
    "beat".split()
)
_STRESSED = frozenset(
    "is was this yes always his hers ours yours theirs us its has does as these those less unless "
    "sometimes perhaps across plus thus class pass boss mess bless loss ours themselves ourselves "
    "yourselves besides various serious obvious delicious famous nervous gorgeous bonus focus "
    "virus things words people's guess press cross less his business process success news "
    "afterwards towards besides nowadays ages years days times reasons seriously".split()
)


def is_action(inner: str) -> bool:
    """Tell whether what stands between two single stars is a deed or a stage direction.

    Several words are, because nobody stresses a phrase that way who also writes deeds. A single
    word is if it is a verb of the third person (`waves`) or one of the usual bare ones (`sigh`).
    """
    words = inner.strip().strip(".!?,~").casefold().split()
    if len(words) != 1:
        return bool(words)
    word = words[0]
    if word in _DEEDS:
        return True
    if word.endswith("ing"):
        stem = word[:-3]
        return bool({stem, stem + "e", stem[:-1]} & _DEEDS)
    return word.endswith("s") and not word.endswith(("ss", "ous", "'s")) and word not in _STRESSED

"""A reply as it is written, cut into clauses that can be spoken."""

from voxelle.text.clause import Clause, Cue
from voxelle.text.cutter import Cutter, clauses

__all__ = ["Clause", "Cue", "Cutter", "clauses"]

"""Set up and start Voxelle: `python start.py`, or `python start.py test` for the tests.

Every Python there is can read this file, so that an old one gets a sentence instead of a
SyntaxError; the work is done in scripts/voxelle_launcher, which nothing else is needed for.
"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this file has to run, and say so, on old Pythons
    sys.stderr.write(
        "Voxelle needs Python 3.11 or newer, and this is Python %d.%d (%s). Install Python 3.13 "  # noqa: UP031 - as above
        "from python.org or your system's packages, then start again with it.\n"
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )
    sys.exit(1)

if __name__ == "__main__":
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts"))  # noqa: PTH100, PTH118, PTH120 - as above

    from voxelle_launcher.main import main

    sys.exit(main(sys.argv[1:]))

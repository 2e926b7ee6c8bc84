"""The one spelling that names of constants are compared in."""

import re

ENTRY = re.compile(r"""\[\s*(?:'([^'\]]*)'|"([^"\]]*)")\s*\]""")


def normal(name: str) -> str:
    """Return a name in the one spelling that names are compared in: ``CFG["a"]['b']`` is ``CFG.a.b``."""
    return ENTRY.sub(lambda match: "." + (match[1] or match[2] or ""), name)

"""Which kinds of workers a test is about."""

import pytest

# For what Mogbox does better than Mognet's own worker; a comment at the test says which difference it is.
mogbox_only = pytest.mark.parametrize("kind", ["mogbox"], indirect=True)

# What Mogbox adds to the hash of a result that is not final, and the client ignores.
ADDED_TO_RESULTS = {"attempt", "queue"}

# What Mogbox adds to a stored exception, and the client ignores: the class that a guest gave to its failure, and each argument that does
# not fit with the reason.
ADDED_TO_EXCEPTIONS = {"kind", "arguments"}

# Texts that break what puts them together carelessly: quotes, lines, formats, escapes, other scripts, instructions of pickles.
HOSTILE = {
    "quotes": "'single' \"double\" `back`",
    "lines": "two\nlines\r\nand\ta tab",
    "escapes": "back\\slash \\n \\x00 \\u0041",
    "formats": "{0} %s %(name)s {name!r} $HOME ${HOME}",
    "scripts": "é \u4e2d \U0001f600 \u202e\u2028",
    "pickle": "cos\nsystem\n(S'true'\ntR.",
    "new pickle": "\x80\x04\x95\x8c\x94R.",
    "control": "nul \x00 and \x1b[31m",
    "markup": "<script>alert(1)</script>",
    "long": "long " * 2_000,
}

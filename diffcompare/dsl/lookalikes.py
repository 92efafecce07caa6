"""What to write instead of a character that no formula contains: look-alikes, typography, operators of other languages."""

from __future__ import annotations

import unicodedata

ASCII_FIXES = {
    "%": "write mod(a, b) for a remainder",
    "&": "write logical_and(a, b)",
    "|": "write abs(x) for a magnitude, logical_or(a, b) for a choice of conditions",
    "~": "write logical_not(a)",
    "!": "write gamma(n + 1) for a factorial, != for not equal, logical_not(a) for not",
    "[": "write round brackets ( ); parts of arrays are written in Python, with dc.trace",
    "]": "write round brackets ( ); parts of arrays are written in Python, with dc.trace",
    "{": "write round brackets ( )",
    "}": "write round brackets ( )",
    "'": "leave out quotes and primes; derivatives are taken with dc.derivative(f)",
    '"': "leave out quotes",
    ".": "a dot belongs to a number such as 0.5; write sin(x), not np.sin(x)",
    "=": "write == to compare; a definition is name = expression; and stands before the expression that uses it",
    "@": "write matrix products in Python, with dc.trace",
    "\\": "write Python's notation, not LaTeX: sqrt(x), a/b, alpha",
    ":": "leave it out; a conditional is where(condition, a, b)",
    "?": "write where(condition, a, b)",
}

TYPOGRAPHY = {
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
    "\u00d7": "*", "\u00b7": "*", "\u22c5": "*", "\u2217": "*", "\u2219": "*", "\u2022": "*", "\u2062": "*",
    "\u00f7": "/", "\u2215": "/", "\u2044": "/",
    "\u2264": "<=", "\u2a7d": "<=", "\u2265": ">=", "\u2a7e": ">=", "\u2260": "!=",
    "\u221a": "sqrt(...)", "\u221b": "cbrt(...)", "\u221e": "a finite number", "\u00ac": "logical_not(...)",
    "\u2227": "logical_and(a, b)", "\u2228": "logical_or(a, b)", "\u00b5": "mu",
    "\u201a": ",", "\u066b": ".",
}  # fmt: skip

# letters of other scripts that are drawn like a Latin one
HOMOGLYPHS = dict(
    zip(
        "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0458\u0455\u0501\u04bb\u051b\u051d"
        "\u0410\u0412\u0421\u0415\u041d\u041a\u041c\u041e\u0420\u0422\u0425\u0423\u0406\u0408\u0405"
        "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf",
        "aceopxyijsdhqwABCEHKMOPTXYIJSABEZHIKMNOPTYXo",
        strict=True,
    )
)


def ascii_for(character: str) -> str:
    """The ASCII text meant by a character that is not ASCII, empty where nothing is known.

    A superscript digit means a power, a Greek letter its name, a compatibility form (full width, bold) its plain letter.
    """
    if character in TYPOGRAPHY:
        return TYPOGRAPHY[character]
    if character in HOMOGLYPHS:
        return HOMOGLYPHS[character]
    plain = unicodedata.normalize("NFKC", character)
    if plain.isascii() and plain.strip() and plain.isprintable():
        return f"**{plain}" if unicodedata.decomposition(character).startswith("<super>") else plain
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    words = unicodedata.name(character, "").split()
    if words[:1] == ["GREEK"] and "LETTER" in words:
        letter = words[words.index("LETTER") + 1].lower().replace("lamda", "lambda")
        return letter.capitalize() if "CAPITAL" in words else letter
    return ""


def describe(character: str) -> str:
    """The sentence that names a character no formula contains, and the fix."""
    if character.isascii() and character.isprintable():
        return f"{character!r} is not part of a formula: {ASCII_FIXES.get(character, 'leave it out')}"
    number = f"U+{ord(character):04X}"
    if character.isascii():
        return f"{number}, a control character, is not part of a formula: leave it out"
    shown = f"{character} " if character.isprintable() else ""
    name = unicodedata.name(character, "not a character of Unicode")
    fix = ascii_for(character) or ("a plain space" if unicodedata.category(character) == "Zs" else "")
    return f"the character {shown}({number}, {name}) is not ASCII: {f'write {fix}' if fix else 'leave it out'}"

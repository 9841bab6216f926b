"""What breaks a law of `test_laws.py` today, by law. The list only shrinks."""

KNOWN_OFFENDERS: dict[str, set[str]] = {}

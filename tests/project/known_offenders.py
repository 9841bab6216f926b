"""What breaks a law of `test_laws.py` today, by law. The list only shrinks."""

KNOWN_OFFENDERS: dict[str, set[str]] = {
    "one meaning for a constant": {
        "Components",
    },
    "one meaning for a function": {
        "is_local",
    },
    "docstrings in the imperative": {
        "_of_all",
        "_part",
        "check",
        "digest",
        "in_sight",
        "load",
        "profile",
        "stands_for",
        "test_a_key_never_leaves_the_focus_nowhere",
    },
}

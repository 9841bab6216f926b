"""What breaks a law of `test_laws.py` today, by law. The list only shrinks."""

KNOWN_OFFENDERS: dict[str, set[str]] = {
    "docstrings in the imperative": {
        "_of_all",
        "_part",
        "check",
        "dead_end",
        "digest",
        "fake_cuda",
        "in_sight",
        "joins",
        "load",
        "profile",
        "slow_after",
        "stands_for",
        "starts",
        "test_a_gpu_warms_up_at_full_length",
        "test_a_key_never_leaves_the_focus_nowhere",
    },
    "short functions": {
        "evaluation_parser",
    },
}

"""Programs that people run: measurements, fuzzers, generators. No tests."""

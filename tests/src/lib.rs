//! Tests of the whole; see the files in `tests/`.

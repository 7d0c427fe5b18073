//! Checks of the faces over HTTP: all in `tests/`.

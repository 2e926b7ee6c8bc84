"""The tests mirror the package; `programs/` holds programs as people write them."""

"""Programs to search, beside ``lit/digits.py``: small real data that scikit-learn ships."""

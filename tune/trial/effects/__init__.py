"""Whether a searched value has an effect on what a program trains with."""

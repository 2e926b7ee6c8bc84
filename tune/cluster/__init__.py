"""Where trials run: a Ray of our own on this machine, or a cluster that is joined, and what a trial gets."""

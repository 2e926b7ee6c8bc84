"""Which metric a program is judged by, and which way it is better, as its source tells."""

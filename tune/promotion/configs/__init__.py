"""Values of the YAML files that configure a program: what they hold, where it stands, and how it is rewritten."""

"""How people and programs steer a search that runs."""

"""What replaces or reads a private part of Ray, Lightning, Optuna or rich: here and nowhere else."""

"""The files of an experiment: written by search and trial, read by all. Imports no torch, Ray or Optuna."""

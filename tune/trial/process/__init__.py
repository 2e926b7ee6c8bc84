"""Processes of trials: one for each trial, forked from a template, ended with all that it started."""

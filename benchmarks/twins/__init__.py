"""A trial against its twin: the plain program, with the trial's values edited into its source by hand."""

"""Box rooms, ray-cast into the files of a data set of panoramas: what to train on where no other is at hand."""

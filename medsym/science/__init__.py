"""What a model has learned and how far it can be believed, in pictures: `medsym science`."""

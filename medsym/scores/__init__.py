"""One number per person from what screening wrote: disease, its side, and what is healthy."""

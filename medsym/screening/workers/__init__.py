"""Where scans are screened: worker processes of this machine, a Slurm or Dask cluster, shards."""

"""What healthy people look like: spread and mean maps, conformal p-values, calibration folders."""

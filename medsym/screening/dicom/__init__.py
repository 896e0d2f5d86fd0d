"""DICOM in: the series of a folder, and their conversion by dcm2niix."""

"""Many scans in, one folder out: names, files, tables, reports; resumable and never half-written."""

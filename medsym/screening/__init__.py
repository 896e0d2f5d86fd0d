"""Many scans in, one folder out: names, files, tables, pages; resumable, never half-written."""

"""Scans that a reader uploads: private to the browser session, analysed here, gone at its end."""

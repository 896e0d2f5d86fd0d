"""What each subcommand does; heavy packages are imported when a command runs, not before."""

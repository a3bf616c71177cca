"""Plans, executes and scores samples."""

"""What the commands of `cli` do: one file a command, whose `main` takes the parsed arguments and returns the exit code.

`simulate` is the one that is called from Python. Errors are raised as they come; `ending` words them. What takes long
to import is imported with the command that needs it.
"""

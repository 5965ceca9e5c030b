"""The positions screens of the command centre."""

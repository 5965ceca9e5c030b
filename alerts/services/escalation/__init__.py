"""Going on until somebody acknowledges: policies, their runs, whom a step reaches, and who watches the watch."""

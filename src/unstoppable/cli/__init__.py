"""The command line; the only room that reads settings and wires the others."""

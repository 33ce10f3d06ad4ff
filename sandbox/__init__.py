"""A local stand-in for FlatPeak's two hosts, release zero, in memory; see sandbox/README.md."""

"""What the reference pair reads: generated instructions with answers, source code, and prose."""

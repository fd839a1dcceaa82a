"""The phases of DONNA in order, against five services: what `donna run` does, and what a program may call."""

"""Phones as devices, through adb: works unrooted, with a runner file of the user's choice."""

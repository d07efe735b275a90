"""The product: it builds the house and opens the door. Only the version is here: the kernel is imported alone."""

__version__ = "0.1.0"

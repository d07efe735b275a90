"""The product: it builds the house and opens the door. Empty but for the version, so that the kernel stays alone when imported."""

__version__ = "0.1.0"

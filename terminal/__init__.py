"""A parking exit that is paid by phone."""

__version__ = "0.1.0"

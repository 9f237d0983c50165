"""The configuration: what may stand in `configs/*.yaml`, and how it is read.

Settings live beside the code they set; this package only puts them together.
"""

from voxelle.config.loading import load
from voxelle.config.model import Config, LoggingSettings, OperationEntry, Role, ServerSettings
from voxelle.config.reload import Changed, ConfigWatcher, Outcome, Rejected

__all__ = [
    "Changed",
    "Config",
    "ConfigWatcher",
    "LoggingSettings",
    "OperationEntry",
    "Outcome",
    "Rejected",
    "Role",
    "ServerSettings",
    "load",
]

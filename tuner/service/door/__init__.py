"""The door of the dashboard: who may enter from where, and who may write."""

from tuner.service.door.access import Access, decide_access
from tuner.service.door.door import Door
from tuner.service.door.proxy import hear_proxies
from tuner.service.door.users import ROLES, Role, add_user, read_users, remove_user

__all__ = [
    "ROLES",
    "Access",
    "Door",
    "Role",
    "add_user",
    "decide_access",
    "hear_proxies",
    "read_users",
    "remove_user",
]

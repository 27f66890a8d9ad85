"""Who may sign in at the operator's desk: can the file be used, and is there anybody who may decide about money?"""

from collections.abc import AsyncIterator

from terminal.config.schema import Settings
from terminal.config.users import FILE, ROLES, BadUsersFile, UsersFile, folder_of
from terminal.tools.check.finding import Finding, Machine

NAME = "desk users"


async def desk_users(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """Silent while nobody was added: the desk's own page says how the first one is."""
    path = folder_of(settings) / FILE
    if not settings.console or not path.exists():
        return
    try:
        users = UsersFile(path).users()
    except BadUsersFile as error:
        said = str(error).removeprefix(f"{path}: ")
        why, _cut, advice = said.partition("; " if "; " in said else ": ")
        advice = advice or "give the file to the service's user"
        yield Finding(NAME, False, f"{path}: {why}: nobody can sign in", advice, about="console.folder")
        return
    counts = {role: sum(user.role == role for user in users.values()) for role in ROLES}
    text = ", ".join(f"{count} {role}" for role, count in counts.items() if count) or "nobody"
    if counts["manager"]:
        yield Finding(NAME, True, f"{path}: {text}", about="console.folder")
    else:
        text = f"{path}: {text}, and no manager: nobody may decide about money or read the audit"
        advice = "exit-terminal user add NAME --role manager"
        yield Finding(NAME, True, text, advice, but="warning", about="console.folder")

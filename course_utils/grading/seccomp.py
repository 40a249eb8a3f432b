"""Refuse system calls that an answer has no use for: the kernel then says no to a room.

They reach past namespaces (keyrings), hold memory that belongs to no process (System V and
POSIX IPC), make namespaces, or have a history of holes.
"""

import ctypes
import platform
import struct

EPERM, ENOSYS = 1, 38
SET_NO_NEW_PRIVS, SET_SECCOMP, FILTER_MODE = 38, 22, 2
ALLOW, ERRNO = 0x7FFF0000, 0x50000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NEW_NAMESPACE = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
X32 = 0x40000000  # numbers from here on are a second table of x86-64

# number in linux/audit.h, that of clone, of clone3, and what is refused
TABLES = {
    "x86_64": (
        0xC000003E,
        56,
        435,
        {
            "add_key": 248, "request_key": 249, "keyctl": 250, "shmget": 29, "msgget": 68,
            "semget": 64, "mq_open": 240, "ptrace": 101, "process_vm_readv": 310,
            "process_vm_writev": 311, "mount": 165, "umount2": 166, "pivot_root": 155,
            "unshare": 272, "setns": 308, "bpf": 321, "userfaultfd": 323,
            "perf_event_open": 298, "io_uring_setup": 425, "io_uring_enter": 426,
            "io_uring_register": 427, "open_by_handle_at": 304, "fsopen": 430,
            "move_mount": 429, "open_tree": 428, "memfd_create": 319,
        },
    ),
    "aarch64": (
        0xC00000B7,
        220,
        435,
        {
            "add_key": 217, "request_key": 218, "keyctl": 219, "shmget": 194, "msgget": 186,
            "semget": 190, "mq_open": 180, "ptrace": 117, "process_vm_readv": 270,
            "process_vm_writev": 271, "mount": 40, "umount2": 39, "pivot_root": 41,
            "unshare": 97, "setns": 268, "bpf": 280, "userfaultfd": 282,
            "perf_event_open": 241, "io_uring_setup": 425, "io_uring_enter": 426,
            "io_uring_register": 427, "open_by_handle_at": 265, "fsopen": 430,
            "move_mount": 429, "open_tree": 428, "memfd_create": 279,
        },
    ),
}  # fmt: skip


def program(machine):
    """Write the filter as instructions for the kernel.

    Parameters
    ----------
    machine : str
        As `platform.machine` names it.

    Returns
    -------
    list of (int, int, int, int)
        Code, jump if true, jump if false, operand; empty for a machine without a table.

    References
    ----------
    Linux, Documentation/userspace-api/seccomp_filter.rst.

    Examples
    --------
    >>> len(program("x86_64")) > 30, program("pdp11")
    (True, [])
    """
    if machine not in TABLES:
        return []
    audit, clone, clone3, refused = TABLES[machine]
    refuse = (RETURN, 0, 0, ERRNO | EPERM)
    lines = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, audit), refuse]  # another instruction set
    lines += [(LOAD, 0, 0, 0)]
    if machine == "x86_64":
        lines += [(AT_LEAST, 0, 1, X32), refuse]
    for number in refused.values():
        lines += [(EQUAL, 0, 1, number), refuse]
    lines += [(EQUAL, 0, 1, clone3), (RETURN, 0, 0, ERRNO | ENOSYS)]  # then clone is tried
    lines += [(EQUAL, 0, 3, clone), (LOAD, 0, 0, 16), (ANY_BIT, 0, 1, NEW_NAMESPACE), refuse]
    return [*lines, (RETURN, 0, 0, ALLOW)]


def install(libc):
    """Put the filter on this process and all that it will fork; it cannot be taken off.

    On a machine without a table nothing is refused: `course grade` says so when it begins.

    Parameters
    ----------
    libc : ctypes.CDLL

    Raises
    ------
    OSError
        If the kernel does not take it.
    """
    lines = program(platform.machine())
    if not lines:
        return
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    head = struct.pack("HxxxxxxP", len(lines), ctypes.addressof(code))
    header = ctypes.create_string_buffer(head)
    for arguments in ((SET_NO_NEW_PRIVS, 1, 0, 0, 0), (SET_SECCOMP, FILTER_MODE, header, 0, 0)):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")

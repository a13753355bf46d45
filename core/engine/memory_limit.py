"""A bound on the memory of this process, by the system's own means: a resource limit on POSIX, a job object on Windows.

Promises: what goes beyond it fails inside this process (`MemoryError`, or its end) and nowhere else. Does not: work on a system
that has neither; there the time limit alone bounds what can be eaten.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

_MB = 1024 * 1024


def limit_memory(megabytes: int) -> bool:
    """Let this process take so much more than it has now; false where the system does not offer it."""
    return _job_limit(megabytes) if sys.platform == "win32" else _resource_limit(megabytes)


def _resource_limit(megabytes: int) -> bool:
    if sys.platform == "win32":
        return False
    import resource

    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return False  # without knowing what is taken already, a limit could end a healthy process
    most = pages * resource.getpagesize() + megabytes * _MB
    try:
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
    except (OSError, ValueError):
        return False
    return True


def _job_limit(megabytes: int) -> bool:
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION with a process memory limit, on a job that holds this process alone."""
    if sys.platform == "win32":
        import ctypes

        class Basic(ctypes.Structure):
            _fields_ = (
                ("per_process_user_time", ctypes.c_int64),
                ("per_job_user_time", ctypes.c_int64),
                ("limit_flags", ctypes.c_uint32),
                ("minimum_working_set", ctypes.c_size_t),
                ("maximum_working_set", ctypes.c_size_t),
                ("active_process_limit", ctypes.c_uint32),
                ("affinity", ctypes.c_size_t),
                ("priority_class", ctypes.c_uint32),
                ("scheduling_class", ctypes.c_uint32),
            )

        class Extended(ctypes.Structure):
            _fields_ = (
                ("basic", Basic),
                ("io_counters", ctypes.c_uint64 * 6),
                ("process_memory_limit", ctypes.c_size_t),
                ("job_memory_limit", ctypes.c_size_t),
                ("peak_process_memory_used", ctypes.c_size_t),
                ("peak_job_memory_used", ctypes.c_size_t),
            )

        kernel: Any = ctypes.WinDLL("kernel32")
        kernel.CreateJobObjectW.restype = ctypes.c_void_p
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
        limits = Extended()
        limits.basic.limit_flags = 0x100  # JOB_OBJECT_LIMIT_PROCESS_MEMORY
        limits.process_memory_limit = megabytes * _MB
        extended = 9  # JobObjectExtendedLimitInformation
        if not kernel.SetInformationJobObject(job, extended, ctypes.byref(limits), ctypes.sizeof(limits)):
            return False
        return bool(kernel.AssignProcessToJobObject(job, ctypes.c_void_p(kernel.GetCurrentProcess())))
    return False

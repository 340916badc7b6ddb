# SPDX-License-Identifier: GPL-2.0-only
"""drop-retry: Linux today.  Release the fault lock around I/O, answer RETRY, redo the fault.

This is the path in kernel/ itself: nothing is replaced.  The first attempt pins the file,
releases the VMA lock (or mmap_lock), waits for the folio, gives everything back and lets the
fault be redone under mmap_lock; an attempt that already released the lock once keeps it.
"""

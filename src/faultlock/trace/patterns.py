# SPDX-License-Identifier: GPL-2.0-only
"""Arguments of one event as the kernel prints them -> columns.

The `print fmt` lines of the kernel (events/*/*/format, read on 6.18) are the source of the
patterns; forms of older kernels and of libtraceevent's plugins are alternatives. All rows of one
event type of a block of text are parsed together by the regular expressions of polars (linear
time, no backtracking: a hostile line cannot make them slow).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from faultlock.trace.events import COLUMNS, EVENTS, LIMITS, PAGE_SHIFT, SYSTEM_CALLS


def _hex(column: str) -> str:
    return rf"(?:0x)?(?P<{column}>[0-9a-f]{{1,16}})"


def _dec(column: str) -> str:
    return rf"(?P<{column}>-?\d{{1,20}})"


_INODE = rf"dev[ =]{_dec('major')}:{_dec('minor')} ino[ =]{_hex('ino')}"
_RA = (
    rf"{_INODE} index={_dec('index')} req_count={_dec('req_count')} order={_dec('order')} "
    rf"size={_dec('size')} async_size={_dec('async_size')} ra_pages={_dec('ra_pages')} "
    rf"mmap_miss={_dec('mmap_miss')} prev_pos={_dec('prev_pos')}"
)
_CACHE = rf"{_INODE} .*?ofs={_dec('offset_bytes')}(?: order={_dec('order')})?"
_RANGE = rf"{_INODE} ofs={_dec('offset_bytes')}-{_dec('last_offset_bytes')}"
_FAULT = (
    rf"address=(?:0x)?(?P<address>[0-9a-f]{{1,16}}) ip=(?P<ip_text>\S{{1,200}}) "
    rf"error_code={_hex('error_code')}"
)
_SWITCH = (
    r"prev_comm=.{0,16}? prev_pid=(?P<prev_tid>\d{1,10}) prev_prio=-?\d+ "
    r"prev_state=(?P<prev_state>\S{1,16}) ==> "
    r"next_comm=.{0,16}? next_pid=(?P<next_tid>\d{1,10}) next_prio=-?\d+"
)
_SWITCH_PLUGIN = (
    r"^.{0,16}?:(?P<prev_tid>\d{1,10}) \[-?\d+\] (?P<prev_state>\S{1,16}) ==> "
    r".{0,16}?:(?P<next_tid>\d{1,10}) \[-?\d+\]"
)

# The names of system-call arguments as the kernel prints them, in order, and our columns.
_CALL_ARGUMENTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "mmap": (
        ("addr", "address"),
        ("len", "length"),
        ("prot", "prot"),
        ("flags", "flags"),
        ("fd", "fd_bits"),
        ("off", "offset"),
    ),
    "munmap": (("addr", "address"), ("len", "length")),
    "mprotect": (("start", "address"), ("len", "length"), ("prot", "prot")),
    "madvise": (("start", "address"), ("len(?:_in)?", "length"), ("behavior", "advice")),
    "mremap": (
        ("addr", "address"),
        ("old_len", "length"),
        ("new_len", "new_length"),
        ("flags", "flags"),
        ("new_addr", "new_address"),
    ),
    "brk": (("brk", "address"),),
    "clone": (("clone_flags", "flags"),),
}


def _call_pattern(name: str) -> str:
    """Arguments in order; newer kernels add a decoded form in brackets behind the number."""
    arguments = _CALL_ARGUMENTS.get(name, ())
    return "[^,]*, ".join(rf"{label}: {_hex(column)}" for label, column in arguments)


_MM = rf"mm={_hex('mm')}.*? write=(?P<write>true|false)"

PATTERNS: Mapping[str, tuple[str, ...]] = {
    "page_fault_user": (_FAULT,),
    "page_fault_kernel": (_FAULT,),
    "mm_filemap_fault": (_CACHE,),
    "mm_filemap_map_pages": (_RANGE,),
    "mm_filemap_get_pages": (_RANGE,),
    "mm_filemap_add_to_page_cache": (_CACHE,),
    "mm_filemap_delete_from_page_cache": (_CACHE,),
    "page_cache_sync_ra": (_RA,),
    "page_cache_async_ra": (_RA,),
    "page_cache_ra_order": (
        rf"{_INODE} index={_dec('index')} order={_dec('order')} size={_dec('size')} "
        rf"async_size={_dec('async_size')} ra_pages={_dec('ra_pages')}",
    ),
    "page_cache_ra_unbounded": (
        rf"{_INODE} index={_dec('index')} nr_to_read={_dec('nr_to_read')} "
        rf"lookahead_size={_dec('lookahead_size')}",
    ),
    "mmap_lock_start_locking": (_MM,),
    "mmap_lock_acquire_returned": (rf"{_MM} success=(?P<success>true|false)",),
    "mmap_lock_released": (_MM,),
    "sched_switch": (_SWITCH, _SWITCH_PLUGIN),
    "sched_process_fork": (r"child_comm=.{0,16}? child_pid=(?P<child_tid>\d{1,10})",),
    "sched_process_exec": (r"filename=(?P<filename>.{0,4096}?) pid=\d+",),
    "sched_process_exit": (
        r"pid=\d+ prio=-?\d+ group_dead=(?P<group_dead>true|false)",
        r"pid=\d+ prio=-?\d+(?P<group_dead>)",
    ),
    "task_newtask": (
        r"pid=(?P<child_tid>\d{1,10}) comm=.{0,16}? clone_flags=(?:0x)?(?P<flags>[0-9a-f]{1,16})",
    ),
    **{f"sys_enter_{name}": (_call_pattern(name),) for name in SYSTEM_CALLS},
    **{
        f"sys_exit_{name}": (r"0x(?P<result_bits>[0-9a-f]{1,16})", r"(?P<result>-?\d{1,20})")
        for name in SYSTEM_CALLS
        if not name.startswith("exit")
    },
}

_HEXADECIMAL = {"ino", "mm", "address", "length", "new_length", "new_address", "offset"} | {
    *("error_code", "prot", "flags", "advice", "fd_bits", "result_bits")
}
# Columns that older kernels or other layouts do not print.
_OPTIONAL = frozenset({"order", "ip_symbol", "group_dead", "tgid"})
_DTYPES: Mapping[str, pl.DataType] = {
    "u64": pl.UInt64(),
    "u32": pl.UInt32(),
    "u8": pl.UInt8(),
    "i64": pl.Int64(),
    "bool": pl.Boolean(),
    "name": pl.String(),
}


def dtype_of(column: str) -> pl.DataType:
    """The polars type of a column in memory while text is read."""
    return _DTYPES[COLUMNS[column].kind]


def _extract(arguments: pl.Series, patterns: tuple[str, ...]) -> pl.DataFrame:
    """The named groups of the first pattern that matches each row; null where none does."""
    merged: pl.DataFrame | None = None
    for pattern in patterns:
        groups = arguments.str.extract_groups(pattern).struct.unnest()
        if merged is None:
            merged = groups
        else:
            merged = merged.with_columns(
                [
                    pl.coalesce(merged[name], groups[name]).alias(name)
                    if name in merged.columns
                    else groups[name]
                    for name in groups.columns
                ]
            )
        if len(merged) == 0 or merged[merged.columns[0]].null_count() == 0:
            break
    assert merged is not None
    return merged


def _number(name: str) -> pl.Expr:
    """A text column as the number it stands for; null if it does not fit."""
    text = pl.col(name)
    if name in _HEXADECIMAL:
        return text.str.to_integer(base=16, dtype=pl.UInt64, strict=False)
    if name in ("prev_pos", "result"):
        return text.cast(pl.Int64, strict=False)
    return text.cast(pl.UInt64, strict=False)


def _columns(groups: pl.DataFrame) -> pl.DataFrame:
    """Texts -> typed columns with the names of the schema."""
    names = set(groups.columns)
    texts = {"ip_text", "prev_state", "filename"}
    truths = {"write", "success", "group_dead"}
    frame = groups.with_columns(
        [_number(name).alias(name) for name in names - texts - truths]
        + [(pl.col(name) == "true").alias(name) for name in names & (truths - {"group_dead"})]
    )
    extra: list[pl.Expr] = []
    if "major" in names:
        extra.append((pl.col("major") * (1 << 20) + pl.col("minor")).alias("dev"))
    for column, source in (("index", "offset_bytes"), ("last_index", "last_offset_bytes")):
        if source in names:
            extra.append((pl.col(source) // (1 << PAGE_SHIFT)).alias(column))
    if "fd_bits" in names:
        low = pl.col("fd_bits") & 0xFFFFFFFF
        extra.append(
            pl.when(low >= 1 << 31).then(low.cast(pl.Int64) - (1 << 32)).otherwise(low).alias("fd")
        )
    if "result_bits" in names:
        signed = pl.col("result_bits").reinterpret(signed=True)
        decimal = [pl.col("result")] if "result" in names else []
        extra.append(pl.coalesce(signed, *decimal).alias("result"))
    if "ip_text" in names:
        digits = pl.col("ip_text").str.extract("^(?:0x)?([0-9a-f]{4,16})$")
        number = digits.str.to_integer(base=16, dtype=pl.UInt64, strict=False)
        extra.append(number.fill_null(0).alias("ip"))
        extra.append(
            pl.when(number.is_null()).then(pl.col("ip_text")).otherwise(None).alias("ip_symbol")
        )
    if "group_dead" in names:
        extra.append(
            pl.when(pl.col("group_dead") == "true")
            .then(True)
            .when(pl.col("group_dead") == "false")
            .then(False)
            .otherwise(None)
            .alias("group_dead")
        )
    return frame.with_columns(extra) if extra else frame


def parse_arguments(event: str, common: pl.DataFrame, arguments: pl.Series) -> pl.DataFrame:
    """Rows of one event type with typed columns; a row that cannot be parsed has `parsed` False.

    `common` holds the columns all events share, `arguments` the text behind the event's name.
    """
    columns = EVENTS[event]
    if not columns:
        return common.with_columns(pl.lit(True).alias("parsed"))
    typed = _columns(_extract(arguments, PATTERNS[event]))
    missing = [name for name in columns if name not in typed.columns]
    typed = typed.with_columns([pl.lit(None).alias(name) for name in missing])
    typed = typed.select([pl.col(name).cast(dtype_of(name), strict=False) for name in columns])
    required = [name for name in columns if name not in _OPTIONAL]
    parsed = pl.all_horizontal([pl.col(name).is_not_null() for name in required] or [pl.lit(True)])
    for name in columns:
        if name in LIMITS:
            parsed &= pl.col(name).is_null() | (pl.col(name) <= LIMITS[name])
    return pl.concat([common, typed.with_columns(parsed.alias("parsed"))], how="horizontal")

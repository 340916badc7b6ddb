# SPDX-License-Identifier: GPL-2.0-only
"""A short recording of one program as the three tracers print it (written for these tests)."""

FTRACE = """\
# tracer: nop
#
# entries-in-buffer/entries-written: 9/12   #P:2
#
#           TASK-PID       TGID    CPU#  |||||  TIMESTAMP  FUNCTION
 my-app [1] x-41      (     40) [001] d....    10.000001: page_fault_user: address=0x7f00dead1000 \
ip=0x7f00beef0000 error_code=0x6
 my-app [1] x-41      (     40) [001] .....    10.000003: mm_filemap_fault: dev=254:0 ino=ff \
ofs=8192
 my-app [1] x-41      (     40) [001] d..2.    10.000004: sched_switch: prev_comm=my-app [1] x \
prev_pid=41 prev_prio=120 prev_state=D ==> next_comm=swapper/1 next_pid=0 next_prio=120
          <idle>-0       (-------) [001] d..2.    10.000900: sched_switch: prev_comm=swapper/1 \
prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=my-app [1] x next_pid=41 next_prio=120
 my-app [1] x-41      (     40) [001] .....    10.001000: sys_mmap(addr: 0, len: 0x2000, prot: 3, \
flags: 0x22, fd: 0xffffffff, off: 0)
 my-app [1] x-41      (     40) [001] .....    10.001002: sys_mmap -> 0x7feb66de1000
 my-app [1] x-41      (     40) [001] .....    10.001003: sys_munmap(addr: 0x7feb66de1000, \
len: 0x2000)
 my-app [1] x-41      (     40) [001] .....    10.001004: sys_munmap -> 0xfffffffffffffff4
CPU:0 [LOST 5 EVENTS]
 my-app [1] x-41      (     40) [000] .....    10.001005: my_own_event: hello
"""

PERF = """\
# ========
# os release : 6.18.44
# nrcpus online : 2
# ========
#
     my-app [1] x    41 [001]    10.000001:   exceptions:page_fault_user: address=0x7f00dead1000 \
ip=0x7f00beef0000 error_code=0x6
        ffffffff81234567 asm_exc_page_fault+0x26 ([kernel.kallsyms])
            7f00beef0000 main+0x0 (/usr/bin/my-app)

     my-app [1] x    41 [001]    10.000003:   filemap:mm_filemap_fault: dev=254:0 ino=ff ofs=8192
     my-app [1] x    41 [001]    10.000004:   sched:sched_switch: prev_comm=my-app [1] x \
prev_pid=41 prev_prio=120 prev_state=D ==> next_comm=swapper/1 next_pid=0 next_prio=120
          swapper     0 [001]    10.000900:   sched:sched_switch: prev_comm=swapper/1 \
prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=my-app [1] x next_pid=41 next_prio=120
     my-app [1] x    41 [001]    10.001000:   syscalls:sys_enter_mmap: addr: 0x00000000, \
len: 0x00002000, prot: 0x00000003, flags: 0x00000022, fd: 0xffffffff, off: 0x00000000
     my-app [1] x    41 [001]    10.001002:   syscalls:sys_exit_mmap: 0x7feb66de1000
     my-app [1] x    41 [001]    10.001003:   syscalls:sys_enter_munmap: addr: 0x7feb66de1000, \
len: 0x00002000
     my-app [1] x    41 [001]    10.001004:   syscalls:sys_exit_munmap: 0xfffffffffffffff4
LOST 5 events!
"""

TRACE_CMD = """\
cpus=2
  my-app [1] x-41    [001] d....    10.000001: page_fault_user:      address=0x7f00dead1000 \
ip=0x7f00beef0000 error_code=0x6
  my-app [1] x-41    [001]    10.000003: mm_filemap_fault:     dev 254:0 ino ff ofs=8192
  my-app [1] x-41    [001] d..2.    10.000004: sched_switch:         my-app [1] x:41 [120] D ==> \
swapper/1:0 [120]
        <idle>-0     [001] d..2.    10.000900: sched_switch:         swapper/1:0 [120] R ==> \
my-app [1] x:41 [120]
  my-app [1] x-41    [001] .....    10.001000: sys_enter_mmap:       addr: 0x00000000, \
len: 0x00002000, prot: 0x00000003, flags: 0x00000022, fd: 0xffffffff, off: 0x00000000
  my-app [1] x-41    [001] .....    10.001002: sys_exit_mmap:        0x7feb66de1000
  my-app [1] x-41    [001] .....    10.001003: sys_enter_munmap:     addr: 0x7feb66de1000, \
len: 0x00002000
  my-app [1] x-41    [001] .....    10.001004: sys_exit_munmap:      0xfffffffffffffff4
"""

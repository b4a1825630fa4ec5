"""Programs that try to get out. Each is the body of ``attack(t, outputs)``; what it returns, if
true, is its proof.

``t`` names the targets that a station laid out (see attack_host.py): pids, paths, ports, marks to
look for. All are harmless where they get through: signal 0, canaries, bounded bombs. ``judge``
names how the station tells (see attack_host.py): "proof" (the attack returned something),
"accepted" (the host took its answer for a success), or a check of the host's. ``control``: gets
through when every kernel barrier is off, as an ordinary user on a common kernel.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

PRELUDE = '''
import ctypes, errno, os, signal, socket, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
X86 = "x86_64" in sys.implementation._multiarch


def call(x86, arm, *arguments):
    """A system call by number; raises OSError when the kernel refuses."""
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(x86 if X86 else arm), *converted)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def ok(result):
    """What libc returned, or OSError."""
    if result in (-1, None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def text_page():
    """A page of the C library's code: a file that every process of the machine maps, this one read-only."""
    return ctypes.cast(libc.getpid, ctypes.c_void_p).value // 4096 * 4096


def descriptors():
    """Every open descriptor."""
    found = []
    for fd in range(300):
        try:
            call(5, 80, fd, ctypes.create_string_buffer(256)); found.append(fd)
        except OSError:
            pass
    return found


def frame(kind, data):
    return struct.pack(">4scQ", b"SBX1", kind, len(data)) + data


def result_fd():
    """The pipe that the answer goes through: the highest open descriptor."""
    def is_open(fd):
        try:
            os.lseek(fd, 0, os.SEEK_CUR)
        except OSError as error:
            return error.errno == errno.ESPIPE
        return False
    return max(fd for fd in range(3, 300) if is_open(fd))


def answer(data):
    """Put bytes of one's own on the result pipe and leave."""
    fd = result_fd()
    while data:
        data = data[os.write(fd, data):]
    os._exit(0)


def readable(address):
    """Whether this page can be read: the kernel looks at the argument and then refuses the call."""
    libc.syscall(ctypes.c_long(14 if X86 else 135), ctypes.c_long(99), ctypes.c_void_p(address), None, ctypes.c_long(8))
    return ctypes.get_errno() != errno.EFAULT


def memory():
    """Pieces of this process's memory, as bytes: everything within reach of its objects, its stack and its libraries."""
    page, seen = 1 << 16, set()
    starts = [id(object()), id(sys.modules), id("x" * 5000), ctypes.addressof(ctypes.create_string_buffer(1 << 20)),
              ctypes.cast(libc.environ, ctypes.c_void_p).value or 0, id(sys.modules["numpy"].zeros)]
    for start in starts:
        for step in (1, -1):
            gap, address = 0, start // page * page
            while gap < 64 and address > 0:
                if address in seen or not readable(address):
                    gap += 1
                else:
                    gap = 0
                    seen.add(address)
                address += step * page
                if len(seen) > 8192:
                    break
    for address in seen:
        pages = [address + offset for offset in range(0, page, 4096)]
        yield b"".join(ctypes.string_at(p, 4096) for p in pages if readable(p))


def find(prefix, tail):
    """Look for prefix + tail; the tail is given complemented, so that the needle itself is nowhere in memory."""
    prefix, tail = bytes.fromhex(prefix), bytes.fromhex(tail)
    for piece in memory():
        at = piece.find(prefix)
        while at >= 0:
            rest = piece[at + len(prefix): at + len(prefix) + len(tail)]
            if len(rest) == len(tail) and all(a ^ b == 255 for a, b in zip(rest, tail)):
                return True
            at = piece.find(prefix, at + 1)
    return False

'''


@dataclass(frozen=True)
class Attack:
    """One hostile program. wall: seconds it may run."""

    name: str
    category: str
    body: str
    judge: str = "proof"
    wall: float = 5.0
    control: bool = False
    profiles: tuple[str, ...] = ("plain", "threads")

    @property
    def source(self) -> str:
        body = textwrap.indent(textwrap.dedent(self.body).strip("\n"), "    ")
        return f"{PRELUDE}\ndef attack(inputs, t, outputs):\n{body}\n"


ATTACKS: dict[str, Attack] = {}


def _add(category: str, programs: str, **options) -> None:
    """Programs are separated by lines ``## name``; a ``!`` after the name marks those that escape
    when barriers are off."""
    for block in programs.strip("\n").split("## ")[1:]:
        title, _, body = block.partition("\n")
        name = title.strip().rstrip("!").strip()
        ATTACKS[name] = Attack(name, category, body, control="!" in title, **options)


_add(
    "network",
    """
## net_tcp !
s = socket.socket(); s.settimeout(1); s.connect(("127.0.0.1", t["tcp"])); return s.recv(100).decode()
## net_udp !
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); return s.sendto(b"x", ("127.0.0.1", t["udp"]))
## net_unix_path !
s = socket.socket(socket.AF_UNIX); s.settimeout(1); s.connect(t["unix_path"]); return s.recv(100).decode()
## net_unix_abstract !
s = socket.socket(socket.AF_UNIX); s.settimeout(1); s.connect("\\0" + t["abstract"]); return s.recv(100).decode()
## net_urllib !
from http.client import HTTPConnection
c = HTTPConnection("127.0.0.1", t["tcp"], timeout=1); c.connect(); return "connected"
## net_raw_syscall !
return f"fd {call(41, 198, 2, 1, 0)}"
## net_io_uring !
return f"fd {call(425, 425, 4, ctypes.create_string_buffer(256))}"
## net_socketpair_inherit
found = []
for fd in range(3, 300):
    try:
        s = socket.socket(fileno=fd); found.append(fd); s.detach()
    except OSError:
        pass
return found
## net_socketpair !
a, b = socket.socketpair(); a.send(b"x"); return b.recv(1).decode()
## net_listen !
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); return s.getsockname()[1]
## net_netlink !
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); s.bind((0, 0)); return "netlink"
## net_packet
return f"fd {call(41, 198, 17, 3, 768)}"
## net_vsock
return f"fd {call(41, 198, 40, 1, 0)}"
## net_resolve !
return socket.getaddrinfo("localhost", 80)[0][4][0] if socket.socket() else None
""",
)

_add(
    "file-read",
    """
## read_etc_passwd !
return open("/etc/passwd").read(20)
## read_secret_0600 !
return open(t["secret_0600"]).read()
## read_secret_0644 !
return open(t["secret_0644"]).read()
## read_raw_open !
return f"fd {call(257, 56, -100, ctypes.c_char_p(t['secret_0644'].encode()), 0, 0)}"
## read_openat2 !
how = (ctypes.c_uint64 * 3)(0, 0, 0)
return f"fd {call(437, 437, -100, ctypes.c_char_p(t['secret_0644'].encode()), how, 24)}"
## read_cv2_imread !
import cv2
picture = cv2.imread(t["picture"]); return None if picture is None else str(picture.shape)
## read_np_memmap !
import numpy as np
return bytes(np.memmap(t["secret_0644"], np.uint8, "r")[:8]).hex()
## read_np_load !
import numpy as np
return str(np.load(t["array"]).shape)
## read_listdir_home !
return os.listdir(t["folder"])
## read_stat_probe !
return os.stat("/etc/passwd").st_size
## read_symlink !
os.symlink(t["secret_0600"], t["folder"] + "/link-" + t["tag"]); return open(t["folder"] + "/link-" + t["tag"]).read()
## read_hardlink !
link = t["world"] + "/hard-" + t["tag"]
os.link(t["secret_0644"], link); data = open(link).read(); os.unlink(link); return data
## read_proc_root !
return os.listdir(f"/proc/{t['host']}/root")[:3]
## read_handle_at !
handle = (ctypes.c_uint32 * 34)(128); mount = ctypes.c_int()
call(303, 264, -100, ctypes.c_char_p(t["secret_0644"].encode()), handle, ctypes.byref(mount), 0); return "a handle"
## read_access !
return os.access("/etc/passwd", os.R_OK)
## read_readlink !
return os.readlink("/proc/self/exe")
## read_statfs !
return os.statvfs("/").f_bsize
## read_inotify !
return f"fd {call(294, 26, 0)}"
## read_import_new !
sys.path.insert(0, t["folder"]); import planted; return planted.VALUE
## read_dlopen !
return str(ctypes.CDLL(t["library"]))
## read_self_maps !
return open("/proc/self/maps").read(40)
""",
)

_add(
    "secret",
    """
## env_getenv
return os.environ.get(t["key_name"]) or os.getenv(t["key_name"])
## env_libc_environ
libc.getenv.restype = ctypes.c_char_p
found = libc.getenv(t["key_name"].encode()); return found and found.decode()
## env_host_proc_environ !
return t["key_name"] in open(f"/proc/{t['host']}/environ").read()
## env_getppid_chain !
pid, found = os.getpid(), None
for _ in range(12):
    stat = open(f"/proc/{pid}/stat").read(); pid = int(stat.rpartition(")")[2].split()[1])
    found = found or (t["key_name"] in open(f"/proc/{pid}/environ").read())
    if found or pid <= 1:
        return found
## mem_scan_heldout
planted = bytes.fromhex(t["own_prefix"]) + bytes(255 - b for b in bytes.fromhex(t["own_tail"]))
if not find(t["own_prefix"], t["own_tail"]):
    raise AssertionError("the scanner does not find its own mark")
return find(t["held_prefix"], t["held_tail"])
## mem_prevjob
return find(t["previous_prefix"], t["previous_tail"])
## state_of_previous_job
import builtins, numpy, tools
places = (builtins, numpy, tools, sys.modules["sandbox.stage_tracker"], sys)
return [str(place) for place in places if hasattr(place, "NOTE")] + [os.environ[name] for name in ("NOTE",) if name in os.environ]
## mem_shared_mailbox
shared = [line for line in open("/proc/self/maps") if line.split()[1] == "rw-s" and "sandbox-out" not in line]
return shared
""",
)

_add(
    "file-write",
    """
## write_tmp !
path = t["world"] + "/made-" + t["tag"]; open(path, "w").write("x"); os.unlink(path); return path
## write_cwd
open("made-here-" + t["tag"], "w").write("x"); os.unlink("made-here-" + t["tag"]); return os.getcwd()
## write_devshm !
path = "/dev/shm/made-" + t["tag"]; open(path, "w").write("x"); os.unlink(path); return path
## write_pth
path = os.path.dirname(sys.modules["numpy"].__path__[0]) + f"/made-{t['tag']}.pth"
open(path, "w").write(""); os.unlink(path); return path
## write_truncate !
return os.truncate(t["writable"], 0) is None
## write_chmod !
os.chmod(t["writable"], 0o600); return oct(os.stat(t["writable"]).st_mode)
## write_unlink !
path = t["world"] + "/victim"; os.unlink(path); open(path, "w").close(); return path
## write_utime !
os.utime(t["writable"], (1, 1)); return "time set"
## write_xattr
os.setxattr(t["writable"], "user.x", b"1"); return "attribute set"
## write_rename !
os.rename(t["writable"], t["writable"] + ".x"); os.rename(t["writable"] + ".x", t["writable"]); return "renamed"
## write_mkdir !
os.mkdir(t["world"] + "/dir-" + t["tag"]); os.rmdir(t["world"] + "/dir-" + t["tag"]); return "folder made"
## write_mkfifo !
path = t["world"] + "/fifo-" + t["tag"]; os.mkfifo(path); os.unlink(path); return path
## write_umask !
return str(os.umask(0o22))
## write_disk_fill !
path = t["world"] + "/fill-" + t["tag"]
with open(path, "wb") as file:
    count = file.write(b"x" * (8 << 20))
os.unlink(path); return count
## write_memfd_exec !
fd = call(319, 279, ctypes.c_char_p(b"x"), 0); return os.write(fd, b"#!/bin/sh\\n")
## write_shm_flood !
fd = os.open("/dev/shm/flood-" + t["tag"], os.O_CREAT | os.O_RDWR); os.unlink("/dev/shm/flood-" + t["tag"])
return os.write(fd, b"x" * (4 << 20))
## write_cv2_imwrite !
import cv2, numpy as np
path = t["world"] + f"/picture-{t['tag']}.png"
done = cv2.imwrite(path, np.zeros((4, 4, 3), np.uint8)); os.unlink(path); return done
## write_np_save !
import numpy as np
path = t["world"] + f"/array-{t['tag']}.npy"; np.save(path, np.zeros(3)); os.unlink(path); return path
## sysv_shm !
return f"id {call(29, 194, 0, 4096, 0o1600)}"
## sysv_msg !
return f"id {call(68, 186, 0, 0o1600)}"
## sysv_sem !
return f"id {call(64, 190, 0, 1, 0o1600)}"
## posix_mq !
name = ctypes.c_char_p(b"made-" + t["tag"].encode())
fd = call(240, 180, name, os.O_CREAT | os.O_RDWR, 0o600, None); call(241, 181, name); return f"fd {fd}"
""",
)

_add(
    "resources",
    """
## fork_bomb !
made = 0
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0); made += 1
return made
## vfork_clone3 !
import subprocess
return subprocess.run(["/bin/true"]).returncode == 0
## clone3_raw !
size = 88; arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, signal.SIGCHLD)
pid = call(435, 435, arguments, size)
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0); return pid
## execve !
pid = os.fork()
if pid == 0:
    os.execv("/bin/true", ["true"])
return os.waitpid(pid, 0)[1] == 0
## execve_self
libc.execve(b"/bin/sh", (ctypes.c_char_p * 4)(b"sh", b"-c", b"exit 7", None), None); return None
## os_system !
return os.system("true") == 0
## posix_spawn !
pid = os.posix_spawn("/bin/true", ["true"], {}); return os.waitpid(pid, 0)[1] == 0
## multiprocessing_pool !
import multiprocessing.dummy, multiprocessing
process = multiprocessing.get_context("fork").Process(target=len, args=("",)); process.start(); process.join()
return process.exitcode == 0
## daemonize !
pid = os.fork()
if pid == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(3)
    os._exit(0)
os.waitpid(pid, 0); return "a daemon that lives on for 3 s"
## raise_rlimit !
import resource
resource.setrlimit(resource.RLIMIT_AS, (-1, -1)); return "no cap on memory"
## raise_rlimit_cpu !
import resource
resource.setrlimit(resource.RLIMIT_CPU, (-1, -1)); return "no cap on processor time"
## prlimit_host !
call(302, 261, t["host"], 4, (ctypes.c_uint64 * 2)(0, 0), None); return "the host's caps changed"
## mlock !
return ok(libc.mlockall(2)) == 0
## sched_fifo
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)); return "real time"
## nice_self !
return str(os.nice(1))
## eventfd_epoll !
return f"fds {call(290, 19, 0, 0)} {call(291, 20, 0)}"
## signal_queue_flood !
signal.pthread_sigmask(signal.SIG_BLOCK, [40]); queued = 0
while queued < 200:
    call(234, 131, os.getpid(), os.getpid(), 40); queued += 1
return f"{queued} of the signals that this user may have waiting"
## prlimit_own_pid !
call(302, 261, os.getpid(), 7, (ctypes.c_uint64 * 2)(0, 0), None); return "own caps changed by process id"
## mem_reserve_huge !
address = ok(libc.mmap(None, 1 << 40, 3, 0x4022, -1, 0)); return None if address == 2**64 - 1 else hex(address)
## huge_page_pool
address = ok(libc.mmap(None, 2 << 20, 3, 0x40022, -1, 0)); return None if address == 2**64 - 1 else hex(address)
## ioprio_set !
return call(251, 30, 1, 0, 3 << 13) == 0
## sched_setattr !
call(314, 274, 0, (ctypes.c_uint32 * 12)(48, 3), 0); return "another scheduling class"
## timer_create !
ident = ctypes.c_int(); call(222, 107, 0, None, ctypes.byref(ident)); return "a timer"
""",
)

_add(
    "resources",
    """
## mem_bomb_list !
held = []
while len(held) < 240:
    held.append(bytearray(b"x") * (1 << 20))
return len(held)
## mem_bomb_shared_anon !
size = 240 << 20
address = ok(libc.mmap(None, size, 3, 0x21, -1, 0))
if address == 2**64 - 1:
    raise MemoryError
for offset in range(0, size, 4096):
    ctypes.memset(address + offset, 1, 1)
return size
## mem_bomb_shared_remnants !
page, size, held = 4096, 16 << 20, 0
while held < 240 << 20:
    address = ok(libc.mmap(None, size, 3, 0x21, -1, 0))
    if address == 2**64 - 1:
        raise MemoryError
    ctypes.memset(address, 1, size)
    ok(libc.munmap(ctypes.c_void_p(address + page), ctypes.c_size_t(size - page))); held += size    # one page keeps the rest
return held
## mem_bomb_numpy_lazy !
import numpy as np
array = np.empty(240 << 20, np.uint8); array[::4096] = 1; return array.size
## mem_bomb_brk !
return ok(libc.sbrk(ctypes.c_long(240 << 20))) and "240 MiB by brk"
## mem_bomb_stack !
def down(depth):
    big = ctypes.create_string_buffer(1 << 20); ctypes.memset(big, 1, len(big))
    return 1 if depth == 0 else down(depth - 1) + len(big)
return down(240) > (220 << 20)
""",
    wall=20.0,
)

_add(
    "resources",
    """
## cpu_spin
while True:
    pass
## cpu_spin_no_signals
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
for number in range(1, 64):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    pass
## sleep_forever
while True:
    time.sleep(1000)
## swallow_timeout
while True:
    try:
        while True:
            time.sleep(0.01)
    except BaseException:
        continue
## hang_in_c
sum(range(10**14))
## regex_backtrack
import re
re.match("(a+)+$", "a" * 64 + "b")
## infinite_generator
import itertools
max(itertools.repeat(1))
## exc_str_hang
class Slow(Exception):
    def __str__(self):
        while True:
            pass
raise Slow()
## self_sigstop
signal.raise_signal(signal.SIGSTOP); time.sleep(1000)
## recursion_in_del
class Hydra:
    def __del__(self):
        while True:
            Hydra()
Hydra()
## hang_after_answer
os.write(result_fd(), frame(b"C", b'{"value": 1}'))
while True:
    pass
## byte_flood
while True:
    os.write(1, b"x")
## hang_in_flush
class Out:
    def flush(self):
        while True:
            pass
    def write(self, text):
        return len(text)
sys.stdout = Out()
""",
    judge="ended",
    wall=0.3,
)

_add(
    "resources",
    """
## output_flood
while True:
    os.write(1, b"x" * 65536)
## stderr_flood
while True:
    os.write(2, b"x" * 65536)
## result_flood
fd = result_fd()
while True:
    os.write(fd, b"x" * 65536)
## huge_traceback
raise ValueError("x" * 10**7)
## deep_recursion
sys.setrecursionlimit(10**9)
class Deep:
    def __getattr__(self, name):
        return getattr(self, name + "x")
Deep().x
## segfault
ctypes.string_at(8)
## abort
os.abort()
## exit_in_thread_of_control
os.kill(os.getpid(), signal.SIGKILL); raise SystemExit
## stack_smash
buffer = ctypes.create_string_buffer(8); ctypes.memset(ctypes.addressof(buffer), 65, 1 << 26)
""",
    judge="ended",
    wall=5.0,
)

_add(
    "resources",
    """
## thread_bomb !
import threading
threads = [threading.Thread(target=time.sleep, args=(0.5,)) for _ in range(40)]
for thread in threads:
    thread.start()
return len(threads)
## thread_raw !
import _thread
return str(_thread.start_new_thread(time.sleep, (0,)))
""",
    profiles=("plain",),
)

_add(
    "resources",
    """
## thread_flood
import threading
threading.stack_size(65536)
started = 0
while started < 4000:
    threading.Thread(target=time.sleep, args=(30,), daemon=True).start(); started += 1
return started
""",
    profiles=("threads",),
    wall=20.0,
)

_add(
    "resources",
    """
## thread_flood_without_memory
if not X86:
    return None
code = bytes.fromhex(                                      # clone(a thread that only sleeps, on this very stack), 3000 times
    "415441bcb80b0000" "b838000000" "bf000f3d00" "31f6" "488d1545000000" "4c8d153e000000" "4531c0" "0f05" "85c0" "740d" "7805" "41ffcc" "75d6"
    "4489e0" "415c" "c3" "b823000000" "488d3d0c000000" "31f6" "0f05" "ebee"
)
address = ok(libc.mmap(None, 4096, 7, 0x22, -1, 0))
ctypes.memmove(address, code, len(code)); ctypes.memmove(address + 80, struct.pack("=qq", 1000, 0), 16)
started = 3000 - ctypes.CFUNCTYPE(ctypes.c_int)(address)()
return started if started > 600 else None
""",
    profiles=("threads",),
    wall=20.0,
)

_add(
    "resources",
    """
## leader_leaves
import threading
def spin():
    while True:
        pass
threading.Thread(target=spin, daemon=True).start()
call(60, 93, 0)
""",
    profiles=("threads",),
    judge="ended",
    wall=0.5,
)

_add(
    "resources",
    """
## threads_left_over
import threading
def spin():
    while True:
        pass
for _ in range(3):
    threading.Thread(target=spin, daemon=True).start()
os.write(result_fd(), frame(b"C", b'{"value": 0}')); os._exit(0)
""",
    profiles=("threads",),
    judge="nothing_left",
)

_add(
    "process",
    """
## kill_canary !
os.kill(t["canary"], 0); return "the canary can be signalled"
## kill_parent0 !
os.kill(os.getppid(), 0); return "the server can be signalled"
## kill_host !
os.kill(t["host"], 0); return "the host can be signalled"
## kill_all0 !
os.kill(-1, 0); return "everybody can be signalled"
## tgkill_host !
call(234, 131, t["host"], t["host"], 0); return "the host can be signalled"
## tkill_canary !
call(200, 130, t["canary"], 0); return "the canary can be signalled"
## tgsigqueue_host !
info = ctypes.create_string_buffer(128); struct.pack_into("=iii", info, 0, 0, 0, -1)
call(297, 240, t["host"], t["host"], 0, info); return "the host can be signalled"
## cpu_clock_host !
now = (ctypes.c_long * 2)(); call(228, 113, ~t["host"] << 3 | 2, now); return f"the host has used {list(now)} of processor time"
## cpu_clock_probe !
call(229, 114, ~t["canary"] << 3 | 2, None); return "the canary exists"
## cpu_clock_wait !
call(230, 115, ~t["host"] << 3 | 2, 1, (ctypes.c_long * 2)(0, 1), None); return "woken by the work of the host"
## futex_mailbox_wake !
return f"{call(202, 98, text_page(), 1, 1, None, None, 0)} sleepers in other processes woken"
## futex_mailbox_wait !
word, began = ctypes.c_uint32.from_address(text_page()).value, time.monotonic()
try:
    call(202, 98, text_page(), 0, word, (ctypes.c_long * 2)(0, 200_000_000))
except OSError as error:
    if error.errno != errno.ETIMEDOUT:
        raise
return "waited where others can wake it" if time.monotonic() - began > 0.15 else None
## evict_pages !
ok(libc.madvise(ctypes.c_void_p(text_page()), ctypes.c_size_t(4096), 21)); return "pages of others evicted"
## merge_pages !
address = ok(libc.mmap(None, 4096, 3, 0x22, -1, 0)); ok(libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(4096), 12)); return "pages compared with others'"
## robust_list_host !
head, size = ctypes.c_uint64(), ctypes.c_uint64()
call(274, 100, t["host"], ctypes.byref(head), ctypes.byref(size)); return hex(head.value)
## set_tid_address !
return call(218, 96, text_page()) and "the kernel wakes others when this thread ends"
## sigqueue_host !
info = ctypes.create_string_buffer(128); struct.pack_into("=iii", info, 0, 0, 0, -1)
call(129, 138, t["host"], 0, info); return "the host can be signalled"
## fcntl_setown_sigio !
import fcntl
fcntl.fcntl(1, fcntl.F_SETOWN, t["canary"]); return "signals directed at the canary"
## pidfd_signal !
call(424, 424, call(434, 434, t["canary"], 0), 0, None, 0); return "the canary can be signalled"
## ptrace_attach !
call(101, 117, 0x4206, t["canary"], 0, 0); return "seized the canary"
## vm_readv_host !
target = ctypes.create_string_buffer(16)
local, remote = (ctypes.c_uint64 * 2)(ctypes.addressof(target), 16), (ctypes.c_uint64 * 2)(t["address"], 16)
call(310, 270, t["host"], local, 1, remote, 1, 0); return target.raw.hex()
## proc_mem_host !
with open(f"/proc/{t['host']}/mem", "rb", 0) as file:
    file.seek(t["address"]); return file.read(16).hex()
## pidfd_getfd !
return f"fd {call(438, 438, call(434, 434, t['host'], 0), 1, 0)}"
## proc_fd_reopen !
return os.listdir(f"/proc/{t['host']}/fd")[:3]
## proc_self_mem !
with open("/proc/self/mem", "r+b", 0) as file:
    file.seek(id(0)); return file.read(8).hex()
## cmdline_snoop !
return open(f"/proc/{t['host']}/cmdline").read()[:20]
## oom_adj !
open("/proc/self/oom_score_adj", "w").write("900"); return "set"
## nice_canary !
os.setpriority(os.PRIO_PROCESS, t["canary"], 1); return "the canary is nicer"
## affinity_canary !
os.sched_setaffinity(t["canary"], os.sched_getaffinity(0)); return "the canary is bound"
## affinity_read !
return sorted(os.sched_getaffinity(t["canary"]))
## tiocsti
import fcntl
fd = os.open("/dev/tty", os.O_RDWR); fcntl.ioctl(fd, 0x5412, b"x"); return "typed into the terminal"
## userns_remount !
ok(libc.unshare(0x10000000)); return "a user namespace"
## mount_ns
ok(libc.unshare(0x00020000)); return "a mount namespace"
## mount
ok(libc.mount(b"none", b"/proc", b"tmpfs", ctypes.c_ulong(0), b"")); return "mounted"
## chroot
os.chroot("/proc"); return "moved the root"
## setns !
fd = os.open(f"/proc/{t['host']}/ns/uts", os.O_RDONLY); return f"fd {fd}"
## reboot
call(169, 142, 0xFEE1DEAD, 672274793, 0, None); return "rebooted?"
## modules
call(313, 273, 0, ctypes.c_char_p(b""), 0); return "a module"
## bpf_perf_keyctl !
return f"keyring {call(250, 219, 0, -3, 1)}"
## bpf
call(321, 280, 0, (ctypes.c_uint32 * 18)(2, 4, 8, 1), 72); return "a map"
## perf
call(298, 241, (ctypes.c_uint32 * 32)(1, 128, 0), 0, -1, -1, 0); return "a counter"
## userfaultfd
return f"fd {call(323, 282, 1)}"
## kcmp !
return f"order {call(312, 272, os.getpid(), t['canary'], 3, 0, 0)}"
## add_key !
return f"key {call(248, 217, ctypes.c_char_p(b'user'), ctypes.c_char_p(b'x'), ctypes.c_char_p(b'x'), 1, -2)}"
## setuid_regain
if os.getuid() == 0 and not t["root"]:
    return "root"
before = os.getuid(); os.setuid(0); return before != 0
## setgroups
os.setgroups([0]); return not t["root"]
## undo_pdeathsig !
ok(libc.prctl(1, 0, 0, 0, 0)); return "outlives the server"
## prctl_dumpable !
ok(libc.prctl(4, 1, 0, 0, 0)); return "dumpable"
## personality !
return str(call(135, 92, 0xFFFFFFFF))
## setsid_new !
os.setpgid(0, 0) if os.getpgid(0) != os.getpid() else os.getsid(t["host"]); return "process groups"
## setitimer_off !
signal.setitimer(signal.ITIMER_REAL, 0); return "the timer is off"
## seccomp_again !
program = (ctypes.c_uint64 * 1)(0x7FFF000000000006)
header = (ctypes.c_uint64 * 2)(1, ctypes.addressof(program))
ok(libc.prctl(38, 1, 0, 0, 0)); call(317, 277, 1, 0, header); return "a filter of its own"
## spare_descriptors
return [fd for fd in descriptors() if fd not in (0, 1, 2, result_fd())]
## map_descriptors
found = []
for fd in descriptors():
    for kind in (1, 2):
        address = libc.mmap(None, 4096, 3, kind, fd, 0)
        if address != 2**64 - 1:
            found.append((fd, kind))
return found
## offset_mailbox
return [fd for fd in descriptors() if libc.lseek(fd, ctypes.c_long(7), 0) == 7 and libc.lseek(fd, ctypes.c_long(0), 1) == 7]
## dup_over_log !
os.dup2(0, 1); return "the log is gone"
## pipe_mailbox !
read, write = os.pipe(); os.write(write, b"x"); return os.read(read, 1).decode()
## uname_probe !
return os.uname().release
""",
)

_add(
    "process",
    """
## execveat !
try:
    call(322, 281, -100, ctypes.c_char_p(b"/nowhere"), None, None, 0)
except FileNotFoundError:
    return "only the program was missing"
## every_other_system_call
from sandbox import seccomp
known, answered = seccomp.ARCHITECTURES["x86_64" if X86 else "aarch64"].numbers.values(), []
for number in sorted({*range(600), 1024, 0x3FFFFFFF} - set(known) - {335, 336}):     # traps of the kernel's own, never filtered
    try:
        answered.append((number, call(number, number, -1, -1, -1, -1, -1, -1)))
    except OSError as error:
        answered += [] if error.errno in (errno.EPERM, errno.ENOSYS) else [(number, error.errno)]
return answered
## x32_i386_abi
return X86 and call(0x40000000 | 39, 0x40000000 | 39) > 0
## shellcode_int80 !
if not X86:
    return None
code = bytes.fromhex("b814000000cd80c3")                   # mov eax, getpid; int 0x80; ret
address = ok(libc.mmap(None, 4096, 7, 0x22, -1, 0))
ctypes.memmove(address, code, len(code)); return ctypes.CFUNCTYPE(ctypes.c_int)(address)()
""",
)

_add(
    "process",
    """
## mmap_exec !
address = ok(libc.mmap(None, 4096, 7, 0x22, -1, 0)); return None if address == 2**64 - 1 else hex(address)
## mprotect_exec !
address = ok(libc.mmap(None, 4096, 3, 0x22, -1, 0)); ok(libc.mprotect(ctypes.c_void_p(address), 4096, 5)); return hex(address)
## pkey_mprotect_exec !
address = ok(libc.mmap(None, 4096, 3, 0x22, -1, 0)); call(329, 288, address, 4096, 5, -1); return hex(address)
## int80_by_gadget
import cv2, numpy
def code(function):
    return ctypes.c_uint64.from_address(ctypes.c_uint64.from_address(id(function) + 16).value + 8).value // 4096 * 4096
for start in (code(cv2.absdiff), code(numpy.dot), text_page()) if X86 else ():
    page = start
    while page < start + (96 << 20) and readable(page):
        at = ctypes.string_at(page, 4096).find(bytes.fromhex("cd80c3"))
        if at >= 0:
            return f"came back with {ctypes.CFUNCTYPE(ctypes.c_int)(page + at)()}"
        page += 4096
""",
    profiles=("plain",),
)

_add(
    "process",
    """
## fork_like_clone !
pid = call(56, 220, signal.SIGCHLD, 0, 0, 0, 0)
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0); return pid
## clone_newuser !
pid = call(56, 220, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0); return pid
## clone_vm !
import _thread
pid = call(56, 220, 0x4000 | signal.SIGCHLD, 0, 0, 0, 0)    # CLONE_VFORK without CLONE_THREAD
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0); return pid
""",
)

_add(
    "protocol",
    """
## thread_draws_on
import threading
def draw():
    while True:
        outputs["picture"][...] += 1
threading.Thread(target=draw, daemon=True).start()
return 0
""",
    judge="host_unharmed",
    profiles=("threads",),
)

_add(
    "protocol",
    """
## pickle_gadget
import pickle
class Gadget:
    def __reduce__(self):
        return (os.mkdir, (t["world"] + "/gadget",))
data = pickle.dumps(Gadget()); answer(frame(b"C", data))
## two_frames
answer(frame(b"C", b'{"value": 1}') * 2)
## exit0_no_result
os._exit(0)
## sys_exit0
sys.exit(0)
## stdout_protocol
os.write(1, frame(b"C", b'{"value": 1}')); os._exit(0)
## nan_inf
answer(frame(b"C", b'{"value": NaN}'))
## inf_number
answer(frame(b"C", b'{"value": 1e999}'))
## negative_infinity
answer(frame(b"C", b'{"value": -Infinity}'))
## ragged
return [object()]
## json_depth
answer(frame(b"C", b'{"value": ' + b"[" * 200000 + b"]" * 200000 + b"}"))
## json_bigint
answer(frame(b"C", b'{"value": ' + b"9" * 100000 + b"}"))
## json_list
answer(frame(b"C", b"[1]"))
## json_duplicate_key
answer(frame(b"C", b'{"value": 0, "value": 1}'))
## bad_utf8
answer(frame(b"C", b'{"value": "\\xff\\xfe"}'))
## short_frame
answer(frame(b"C", b'{"value": 1}')[:-3])
## long_length
answer(struct.pack(">4scQ", b"SBX1", b"C", 2**63) + b'{"value": 1}')
## wrong_magic
answer(b"SBX2" + frame(b"C", b'{"value": 1}')[4:])
## unknown_kind
answer(frame(b"T", b'{"value": 1}'))
## trailing_bytes
answer(frame(b"C", b'{"value": 1}') + b"x")
## failure_with_extra_keys
answer(frame(b"F", b'{"stage": "dynamics", "kind": "x", "message": "", "traceback": "", "score": "1"}'))
## failure_of_the_sandbox
answer(frame(b"F", b'{"stage": "sandbox", "kind": "x", "message": "", "traceback": ""}'))
## exit_code_of_a_lock_failure
os._exit(98)
## killed_after_answer
os.write(result_fd(), frame(b"C", b'{"value": 1}')); ctypes.string_at(8)
## bad_exit_after_answer
os.write(result_fd(), frame(b"C", b'{"value": 1}')); os._exit(3)
## close_all_fds
[libc.close(fd) for fd in range(300)]; return 1
## cut_and_stop
os.write(result_fd(), frame(b"C", b'{"value": 1}')[:-1]); signal.raise_signal(signal.SIGSTOP)
""",
    judge="accepted",
)

_add(
    "protocol",
    """
## fake_frame
answer(frame(b"C", b'{"value": 1, "score": 1.0, "cpu": -1, "wall": -1, "peak": -1, "failure": null}'))
## bad_utf8_ansi
sys.stdout.buffer.write(b"\\xff\\x1b[2J\\x07\\x9b31m\\xe2\\x80\\xae\\xe2\\x80\\x8b tail"); raise ValueError("\\x1b]0;title\\x07\\u202e")
## ansi_in_names
exec(compile("class _(Exception): pass", "x", "exec")); raise type("\\x1b[31mred\\u202e", (Exception,), {})("\\x1b[2J")
## wrong_shape
outputs["picture"] = [[1]]; return 0
## ndarray_subclass
import numpy as np
class Zero(np.ndarray):
    def __sub__(self, other):
        return np.zeros(1)
    def __eq__(self, other):
        return True
outputs["picture"] = np.zeros((4, 4, 3), np.uint8).view(Zero); return 0
## frozen_output
ctypes.memset(outputs["picture"].ctypes.data, 7, 48); return 0
## output_resize
for fd in range(3, 300):
    try:
        os.ftruncate(fd, 0)
    except OSError:
        pass
return 0
## patch_stub
import sandbox.protocol, sandbox.verdict
sandbox.protocol.read_failure = sandbox.protocol.decode = lambda *_: (b"C", {"value": 1})
import json
json.dumps = lambda *a, **k: "{}"
import numpy as np
np.array_equal = np.allclose = lambda *a, **k: True; np.mean = lambda *a, **k: 0.0
return 0
## nonblock_pipe
os.set_blocking(result_fd(), False); return 0
## input_overwrite
ctypes.memset(inputs["clip"].ctypes.data, 9, 16); return 0
## input_flags
inputs["clip"].flags.writeable = True; inputs["clip"][:] = 9; return 0
## input_mprotect
page = inputs["clip"].ctypes.data // 4096 * 4096
libc.mprotect(ctypes.c_void_p(page), 4096, 3); ctypes.memset(inputs["clip"].ctypes.data, 9, 16); return 0
## claim_with_escapes
return {"\\x1b]0;title\\x07": ["\\x1b[2J\\u202e\\ud800", "\\r\\b"]}
## claim_with_raw_escapes
answer(frame(b"C", '{"value": "\\u202e\\x9b31m\\u200b"}'.encode()))
## error_that_bites
class Bite(Exception):
    @property
    def sandbox_stage(self):
        raise KeyboardInterrupt
    def __str__(self):
        raise SystemExit(0)
raise Bite
## error_from_nowhere
error = ValueError("x"); error.sandbox_stage = "sandbox"; raise error
## errors_under_false_names
raise type("WallLimit", (Exception,), {"sandbox_stage": ["limits"]})
## punch_holes_in_the_input
libc.madvise(ctypes.c_void_p(inputs["clip"].ctypes.data), ctypes.c_size_t(4096), 9); return 0
## write_while_dying
libc.pthread_self.restype = ctypes.c_void_p                # the kernel marks robust futexes while a process ends
at, out, far = libc.pthread_self(), outputs["picture"].ctypes.data, 1 << 44
word = ctypes.c_uint64.from_address
head = next(p for p in range(at, at + 4096, 8) if word(p).value == p and ctypes.c_int32.from_address(p + 8).value in (-32, -28, -20))
def at_place(address, size):
    if ok(libc.mmap(ctypes.c_void_p(address), size, 3, 0x100022, -1, 0)) != address:
        raise AssertionError("this place is taken")
    return address
last = at_place(2 * far, 4096)                             # its word is the first of the picture; those of the entries before it
entries = [*range(at_place(far, 8 << 20), far + (8 << 20), 4096)][:2000]    # lie in pages still to be made, which takes a while
at_place((far + out - last) // 4096 * 4096, (8 << 20) + 4096)
for entry, following in zip([head, *entries, last], [*entries, last, head]):
    word(entry).value = following
ctypes.c_int64.from_address(head + 8).value = out - last
ctypes.c_uint32.from_address(out).value = call(186, 178); return 0
## mark_forged
base = outputs["picture"].ctypes.data - 64; ctypes.memset(base, 255, 1); os._exit(5)
""",
    judge="host_unharmed",
)

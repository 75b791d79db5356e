//! The hostile programs, in Python. `attempt` prints `GOT` for what succeeded.

/// What a program has to end in.
pub(super) enum Want {
    /// Every attempt is denied, and it ends by itself.
    Denied,
    /// One of these endings, by [`psi_sandbox::Ending::name`].
    Ends(&'static [&'static str]),
}

pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) processes: u32,
    pub(super) want: Want,
    pub(super) source: &'static str,
}

/// Stands before every program.
pub(super) const HELPER: &str = r#"
import ctypes, errno, os, signal, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, action):
    try:
        action()
        print("GOT", name, flush=True)
    except BaseException as error:
        print("denied", name, type(error).__name__, flush=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "call")
"#;

const fn denied(name: &'static str, source: &'static str) -> Program {
    Program { name, processes: 1, want: Want::Denied, source }
}

const fn ends(
    name: &'static str,
    processes: u32,
    endings: &'static [&'static str],
    source: &'static str,
) -> Program {
    Program { name, processes, want: Want::Ends(endings), source }
}

pub(super) const PROGRAMS: &[Program] = &[
    ends("fork bomb, no processes allowed", 1, &["failed"], "while True: os.fork()"),
    ends("fork bomb, eight processes", 8, &["failed", "time limit"], "
while True:
    try: os.fork()
    except OSError: pass
"),
    ends("thread bomb", 1, &["failed", "time limit", "crashed"], "
import threading
while True: threading.Thread(target=time.sleep, args=(60,)).start()
"),
    ends("memory bomb", 1, &["failed", "crashed"], "
held = []
while True: held.append(bytearray(1 << 24))
"),
    ends("memory bomb, eight processes", 8, &["failed", "crashed", "time limit"], "
for _ in range(7):
    if os.fork() == 0: break
held = []
while True: held.append(bytearray(b'x' * (1 << 24)))
"),
    ends("endless loop", 1, &["time limit"], "while True: pass"),
    ends("deaf to polite signals", 1, &["time limit"], "
for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU): signal.signal(s, signal.SIG_IGN)
while True: time.sleep(1)
"),
    ends("endless output", 1, &["output limit"], "while True: print('x' * 1000)"),
    ends("endless errors", 1, &["output limit"], "while True: sys.stderr.write('x' * 1000)"),
    ends("one huge file", 1, &["failed", "file limit"], "
with open('big', 'wb') as f:
    while True: f.write(b'x' * (1 << 20))
"),
    ends("many files", 1, &["file limit"], "
for i in range(1000000):
    with open(f'file{i}', 'wb') as f: f.write(b'x' * 4096)
"),
    ends("many empty folders", 1, &["file limit"], "
for i in range(1000000): os.mkdir(f'folder{i}')
"),
    ends("crash", 1, &["crashed"], "ctypes.string_at(0)"),
    ends("daemon in a session of its own", 8, &["ok"], "
def leave():
    if os.fork(): os._exit(0)
    os.setsid()
def beat():
    while True:
        with open('heartbeat', 'a') as f: f.write('x')
        time.sleep(0.01)
if os.fork() == 0:
    attempt('session', os.setsid)
    attempt('group', lambda: os.setpgid(0, 0))
    os.close(1); os.close(2)
    beat()
time.sleep(0.3)
"),
    denied("writes outside", "
for path in (VICTIM + '/new', SECRET, '/tmp/psi-new', '/etc/psi-new', os.path.expanduser('~root/psi-new')):
    attempt(path, lambda: open(path, 'w').write('x'))
attempt('append', lambda: open(SECRET, 'a').write('x'))
attempt('folder', lambda: os.mkdir(VICTIM + '/new'))
"),
    denied("reads outside", "
for path in (SECRET, '/etc/shadow', '/etc/hostname', '/var/log/dpkg.log'):
    attempt(path, lambda: print(open(path).read()))
attempt('listing', lambda: print(os.listdir(VICTIM)))
"),
    denied("deletes outside", "
import shutil
attempt('remove', lambda: os.remove(SECRET))
attempt('tree', lambda: shutil.rmtree(VICTIM))
attempt('rename', lambda: os.rename(SECRET, 'stolen'))
attempt('replace', lambda: os.rename('program.py', SECRET))
"),
    denied("truncates outside", "
attempt('truncate', lambda: os.truncate(SECRET, 0))
attempt('open', lambda: os.open(SECRET, os.O_WRONLY | os.O_TRUNC))
attempt('read and truncate', lambda: os.open(SECRET, os.O_RDONLY | os.O_TRUNC))
"),
    denied("modes, owners and times outside", "
attempt('mode', lambda: os.chmod(SECRET, 0o777))
attempt('owner', lambda: os.chown(SECRET, 12345, 12345))
attempt('times', lambda: os.utime(SECRET, (1, 1)))
attempt('attribute', lambda: os.setxattr(SECRET, 'user.x', b'x'))
"),
    denied("symbolic links out", "
os.symlink(SECRET, 'link')
os.symlink(VICTIM, 'folder')
attempt('read', lambda: print(open('link').read()))
attempt('write', lambda: open('link', 'w').write('x'))
attempt('through', lambda: open('folder/new', 'w').write('x'))
attempt('dots', lambda: open('../' * 20 + SECRET[1:]).read())
"),
    denied("hard links out", "
attempt('link', lambda: os.link(SECRET, 'link'))
attempt('into', lambda: os.link('program.py', VICTIM + '/link'))
"),
    denied("devices", "
import stat
attempt('block', lambda: os.mknod('disk', stat.S_IFBLK | 0o600, os.makedev(254, 0)))
attempt('character', lambda: os.mknod('mem', stat.S_IFCHR | 0o600, os.makedev(1, 1)))
for path in ('/dev/mem', '/dev/vda', '/dev/sda', '/dev/tty', '/dev/ptmx', '/dev/kmsg'):
    attempt(path, lambda: open(path, 'rb'))
"),
    denied("network", "
import socket
attempt('tcp', lambda: socket.create_connection(('127.0.0.1', PORT), 1))
attempt('udp', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt('six', lambda: socket.socket(socket.AF_INET6))
attempt('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt('netlink', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt('name', lambda: socket.getaddrinfo('example.com', 80))
attempt('server', lambda: socket.create_server(('127.0.0.1', 0)))
"),
    denied("local sockets", "
import socket
attempt('path', lambda: socket.socket(socket.AF_UNIX).connect('/run/dbus/system_bus_socket'))
attempt('abstract', lambda: socket.socket(socket.AF_UNIX).bind('\\0psi'))
"),
    denied("looks into /proc and /sys", "
for path in ('/proc/self/environ', '/proc/1/cmdline', f'/proc/{WATCHER}/environ', f'/proc/{WATCHER}/mem',
             '/proc/self/mem', '/proc/sysrq-trigger', '/sys/kernel/uevent_helper'):
    attempt(path, lambda: open(path, 'rb').read(1))
attempt('root', lambda: os.listdir(f'/proc/{WATCHER}/root'))
attempt('all', lambda: os.listdir('/proc'))
"),
    denied("signals to the watcher", "
for pid in (WATCHER, os.getppid(), -os.getpgid(os.getppid()), 1):
    attempt(pid, lambda: os.kill(pid, signal.SIGKILL))
attempt('thread', lambda: call(234, WATCHER, WATCHER, 9) if os.uname().machine == 'x86_64' else 1 / 0)
attempt('handle', lambda: signal.pidfd_send_signal(os.pidfd_open(WATCHER), signal.SIGKILL))
"),
    denied("a signal through a file", "
import fcntl
r, w = os.pipe()
attempt('owner', lambda: fcntl.fcntl(r, fcntl.F_SETOWN, WATCHER))
attempt('signal', lambda: fcntl.fcntl(r, 10, 9))
"),
    denied("reads the watcher's memory", "
attempt('ptrace', lambda: call(101 if os.uname().machine == 'x86_64' else 117, 16, WATCHER, 0, 0))
attempt('read', lambda: call(310 if os.uname().machine == 'x86_64' else 270, WATCHER, 0, 0, 0, 0, 0))
"),
    denied("shared memory", "
attempt('file', lambda: open('/dev/shm/psi', 'w'))
attempt('segment', lambda: call(29 if os.uname().machine == 'x86_64' else 194, 0, 1 << 20, 0o1600))
attempt('anonymous', lambda: os.memfd_create('x'))
"),
    denied("raises its limits", "
import resource
for limit in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
    attempt(limit, lambda: resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
    attempt(limit, lambda: resource.prlimit(WATCHER, limit, (1, 1)))
"),
    denied("namespaces and mounts", "
attempt('user', lambda: call(272 if os.uname().machine == 'x86_64' else 97, 0x10000000))
attempt('clone', lambda: call(56 if os.uname().machine == 'x86_64' else 220, 0x10000000 | 17, 0, 0, 0, 0))
attempt('mount', lambda: call(165 if os.uname().machine == 'x86_64' else 40, b'x', b'/', b'tmpfs', 0, 0))
attempt('chroot', lambda: os.chroot('.'))
"),
    denied("ways around the filter", "
attempt('io_uring', lambda: call(425, 8, ctypes.create_string_buffer(256)))
attempt('bpf', lambda: call(321 if os.uname().machine == 'x86_64' else 280, 0, 0, 0))
attempt('x32', lambda: call(0x40000000 + 41, 2, 1, 0) if os.uname().machine == 'x86_64' else 1 / 0)
attempt('unwatched', lambda: call(157 if os.uname().machine == 'x86_64' else 167, 1, 0, 0, 0, 0))
"),
    denied("files left open", "
for fd in range(3, 256): attempt(fd, lambda: os.fstat(fd))
"),
    denied("other programs", "
attempt('system', lambda: 1 / (os.system('id') == 0))
attempt('spawn', lambda: os.posix_spawn('/bin/sh', ['sh', '-c', 'id'], {}))
"),
    ends("becomes another program", 1, &["failed"], "
os.execv('/bin/sh', ['sh', '-c', f'cat {SECRET}; echo x > {VICTIM}/new; id > /tmp/psi-new; exit 3'])
"),
];

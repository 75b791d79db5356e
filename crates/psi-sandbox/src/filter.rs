//! The system calls that a confined program may make: an allow-list, so that what a future kernel adds is
//! shut out too.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

/// What the filter depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed {
    /// Whether processes may be started (threads always may).
    pub(crate) processes: bool,
    /// Whether Landlock keeps signals inside; else only one's own process group can be signalled.
    pub(crate) signals_are_scoped: bool,
    /// Whether Landlock keeps `truncate` inside.
    pub(crate) truncate_is_scoped: bool,
}

/// Two filters, to be installed in this order. The first refuses with "not permitted" what is kept from
/// programs on purpose; the second is the list of what exists at all: the rest is "not implemented".
pub(crate) fn programs(allowed: Allowed) -> Result<[BpfProgram; 2], BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let compile = |rules, otherwise: SeccompAction, listed: SeccompAction| {
        SeccompFilter::new(rules, otherwise, listed, arch)?.try_into()
    };
    let missing = SeccompAction::Errno(libc::ENOSYS as u32);
    let denied = SeccompAction::Errno(libc::EPERM as u32);
    let refused = deny_list(allowed);
    // What the first filter refuses is on the second one's list: of two refusals the later would be told.
    let mut existing = allow_list(allowed)?;
    existing.extend(refused.clone());
    Ok([
        compile(refused, SeccompAction::Allow, denied)?,
        compile(existing, missing, SeccompAction::Allow)?,
    ])
}

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Memory, files (whose paths Landlock judges), time, threads, pipes, and what a process may ask about itself.
const PLAIN: &[c_long] = &[
    // memory
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_msync,
    libc::SYS_munmap,
    libc::SYS_membarrier,
    // files
    libc::SYS_chdir,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_fchdir,
    libc::SYS_fdatasync,
    libc::SYS_fgetxattr,
    libc::SYS_flistxattr,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_getxattr,
    libc::SYS_lgetxattr,
    libc::SYS_linkat,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    libc::SYS_lseek,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_read,
    libc::SYS_readahead,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_symlinkat,
    libc::SYS_tee,
    libc::SYS_umask,
    libc::SYS_unlinkat,
    libc::SYS_write,
    libc::SYS_writev,
    // waiting and pipes; a pair of sockets is a pipe, and there is no way to make any other socket
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_socketpair,
    // time
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getitimer,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_setitimer,
    libc::SYS_timer_create,
    libc::SYS_timer_delete,
    libc::SYS_timer_getoverrun,
    libc::SYS_timer_gettime,
    libc::SYS_timer_settime,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    // itself and its own threads and children
    libc::SYS_capget,
    libc::SYS_execve,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_get_robust_list,
    libc::SYS_getcpu,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getpgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getpriority,
    libc::SYS_getrandom,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getrusage,
    libc::SYS_getsid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    libc::SYS_signalfd4,
    libc::SYS_sysinfo,
    libc::SYS_times,
    libc::SYS_uname,
    libc::SYS_wait4,
    libc::SYS_waitid,
];

/// The older forms that x86-64 still has.
#[cfg(target_arch = "x86_64")]
const OLD: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_alarm,
    libc::SYS_arch_prctl,
    libc::SYS_creat,
    libc::SYS_dup2,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_getdents,
    libc::SYS_getpgrp,
    libc::SYS_getrlimit,
    libc::SYS_link,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_pause,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_select,
    libc::SYS_signalfd,
    libc::SYS_stat,
    libc::SYS_symlink,
    libc::SYS_time,
    libc::SYS_unlink,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[c_long] = &[];

/// Ways to a new process that are not `clone`.
#[cfg(target_arch = "x86_64")]
const FORKS: &[c_long] = &[libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const FORKS: &[c_long] = &[];

/// What is refused on purpose: sockets, leaving the process group, changing the modes, owners and times of
/// files (which Landlock does not judge), raising limits, looking into other processes.
const REFUSED: &[c_long] = &[
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fremovexattr,
    libc::SYS_fsetxattr,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_lremovexattr,
    libc::SYS_lsetxattr,
    libc::SYS_memfd_create,
    libc::SYS_mount,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_removexattr,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_setns,
    libc::SYS_setpgid,
    libc::SYS_setrlimit,
    libc::SYS_setsid,
    libc::SYS_setxattr,
    libc::SYS_shmget,
    libc::SYS_socket,
    libc::SYS_tkill,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_utimensat,
];

/// The older forms of these.
#[cfg(target_arch = "x86_64")]
const REFUSED_OLD: &[c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_futimesat,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_OLD: &[c_long] = &[];

/// Every flag of `clone` that makes a namespace.
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32 as u64;

fn allow_list(allowed: Allowed) -> Result<Rules, BackendError> {
    let mut rules: Rules = PLAIN.iter().chain(OLD).map(|&call| (call, Vec::new())).collect();
    // Threads; processes too, but never a namespace. clone3 hides its flags from filters, so it stays
    // unimplemented, and the C library takes clone instead.
    let mut clone = vec![is_masked(0, NAMESPACES, 0)?];
    if allowed.processes {
        rules.extend(FORKS.iter().map(|&call| (call, Vec::new())));
    } else {
        clone.push(is_masked(0, libc::CLONE_THREAD as u64, libc::CLONE_THREAD as u64)?);
    }
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(clone)?]);
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![is(2, 0)?])?]);
    if allowed.truncate_is_scoped {
        rules.insert(libc::SYS_truncate, Vec::new());
    }
    let own = u64::from(std::process::id());
    let signalled = if allowed.signals_are_scoped {
        [Vec::new(), Vec::new()]
    } else {
        [any(0, &[own, 0])?, any(0, &[own])?]
    };
    let [kill, tgkill] = signalled;
    rules.insert(libc::SYS_kill, kill);
    rules.insert(libc::SYS_tgkill, tgkill);
    // Names of threads and of memory; nothing about privileges or the parent's death.
    let names = [libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_CAPBSET_READ, libc::PR_SET_VMA];
    rules.insert(libc::SYS_prctl, any(0, &names.map(|n| n as u64))?);
    // Not the commands by which a file's readiness becomes a signal to somebody.
    let commands = [
        libc::F_DUPFD,
        libc::F_DUPFD_CLOEXEC,
        libc::F_GETFD,
        libc::F_SETFD,
        libc::F_GETFL,
        libc::F_SETFL,
        libc::F_GETLK,
        libc::F_SETLK,
        libc::F_SETLKW,
        libc::F_OFD_GETLK,
        libc::F_OFD_SETLK,
        libc::F_OFD_SETLKW,
        libc::F_GETPIPE_SZ,
    ];
    rules.insert(libc::SYS_fcntl, any(1, &commands.map(|c| c as u64))?);
    #[allow(clippy::unnecessary_cast, reason = "their type differs between C libraries")]
    let questions = [
        libc::TCGETS as u64,
        libc::TIOCGWINSZ as u64,
        libc::FIONREAD as u64,
        libc::FIONBIO as u64,
        libc::FIOCLEX as u64,
        libc::FIONCLEX as u64,
    ];
    rules.insert(libc::SYS_ioctl, any(1, &questions)?);
    Ok(rules)
}

fn deny_list(allowed: Allowed) -> Rules {
    let forks = FORKS.iter().filter(|_| !allowed.processes);
    let refused = REFUSED.iter().chain(REFUSED_OLD).chain(forks);
    refused.map(|&call| (call, Vec::new())).collect()
}

/// Rules that match when an argument's lower half is one of these values.
fn any(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>, BackendError> {
    values
        .iter()
        .map(|&value| {
            let equal = SeccompCmpOp::Eq;
            let length = SeccompCmpArgLen::Dword;
            SeccompRule::new(vec![SeccompCondition::new(
                argument,
                length,
                equal,
                value & 0xffff_ffff,
            )?])
        })
        .collect()
}

fn is(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, value)
}

fn is_masked(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, BackendError> {
    let masked = SeccompCmpOp::MaskedEq(mask);
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, masked, value)
}

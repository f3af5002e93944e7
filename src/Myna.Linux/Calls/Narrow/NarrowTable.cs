using Myna.Linux.Loading;

namespace Myna.Linux.Calls.Narrow;

/// <summary>
/// The system calls of 32-bit ABIs. Their numbers are the ABI's; what they do is a row here where structures or registers differ
/// from the host's, or else the row of the same name in <see cref="CallTable"/>.
/// </summary>
internal static class NarrowTable
{
    private const int None = -1;
    private const CallFlags Restarts = CallFlags.Restarts;

    /// <summary>Rows by number.</summary>
    public static CallRow?[] Rows(AbiKind abi)
    {
        var byName = new Dictionary<string, CallRow>();
        foreach (CallRow row in CallTable.Rows)
            byName.TryAdd(row.Name, row);
        foreach (CallRow row in Own)
            byName[row.Name] = row;
        (int Number, string Name)[] numbers = Numbers(abi);
        var rows = new CallRow?[numbers.Max(n => n.Number) + 1];
        foreach ((int number, string name) in numbers)
            rows[number] = byName[name];
        return rows;
    }

    /// <summary>Numbers and names of an ABI.</summary>
    public static (int Number, string Name)[] Numbers(AbiKind abi) => abi switch
    {
        AbiKind.I386 => I386Numbers.All,
        _ => throw new ArgumentOutOfRangeException(nameof(abi)),
    };

    /// <summary>Calls that differ from the host's; the number is the host's call that does the work.</summary>
    public static CallRow[] Own { get; } =
    [
        // Files.
        new("stat64", None, 4, "path out=104", NarrowFiles.Stat64),
        new("lstat64", None, 6, "lpath out=104", NarrowFiles.LStat64),
        new("fstat64", None, 5, "fd out=104", NarrowFiles.FStat64),
        new("fstatat64", None, 262, "dirfd path out=104 hex", NarrowFiles.FStatAt64),
        new("stat", None, 4, "path out=64", NarrowFiles.Stat),
        new("lstat", None, 6, "lpath out=64", NarrowFiles.LStat),
        new("fstat", None, 5, "fd out=64", NarrowFiles.FStat),
        new("statfs", None, 137, "path out=64", NarrowFiles.StatFs),
        new("fstatfs", None, 138, "fd out=64", NarrowFiles.FStatFs),
        new("statfs64", None, 137, "path uint out=88", NarrowFiles.StatFs64),
        new("fstatfs64", None, 138, "fd uint out=88", NarrowFiles.FStatFs64),
        new("ustat", None, 136, "hex out=20", NarrowProcesses.UnixStat),
        new("lseek", None, 8, "fd int int", NarrowFiles.Seek),
        new("_llseek", None, 8, "fd hex hex out=8 int", NarrowFiles.SeekFar),
        new("pread64", None, 17, "fd out:2 uint hex hex", NarrowFiles.PRead, Restarts),
        new("pwrite64", None, 18, "fd in:2 uint hex hex", NarrowFiles.PRead, Restarts),
        new("readv", None, 19, "fd ptr int", NarrowFiles.Vector, Restarts),
        new("writev", None, 20, "fd ptr int", NarrowFiles.Vector, Restarts),
        new("preadv", None, 295, "fd ptr int hex hex", NarrowFiles.VectorAt, Restarts),
        new("pwritev", None, 296, "fd ptr int hex hex", NarrowFiles.VectorAt, Restarts),
        new("preadv2", None, 327, "fd ptr int hex hex hex", NarrowFiles.VectorAt, Restarts),
        new("pwritev2", None, 328, "fd ptr int hex hex hex", NarrowFiles.VectorAt, Restarts),
        new("vmsplice", None, 278, "fd ptr uint hex", NarrowFiles.Splice, Restarts),
        new("process_vm_readv", None, 310, "int ptr uint ptr uint hex", NarrowFiles.ProcessVectors),
        new("process_vm_writev", None, 311, "int ptr uint ptr uint hex", NarrowFiles.ProcessVectors),
        new("process_madvise", None, 440, "fd ptr uint int hex", NarrowFiles.Splice),
        new("truncate64", None, 76, "path hex hex", NarrowFiles.Truncate64),
        new("ftruncate64", None, 77, "fd hex hex", NarrowFiles.FTruncate64),
        new("readahead", None, 187, "fd hex hex uint", NarrowFiles.ReadAhead),
        new("fadvise64", None, 221, "fd hex hex uint int", NarrowFiles.Advise),
        new("fadvise64_64", None, 221, "fd hex hex hex hex int", NarrowFiles.Advise64),
        new("sync_file_range", None, 277, "fd hex hex hex hex hex", NarrowFiles.SyncRange),
        new("fallocate", None, 285, "fd int hex hex hex hex", NarrowFiles.Allocate),
        new("fanotify_mark", None, 301, "fd hex hex hex dirfd path", NarrowFiles.Mark),
        new("sendfile", None, 40, "fd fd out=4 uint", NarrowFiles.SendFile, Restarts),
        new("sendfile64", None, 40, "fd fd out=8 uint", null, Restarts),
        new("getdents", None, 217, "fd out:2 uint", NarrowFiles.Entries),
        new("fcntl", None, 72, "fd int hex", NarrowFiles.Control, Restarts),
        new("fcntl64", None, 72, "fd int hex", NarrowFiles.Control64, Restarts),
        new("ioctl", None, 16, "fd hex ptr", NarrowFiles.Device, Restarts),
        new("umount", None, 166, "path", NarrowProcesses.OldUnmount),
        new("io_setup", None, 206, "uint ptr", ProcessCalls.NotThere),

        // Waiting.
        new("select", None, 23, "ptr", NarrowPolling.OldSelect),
        new("_newselect", None, 23, "int ptr ptr ptr ptr", NarrowPolling.Select),
        new("pselect6", None, 270, "int ptr ptr ptr ptr ptr", NarrowPolling.PSelect),
        new("pselect6_time64", None, 270, "int ptr ptr ptr ptr ptr", NarrowPolling.PSelect64),
        new("ppoll", None, 271, "ptr uint ptr ptr uint", NarrowPolling.PPoll),
        new("ppoll_time64", None, 271, "ptr uint ptr ptr uint", NarrowPolling.PPoll64),

        // Memory.
        new("mmap", None, 9, "ptr", NarrowProcesses.OldMap),
        new("mmap2", None, 9, "ptr uint hex hex fd hex", NarrowProcesses.Map2),

        // Users and groups of 16 bits, and of 32.
        new("chown", None, 92, "path int int", NarrowIds.Own),
        new("lchown", None, 94, "lpath int int", NarrowIds.Own),
        new("fchown", None, 93, "fd int int", NarrowIds.OwnDescriptor),
        new("getuid", None, 102, "", NarrowIds.Get),
        new("geteuid", None, 107, "", NarrowIds.Get),
        new("getgid", None, 104, "", NarrowIds.Get),
        new("getegid", None, 108, "", NarrowIds.Get),
        new("setuid", None, 105, "int", NarrowIds.Set),
        new("setgid", None, 106, "int", NarrowIds.Set),
        new("setreuid", None, 113, "int int", NarrowIds.Set),
        new("setregid", None, 114, "int int", NarrowIds.Set),
        new("setresuid", None, 117, "int int int", NarrowIds.Set),
        new("setresgid", None, 119, "int int int", NarrowIds.Set),
        new("getresuid", None, 118, "out=2 out=2 out=2", NarrowIds.GetThree),
        new("getresgid", None, 120, "out=2 out=2 out=2", NarrowIds.GetThree),
        new("setfsuid", None, 122, "int", NarrowIds.SetFileSystem),
        new("setfsgid", None, 123, "int", NarrowIds.SetFileSystem),
        new("getgroups", None, 115, "int ptr", NarrowIds.GetGroups),
        new("setgroups", None, 116, "int ptr", NarrowIds.SetGroups),
        new("chown32", None, 92, "path int int"),
        new("lchown32", None, 94, "lpath int int"),
        new("fchown32", None, 93, "fd int int"),
        new("getuid32", None, 102, ""),
        new("geteuid32", None, 107, ""),
        new("getgid32", None, 104, ""),
        new("getegid32", None, 108, ""),
        new("setuid32", None, 105, "int"),
        new("setgid32", None, 106, "int"),
        new("setreuid32", None, 113, "int int"),
        new("setregid32", None, 114, "int int"),
        new("setresuid32", None, 117, "int int int"),
        new("setresgid32", None, 119, "int int int"),
        new("getresuid32", None, 118, "out=4 out=4 out=4"),
        new("getresgid32", None, 120, "out=4 out=4 out=4"),
        new("setfsuid32", None, 122, "int"),
        new("setfsgid32", None, 123, "int"),
        new("getgroups32", None, 115, "int ptr"),
        new("setgroups32", None, 116, "int ptr"),

        // Processes.
        new("waitpid", None, 61, "int out=4 hex", NarrowProcesses.WaitPid, Restarts),
        new("wait4", None, 61, "int out=4 hex out=72", NarrowProcesses.Wait4, Restarts),
        new("waitid", None, 247, "int int out=128 hex out=72", NarrowProcesses.WaitId, Restarts),
        new("getrusage", None, 98, "int out=72", NarrowProcesses.Usage),
        new("getrlimit", None, 97, "int out=8", NarrowProcesses.OldGetLimit),
        new("ugetrlimit", None, 97, "int out=8", NarrowProcesses.GetLimit),
        new("setrlimit", None, 160, "int ptr", NarrowProcesses.SetLimit),
        new("nice", None, 141, "int", NarrowProcesses.Nice),
        new("sched_setaffinity", None, 203, "int uint ptr", NarrowProcesses.SetAffinity),
        new("sched_getaffinity", None, 204, "int uint out:1", NarrowProcesses.GetAffinity),
        new("sysinfo", None, 99, "out=64", NarrowProcesses.Information),
        new("olduname", None, 63, "out=325", NarrowProcesses.OldName),
        new("oldolduname", None, 63, "out=45", NarrowProcesses.OldName),
        new("set_thread_area", None, None, "ptr", NarrowProcesses.SetThreadArea),
        new("get_thread_area", None, None, "ptr", NarrowProcesses.GetThreadArea),
        new("modify_ldt", None, None, "int ptr uint", NarrowProcesses.LocalDescriptors),
        new("arch_prctl", None, None, "hex ptr", ProcessCalls.Invalid),
        new("set_robust_list", None, None, "ptr uint", Threads.RobustFutexes.Set),
        new("get_robust_list", None, None, "int out=4 out=4", NarrowProcesses.GetRobustList),
        new("futex", None, 202, "ptr int int ptr ptr int", NarrowTime.Futex, Restarts),
        new("futex_time64", None, 202, "ptr int int ptr ptr int", null, Restarts),

        // Signals.
        new("signal", None, None, "sig ptr", NarrowSignals.Signal),
        new("sigaction", None, None, "sig ptr ptr", NarrowSignals.OldAction),
        new("sigprocmask", None, None, "int ptr ptr", NarrowSignals.OldMask),
        new("sgetmask", None, None, "", NarrowSignals.GetMask),
        new("ssetmask", None, None, "hex", NarrowSignals.SetMask),
        new("sigpending", None, 127, "ptr", NarrowSignals.OldPending),
        new("sigsuspend", None, None, "hex hex hex", NarrowSignals.OldSuspend),
        new("sigreturn", None, None, "", NarrowSignals.OldReturn, CallFlags.NoReturn),
        new("rt_sigaction", None, None, "sig ptr ptr uint", NarrowSignals.Action),
        new("rt_sigtimedwait", None, 128, "ptr ptr ptr uint", NarrowSignals.Wait),
        new("rt_sigtimedwait_time64", None, 128, "ptr ptr ptr uint", NarrowSignals.Wait64),
        new("rt_sigqueueinfo", None, 129, "int sig ptr", NarrowSignals.Queue),
        new("rt_tgsigqueueinfo", None, 297, "int int sig ptr", NarrowSignals.ThreadQueue),
        new("pidfd_send_signal", None, 424, "fd sig ptr hex", NarrowSignals.DescriptorKill),
        new("sigaltstack", None, None, "ptr ptr", NarrowSignals.Stack),

        // Time.
        new("time", None, 201, "out=4", NarrowTime.Seconds),
        new("stime", None, 164, "ptr", NarrowTime.SetSeconds),
        new("gettimeofday", None, 96, "out=8 out=8", NarrowTime.TimeOfDay),
        new("settimeofday", None, 164, "ptr ptr", NarrowTime.SetTimeOfDay),
        new("times", None, 100, "out=16", NarrowTime.Times),
        new("nanosleep", None, 35, "ptr out=8", NarrowTime.Sleep),
        new("clock_gettime", None, 228, "int out=8", NarrowTime.GetSecond),
        new("clock_getres", None, 229, "int out=8", NarrowTime.GetSecond),
        new("clock_settime", None, 227, "int ptr", NarrowTime.SetSecond),
        new("clock_nanosleep", None, 230, "int hex ptr out=8", NarrowTime.ClockSleep),
        new("clock_adjtime", None, 305, "int out=128", NarrowTime.Adjust),
        new("adjtimex", None, 159, "out=128", NarrowTime.Adjust),
        new("sched_rr_get_interval", None, 148, "int out=8", NarrowTime.GetSecond),
        new("getitimer", None, 36, "int out=16", NarrowTime.GetInterval),
        new("setitimer", None, 38, "int ptr out=16", NarrowTime.SetInterval),
        new("timer_create", None, 222, "int ptr out=4", NarrowTime.CreateTimer),
        new("timer_gettime", None, 224, "int out=16", NarrowTime.GetInterval),
        new("timer_settime", None, 223, "int hex ptr out=16", NarrowTime.SetTimer),
        new("timerfd_gettime", None, 287, "fd out=16", NarrowTime.GetInterval),
        new("timerfd_settime", None, 286, "fd hex ptr out=16", NarrowTime.SetTimer),
        new("utime", None, 132, "path ptr", NarrowTime.FileSeconds),
        new("utimes", None, 235, "path ptr", NarrowTime.FileTimes),
        new("futimesat", None, 261, "dirfd path ptr", NarrowTime.FileTimesAt),
        new("utimensat", None, 280, "dirfd path ptr hex", NarrowTime.FileTimesAt),
        new("clock_gettime64", None, 228, "int out=16"),
        new("clock_settime64", None, 227, "int ptr"),
        new("clock_adjtime64", None, 305, "int out=208"),
        new("clock_getres_time64", None, 229, "int out=16"),
        new("clock_nanosleep_time64", None, 230, "int hex ptr out=16"),
        new("timer_gettime64", None, 224, "int out=32"),
        new("timer_settime64", None, 223, "int hex ptr out=32"),
        new("timerfd_gettime64", None, 287, "fd out=32"),
        new("timerfd_settime64", None, 286, "fd hex ptr out=32"),
        new("utimensat_time64", None, 280, "dirfd path@3 ptr hex"),
        new("sched_rr_get_interval_time64", None, 148, "int out=16"),

        // IPC.
        new("ipc", None, None, "hex hex hex hex ptr hex", NarrowIpc.Multiplexed, Restarts),
        new("msgsnd", None, 69, "int ptr uint hex", NarrowIpc.Send),
        new("msgrcv", None, 70, "int ptr uint int hex", NarrowIpc.Receive),
        new("msgctl", None, 71, "int int ptr", NarrowIpc.MessageControl),
        new("semctl", None, 66, "int int int hex", NarrowIpc.SemaphoreControl),
        new("shmctl", None, 31, "int int ptr", NarrowIpc.MemoryControl),
        new("semtimedop_time64", None, 220, "int ptr uint ptr", NarrowIpc.TimedOperation),
        new("mq_open", None, 240, "text oflags oct ptr", NarrowIpc.OpenQueue),
        new("mq_timedsend", None, 242, "fd in:2 uint uint ptr", NarrowTime.Fifth, Restarts),
        new("mq_timedreceive", None, 243, "fd out:2 uint out=4 ptr", NarrowTime.Fifth, Restarts),
        new("mq_timedsend_time64", None, 242, "fd in:2 uint uint ptr", null, Restarts),
        new("mq_timedreceive_time64", None, 243, "fd out:2 uint out=4 ptr", null, Restarts),
        new("mq_notify", None, 244, "fd ptr", NarrowIpc.QueueNotify),
        new("mq_getsetattr", None, 245, "fd ptr out=32", NarrowIpc.QueueAttributes),

        // Sockets.
        new("socketcall", None, None, "int ptr", NarrowSockets.Multiplexed, Restarts),
        new("sendmsg", None, 46, "fd ptr hex", NarrowSockets.Send, Restarts),
        new("recvmsg", None, 47, "fd out=28 hex", NarrowSockets.Receive, Restarts),
        new("sendmmsg", None, 307, "fd ptr uint hex", NarrowSockets.SendMany, Restarts),
        new("recvmmsg", None, 299, "fd ptr uint hex ptr", NarrowSockets.ReceiveMany, Restarts),
        new("recvmmsg_time64", None, 299, "fd ptr uint hex ptr", NarrowSockets.ReceiveMany64, Restarts),
        new("setsockopt", None, 54, "fd int int ptr uint", NarrowSockets.SetOption),
        new("getsockopt", None, 55, "fd int int ptr ptr", NarrowSockets.GetOption),
    ];
}

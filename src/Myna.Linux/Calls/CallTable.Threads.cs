namespace Myna.Linux.Calls;

public static partial class CallTable
{
    /// <summary>Threads, signals, and what ends or doubles a process.</summary>
    private static CallRow[] Threads =>
    [
        new("clone", 220, 56, "hex ptr ptr hex ptr", ThreadCalls.Clone, CallFlags.NoReturn),
        new("clone3", 435, 435, "ptr uint", ThreadCalls.Clone3, CallFlags.NoReturn),
        new("fork", None, 57, "", ThreadCalls.Fork, CallFlags.NoReturn),
        new("vfork", None, 58, "", ThreadCalls.VFork, CallFlags.NoReturn),
        new("execve", 221, 59, "path ptr ptr", ExecCalls.Execute, CallFlags.NoReturn),
        new("execveat", 281, 322, "dirfd path ptr ptr hex", ExecCalls.ExecuteAt, CallFlags.NoReturn),
        new("exit", 93, 60, "int", ThreadCalls.Exit, CallFlags.NoReturn),
        new("exit_group", 94, 231, "int", ThreadCalls.ExitGroup, CallFlags.NoReturn),
        new("set_tid_address", 96, 218, "ptr", ThreadCalls.SetTidAddress),
        new("rt_sigaction", 134, 13, "sig ptr ptr uint", ThreadCalls.SignalAction),
        new("rt_sigprocmask", 135, 14, "int ptr ptr uint", ThreadCalls.SignalMask),
        new("rt_sigpending", 136, 127, "ptr uint", ThreadCalls.SignalsPending),
        new("rt_sigtimedwait", 137, 128, "ptr ptr ptr uint", ThreadCalls.SignalWait),
        new("rt_sigsuspend", 133, 130, "ptr uint", ThreadCalls.SignalSuspend),
        new("rt_sigreturn", 139, 15, "", ThreadCalls.SignalReturn, CallFlags.NoReturn),
        new("sigaltstack", 132, 131, "ptr ptr", ThreadCalls.SignalStack),
        new("pause", None, 34, ""),
        new("arch_prctl", None, 158, "hex ptr", ThreadCalls.ArchControl),
    ];
}

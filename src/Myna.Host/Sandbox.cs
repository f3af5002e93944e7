using System.Runtime.InteropServices;

namespace Myna.Host;

/// <summary>
/// Gives up what a process that runs a machine does not need, for good: programs it starts get no new privileges, and system calls
/// that load code into the kernel, change mounts, namespaces or clocks, look into other processes, or start programs fail with EPERM
/// (seccomp(2), prctl(2)).
/// </summary>
public static unsafe partial class Sandbox
{
    private const int PR_SET_NO_NEW_PRIVS = 38;
    private const long Seccomp = 317;
    private const long SECCOMP_SET_MODE_FILTER = 1, SECCOMP_FILTER_FLAG_TSYNC = 1;
    private const uint RET_ALLOW = 0x7fff_0000, RET_ERRNO = 0x0005_0000, RET_KILL_PROCESS = 0x8000_0000, EPERM = 1;
    private const uint AUDIT_ARCH_X86_64 = 0xc000_003e, X32 = 0x4000_0000;

    // Classic BPF (linux/filter.h): load word, jumps, return.
    private const ushort LD_W_ABS = 0x20, JEQ = 0x15, JGE = 0x35, RET = 0x06;
    private const uint NumberAt = 0, ArchitectureAt = 4;

    // By number (arch/x86/entry/syscalls/syscall_64.tbl).
    private static readonly uint[] s_denied =
    [
        59, 322, // execve, execveat
        101, 310, 311, 312, 438, // ptrace, process_vm_readv, process_vm_writev, kcmp, pidfd_getfd
        155, 161, 165, 166, 428, 429, 430, 431, 432, 433, 442, // pivot_root, chroot, mount, umount2, open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr
        272, 308, // unshare, setns
        153, 163, 167, 168, 169, 170, 171, 179, // vhangup, acct, swapon, swapoff, reboot, sethostname, setdomainname, quotactl
        159, 164, 227, 305, // adjtimex, settimeofday, clock_settime, clock_adjtime
        172, 173, // iopl, ioperm
        174, 175, 176, 246, 313, 320, // create_module, init_module, delete_module, kexec_load, finit_module, kexec_file_load
        248, 249, 250, // add_key, request_key, keyctl
        103, 298, 321, 323, // syslog, perf_event_open, bpf, userfaultfd
        303, 304, // name_to_handle_at, open_by_handle_at
        425, 426, 427, // io_uring
        105, 106, 113, 114, 116, 117, 119, 122, 123, // setuid and its relatives
    ];

    private struct Instruction
    {
        public ushort Code;
        public byte True, False;
        public uint Value;
    }

    private struct Program
    {
        public ushort Length;
        public Instruction* Instructions;
    }

    /// <summary>Enters the sandbox, with all threads, those to come included.</summary>
    /// <returns>What this kernel refuses, or null: all of it is in place.</returns>
    public static string? Enter()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return "the sandbox is for Linux on x86-64";
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
            return $"PR_SET_NO_NEW_PRIVS: {Marshal.GetLastPInvokeErrorMessage()}";
        List<Instruction> code =
        [
            new() { Code = LD_W_ABS, Value = ArchitectureAt },
            new() { Code = JEQ, True = 1, Value = AUDIT_ARCH_X86_64 },
            // Another instruction set's system calls have other numbers; nothing here makes any.
            new() { Code = RET, Value = RET_KILL_PROCESS },
            new() { Code = LD_W_ABS, Value = NumberAt },
            new() { Code = JGE, False = 1, Value = X32 },
            new() { Code = RET, Value = RET_ERRNO | EPERM },
        ];
        foreach (uint number in s_denied)
        {
            code.Add(new() { Code = JEQ, False = 1, Value = number });
            code.Add(new() { Code = RET, Value = RET_ERRNO | EPERM });
        }
        code.Add(new() { Code = RET, Value = RET_ALLOW });
        Instruction[] instructions = [.. code];
        fixed (Instruction* p = instructions)
        {
            var program = new Program { Length = (ushort)instructions.Length, Instructions = p };
            // SAFETY: the kernel copies the program during the call.
            long result = syscall(Seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, (long)&program);
            if (result == 0)
                return null;
            // Positive: a thread that could not be brought in.
            return result > 0 ? $"seccomp: thread {result} has another filter" : $"seccomp: {Marshal.GetLastPInvokeErrorMessage()}";
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int prctl(int option, nuint a2, nuint a3, nuint a4, nuint a5);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long syscall(long number, long a0, long a1, long a2);
}

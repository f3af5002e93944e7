using Myna.Host;
using Myna.Linux.Calls;
using Myna.Linux.Debugging;
using Myna.Linux.Loading;
using Myna.Linux.Memory;
using Myna.Linux.Signals;
using Myna.Linux.Threads;

namespace Myna.Linux;

/// <summary>How a program is to be run.</summary>
public sealed record ProgramOptions
{
    /// <summary>The program as the guest names it; one char per byte, like all strings here.</summary>
    public required string Path { get; init; }

    /// <summary>argv with argv[0].</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    public required IReadOnlyList<string> Environment { get; init; }

    public Sysroot? Sysroot { get; init; }

    /// <summary>False: the interpreter alone.</summary>
    public bool Translate { get; init; } = true;

    /// <summary>Where each system call is written; null for nowhere.</summary>
    public SystemCallTrace? Trace { get; init; }

    /// <summary>Told once of what Myna does not have; null to say nothing.</summary>
    public Action<string>? Log { get; init; }

    /// <summary>
    /// Front of the host's command line that runs another program in the same way (the runtime, Myna, its options): execve puts
    /// "--argv0 NAME -- PATH ARGUMENTS" behind it.
    /// </summary>
    public IReadOnlyList<string> Relaunch { get; init; } = [];

    /// <summary>An open file of Myna's program of native code, to which <see cref="Relaunch"/> is given; -1 to execute its first word.</summary>
    public int RelaunchDescriptor { get; init; } = -1;
}

/// <summary>A guest process: its memory, its files, and what the kernel keeps for it. Threads share it.</summary>
public sealed class LinuxProcess
{
    /// <exception cref="LoadException">The program cannot be loaded.</exception>
    /// <param name="capabilities">AT_HWCAP and AT_HWCAP2 for a target; those of Myna's own CPUs unless given.</param>
    public LinuxProcess(ProgramOptions options, Func<Target, (ulong First, ulong Second)>? capabilities = null)
    {
        Options = options;
        Sysroot = options.Sysroot;
        Trace = options.Trace;
        Memory = new AddressSpace(narrow: !Loader.TargetOf(Sysroot, options.Path).Is64Bit);
        ProcFiles = new ProcFiles(this);
        Image = Loader.Load(Memory, Sysroot, options.Path, options.Arguments, options.Environment, capabilities ?? Capabilities, t => Vdso.Map(Memory, t));
        Calls = new SystemCalls(Target.Abi);
        Translation = new UserTranslation(this);
        Memory.SizeLimit = Limits.Get(ResourceLimits.AddressSpace).Soft;
    }

    public ProgramOptions Options { get; }
    public AddressSpace Memory { get; }
    public LoadedImage Image { get; }
    public Target Target => Image.Target;
    public SystemCalls Calls { get; }

    /// <summary>The system calls of an ABI: the program's own, or those of i386 in an x86-64 program.</summary>
    public SystemCalls CallsOf(AbiKind abi)
        => abi == Target.Abi ? Calls : LazyInitializer.EnsureInitialized(ref _otherCalls, () => new SystemCalls(abi));

    private SystemCalls? _otherCalls;
    public Descriptors Descriptors { get; } = new();
    public ResourceLimits Limits { get; } = new();

    /// <summary>Where absolute paths are looked for first; null for the host alone, and after a chroot.</summary>
    public Sysroot? Sysroot { get; internal set; }

    public SystemCallTrace? Trace { get; }

    internal ProcFiles ProcFiles { get; }

    /// <summary>personality(2).</summary>
    internal uint Personality { get; set; }

    /// <summary>Commands of membarrier(2) by which the guest has registered.</summary>
    internal int Barriers { get; set; }

    /// <summary>riscv64: RISCV_HWPROBE_KEY_IMA_EXT_0.</summary>
    /// <remarks>F and D, C, Zba, Zbb, Zbs, Zbc, Zicond: Documentation/arch/riscv/hwprobe.rst.</remarks>
    public long HardwareExtensions { get; init; } = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 7 | 1L << 35;

    /// <summary>riscv64: the isa line of /proc/cpuinfo.</summary>
    public string IsaName { get; init; } = "rv64imafdc_zicond_zicsr_zifencei_zba_zbb_zbc_zbs";

    /// <summary>riscv64: a bit for each single-letter extension (uapi/asm/hwcap.h). x86-64: CPUID.1:EDX of the x86-64 baseline.</summary>
    private static (ulong First, ulong Second) Capabilities(Target target) => target.Abi switch
    {
        AbiKind.RiscV64 => ("IMAFDC".Aggregate(0UL, (bits, letter) => bits | 1UL << (letter - 'A')), 0),
        _ => (0x078b_fbfd, 2),
    };

    /// <summary>What the guest wants done with signals.</summary>
    public SignalActions Signals { get; } = new();

    public ThreadGroup Threads { get; } = new();

    /// <summary>What a debugger drives the process by; null without. Set it before the program runs.</summary>
    public ProcessTarget? Debugger { get; set; }

    /// <summary>The CPUs of the threads.</summary>
    public UserTranslation Translation { get; }

    /// <summary>Changes a limit that is kept here (<see cref="ResourceLimits.IsKept"/>).</summary>
    internal long SetLimit(int resource, ulong soft, ulong hard)
    {
        long result = Limits.Set(resource, soft, hard);
        if (result == 0 && resource == ResourceLimits.AddressSpace)
            Memory.SizeLimit = soft;
        return result;
    }

    internal void Log(string text) => Options.Log?.Invoke(text);
}

using Myna.Cpu;
using Myna.Host.User;
using Myna.Linux.Loading;
using Myna.Linux.Signals;

namespace Myna.Linux.Abis;

/// <summary>Why a thread's CPU came back.</summary>
public enum UserEvent
{
    /// <summary>A system call; pc is behind the instruction.</summary>
    SystemCall,
    /// <summary>The instruction at pc raised <see cref="UserCpu.Fault"/>.</summary>
    Fault,
    /// <summary>A signal has come, or somebody wants the thread.</summary>
    Interrupted,
    /// <summary>A debugger's breakpoint or watchpoint: <see cref="UserCpu.LastStop"/> says which.</summary>
    Debug,
}

/// <summary>A system call as the guest's registers say it.</summary>
public struct SystemCallArguments
{
    /// <summary>Whose numbers and structures it has: 64-bit x86 programs may make those of i386 too.</summary>
    public AbiKind Abi;
    public long Number;
    public ulong A0, A1, A2, A3, A4, A5;
}

/// <summary>A signal that an instruction raised (siginfo_t, sigaction(2)).</summary>
/// <param name="Code">si_code.</param>
/// <param name="Address">si_addr.</param>
public readonly record struct SignalFault(int Signal, int Code, ulong Address);

/// <summary>The alternate stack of a thread (sigaltstack(2)).</summary>
public struct AlternateStack
{
    public const int Disabled = 2, OnStack = 1, AutoDisarm = unchecked((int)0x8000_0000);

    public ulong Start, Size;
    public int Flags;

    public readonly bool Contains(ulong sp) => (Flags & Disabled) == 0 && sp - Start - 1 < Size;
}

/// <summary>A handler that is about to be called.</summary>
/// <param name="info">siginfo_t, with the guest's signal number.</param>
/// <param name="mask">What sigreturn restores.</param>
public readonly ref struct SignalDelivery(int signal, in SignalAction action, ReadOnlySpan<byte> info, ulong mask, in AlternateStack stack)
{
    public int Signal { get; } = signal;
    public SignalAction Action { get; } = action;
    public ReadOnlySpan<byte> Info { get; } = info;
    public ulong Mask { get; } = mask;
    public AlternateStack Stack { get; } = stack;
}

/// <summary>A thread's CPU together with what its ABI makes of the registers: system calls, signal frames.</summary>
public abstract class UserCpu : IDisposable
{
    public abstract VirtualCpu Cpu { get; }

    /// <summary>Address of the flag word that makes <see cref="Run"/> return.</summary>
    public abstract nint ExitRequestAddress { get; }

    public ulong Pc
    {
        get => Cpu.Pc;
        set => Cpu.Pc = value;
    }

    public abstract ulong StackPointer { get; set; }

    /// <summary>The register that a new thread's TLS pointer goes to.</summary>
    public abstract ulong ThreadPointer { get; set; }

    /// <summary>After <see cref="UserEvent.SystemCall"/>.</summary>
    public SystemCallArguments Call { get; protected set; }

    /// <summary>After <see cref="UserEvent.Fault"/>.</summary>
    public SignalFault Fault { get; protected set; }

    /// <summary>Names the slot of the thread that is going to run this CPU.</summary>
    public abstract void Attach(SignalSlot slot);

    public UserEvent Run() => After(Cpu.Run());

    /// <summary>Executes one instruction.</summary>
    /// <returns><see cref="UserEvent.Interrupted"/> when nothing has happened but that.</returns>
    public UserEvent Step() => After(Cpu.Step());

    /// <summary>Why the CPU stopped last.</summary>
    public StopReason LastStop { get; private set; }

    private UserEvent After(StopReason reason)
    {
        LastStop = reason;
        return reason switch
        {
            StopReason.Trap => Trapped(),
            StopReason.Breakpoint or StopReason.Watchpoint => UserEvent.Debug,
            _ => UserEvent.Interrupted,
        };
    }

    /// <summary>The CPU has made a system call or raised an exception.</summary>
    private protected abstract UserEvent Trapped();

    /// <summary>Watchpoints need every access looked at: the interpreter executes alone. Before the thread runs again.</summary>
    public abstract void Interpret(bool alone);

    /// <summary>The result of the system call.</summary>
    public abstract void SetResult(long value);

    /// <summary>Goes back to the instruction of the system call, as if it had not been executed.</summary>
    public abstract void Restart();

    /// <summary>Makes the frame of a signal handler and goes to it.</summary>
    /// <returns>False when the stack cannot be written.</returns>
    public abstract bool TryEnterHandler(in SignalDelivery delivery);

    /// <summary>What the frame at the stack pointer says of mask and alternate stack.</summary>
    public abstract bool TryReadFrame(out ulong mask, out AlternateStack stack);

    /// <summary>The registers from the frame at the stack pointer.</summary>
    public abstract bool TryLeaveHandler();

    /// <summary>As above, of the shorter frame that i386 has for handlers without siginfo (sigreturn(2)).</summary>
    public virtual bool TryReadOldFrame(out ulong mask)
    {
        mask = 0;
        return false;
    }

    /// <inheritdoc cref="TryReadOldFrame"/>
    public virtual bool TryLeaveOldHandler() => false;

    /// <summary>Takes over all registers of another.</summary>
    public abstract void CopyFrom(UserCpu other);

    public abstract void Dispose();
}

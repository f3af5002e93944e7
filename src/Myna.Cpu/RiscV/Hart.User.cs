using Myna.Cpu.Float;
using Myna.Hardware.State;
using Myna.Host.User;
using Myna.Jit.Engine;
using Myna.Jit.Memory;
using Myna.Jit.Operations;
using Myna.Jit.User;

namespace Myna.Cpu.RiscV;

/// <summary>
/// A hart of a user program: U-mode, the process's own memory, and every exception ends <see cref="VirtualCpu.Run"/> with
/// <see cref="StopReason.Trap"/>, pc being at the instruction.
/// </summary>
public sealed partial class Hart
{
    private readonly DirectMemory? _user;

    /// <summary>Whether this is a user program's hart.</summary>
    public bool IsUser => _user is not null;

    /// <summary>The exception that ended the run.</summary>
    [field: NotSaved("valid only after a run")]
    public Cause TrapCause { get; private set; }

    /// <summary>What stval would hold: the faulting address, or the instruction's encoding.</summary>
    [field: NotSaved("valid only after a run")]
    public ulong TrapValue { get; private set; }

    /// <summary>fcsr.</summary>
    public uint FloatControl
    {
        get => (uint)_frm << 5 | (uint)AccruedFlags;
        set
        {
            SetAccruedFlags((FloatFlags)(value & 0x1F));
            SetRoundingMode((int)(value >> 5 & 7));
        }
    }

    /// <inheritdoc/>
    public override bool ReadMemory(ulong va, Span<byte> destination) => _user is null ? base.ReadMemory(va, destination) : _user.DebugRead(va, destination);

    /// <inheritdoc/>
    public override bool WriteMemory(ulong va, ReadOnlySpan<byte> source) => _user is null ? base.WriteMemory(va, source) : _user.DebugWrite(va, source);

    // As Linux lets user programs run: floating point on, time and counters readable, Zicbom and Zicboz allowed.
    private void ResetForUser()
    {
        _privilege = PrivilegeLevel.User;
        _mstatus = Mstatus.Fs;
        _mcounteren = _scounteren = 7;
        _menvcfg = _senvcfg = EnvironmentConfig.Cbze | EnvironmentConfig.Cbcfe;
    }

    private bool Trap(Cause cause, ulong value)
    {
        TrapCause = cause;
        TrapValue = value;
        RequestExit(ExitRequests.Trap);
        return false;
    }

    // The first byte that cannot be accessed.
    private bool UserFault(ulong va, int bytes, PageRights access)
    {
        ulong last = va + (ulong)bytes - 1;
        if ((va ^ last) > PageMask && (_user!.Space.RightsAt(va) & access) != 0)
            va = last & ~PageMask;
        return Raise(access == PageRights.Read ? Cause.LoadPageFault : Cause.StorePageFault, va);
    }

    private FetchOutcome UserFetchFault(ulong pc)
    {
        Raise(Cause.InstructionPageFault, pc);
        return FetchOutcome.Fault;
    }

    private bool UserAtomic(AtomicOp op, ulong va, MemSize size, ulong operand, out ulong old)
    {
        old = 0;
        int bytes = 1 << (int)size;
        if ((va & (ulong)(bytes - 1)) != 0)
            return Raise(Cause.StoreAddressMisaligned, va);
        if (IsWatched(va, bytes, WatchKind.Access))
            return false;
        if (!SafeMemory.TryLoad(va, (int)size, out ulong seen))
            return UserFault(va, bytes, PageRights.Write);
        while (true)
        {
            ulong next = size == MemSize.B4
                ? (uint)SoftTlb.Apply(op, (ulong)(int)seen, (ulong)(int)operand)
                : SoftTlb.Apply(op, seen, operand);
            if (!SafeMemory.TryExchange(va, (int)size, seen, next, out old))
                return UserFault(va, bytes, PageRights.Write);
            if (old == seen)
                break;
            seen = old;
        }
        if (size == MemSize.B4)
            old = (ulong)(int)old;
        return true;
    }

    private bool UserStoreConditional(ulong va, MemSize size, bool reserved, ulong expected, ulong value, out ulong failed)
    {
        failed = 1;
        int bytes = 1 << (int)size;
        if ((va & (ulong)(bytes - 1)) != 0)
            return Raise(Cause.StoreAddressMisaligned, va);
        if (!reserved)
            return (_user!.Space.RightsAt(va) & PageRights.Write) != 0 || UserFault(va, bytes, PageRights.Write);
        if (IsWatched(va, bytes, WatchKind.Write))
            return false;
        if (!SafeMemory.TryExchange(va, (int)size, size == MemSize.B4 ? (uint)expected : expected, value, out ulong old))
            return UserFault(va, bytes, PageRights.Write);
        failed = old == (size == MemSize.B4 ? (uint)expected : expected) ? 0u : 1u;
        return true;
    }
}

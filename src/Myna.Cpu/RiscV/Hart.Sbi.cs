using System.Buffers.Binary;
using Myna.Cpu.RiscV.Sbi;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Cpu.RiscV;

/// <summary>The hart as the built-in SBI sees it.</summary>
public sealed partial class Hart
{
    /// <summary>0: there is no number for open projects that is worth asking for yet.</summary>
    private const ulong ArchitectureId = 0;
    private const ulong ImplementationId = 0x0001_0000;

    [Saved(36)] private bool _suspendedNonRetentive;

    int ISbiHart.HartId => Index;
    ulong ISbiHart.VendorId => 0;
    ulong ISbiHart.ArchitectureId => ArchitectureId;
    ulong ISbiHart.ImplementationId => ImplementationId;
    HartState ISbiHart.HsmState => (HartState)Volatile.Read(ref _hsmValue);

    ulong ISbiHart.GetArgument(int index) => Registers64.X[10 + index];

    void ISbiHart.SetArgument(int index, ulong value) => Registers64.X[10 + index] = value;

    private bool CallFirmware()
    {
        ulong pc = Block.Context.Pc;
        _firmware!.Call(this);
        return Block.Context.Pc == pc;
    }

    // What OpenSBI leaves behind, except that all exceptions are delegated: there is no M-mode software to take them.
    private void ResetForFirmware()
    {
        _privilege = PrivilegeLevel.Supervisor;
        _medeleg = CsrTable.Find((int)CsrNumber.Medeleg)!.Writable & ~(1UL << (int)Cause.EcallFromS);
        _mideleg = Interrupts.Supervisor;
        _mcounteren = CsrTable.CounterBits;
        _menvcfg = EnvironmentConfig.Stce | EnvironmentConfig.Pbmte | EnvironmentConfig.Cbze | EnvironmentConfig.Cbcfe | EnvironmentConfig.Cbie;
        // One entry for everything, all rights: NAPOT with 54 ones.
        _pmpAddress[0] = (1UL << 54) - 1;
        _pmpConfig[0] = 0x1F;
        _hsmValue = (int)HartState.Stopped;
    }

    void ISbiHart.SetTimer(ulong time)
    {
        Volatile.Write(ref _stimecmp, time);
        ArmTimer();
    }

    void ISbiHart.SetSupervisorSoftwareInterrupt(bool pending) => SetSoftwarePending(Interrupts.Ssip, pending);

    /// <inheritdoc/>
    public bool TryStart(ulong address, ulong opaque)
    {
        lock (_posted)
        {
            if (_hsmValue != (int)HartState.Stopped)
                return false;
            _startAddress = address;
            _startOpaque = opaque;
            Volatile.Write(ref _hsmValue, (int)HartState.StartPending);
        }
        RequestExit(ExitRequests.Request);
        return true;
    }

    /// <summary>As <see cref="TryStart"/> for a stopped hart whose thread stands still: it is there when this returns.</summary>
    public void Boot(ulong address, ulong opaque)
    {
        if (TryStart(address, opaque))
            BeginSupervisor();
    }

    private void BeginSupervisor()
    {
        _privilege = PrivilegeLevel.Supervisor;
        _mstatus &= ~(Mstatus.Sie | Mstatus.Mprv);
        _satp = 0;
        _waiting = false;
        Block.Context.Pc = _startAddress;
        Registers64.X[10] = (ulong)Index;
        Registers64.X[11] = _startOpaque;
        FlushTranslations();
        UpdateMode();
        Volatile.Write(ref _hsmValue, (int)HartState.Started);
    }

    void ISbiHart.Stop()
    {
        Volatile.Write(ref _hsmValue, (int)HartState.Stopped);
        RequestExit(ExitRequests.Wait);
    }

    void ISbiHart.SuspendRetentive() => Suspend(nonRetentive: false);

    void ISbiHart.SuspendNonRetentive(ulong address, ulong opaque)
    {
        _startAddress = address;
        _startOpaque = opaque;
        Suspend(nonRetentive: true);
    }

    private void Suspend(bool nonRetentive)
    {
        _suspendedNonRetentive = nonRetentive;
        _waiting = true;
        Volatile.Write(ref _hsmValue, (int)HartState.Suspended);
        RequestExit(ExitRequests.Wait);
    }

    private void EndSuspension()
    {
        if (_suspendedNonRetentive)
            BeginSupervisor();
        else
            Volatile.Write(ref _hsmValue, (int)HartState.Started);
    }

    void ISbiHart.Perform(RemoteFence fence)
    {
        if (fence.Kind == RemoteFenceKind.FenceI)
        {
            FenceI();
            return;
        }
        bool anyAsid = fence.Kind == RemoteFenceKind.SfenceVma;
        ulong pages = (fence.Size + PageMask) / Ram.PageSize;
        // Beyond so many pages forgetting everything is cheaper.
        if (fence.IsFull || pages > 64)
        {
            Fence(true, 0, anyAsid, fence.Asid);
            return;
        }
        for (ulong i = 0; i < pages; i++)
            Fence(false, fence.Start + (i * Ram.PageSize), anyAsid, fence.Asid);
    }

    void ISbiHart.Post(RemoteFence fence)
    {
        lock (_posted)
            _posted.Add(fence);
        RequestExit(ExitRequests.Request);
    }

    /// <inheritdoc/>
    public void PerformPosted()
    {
        lock (_posted)
        {
            foreach (RemoteFence fence in _posted)
                ((ISbiHart)this).Perform(fence);
            _posted.Clear();
        }
    }

    bool ISbiHart.IsExecutingWithPending(RemoteFence fence)
    {
        if (!IsExecuting)
            return false;
        lock (_posted)
        {
            foreach (RemoteFence posted in _posted)
            {
                if (ReferenceEquals(posted, fence))
                    return true;
            }
        }
        return false;
    }

    void ISbiHart.EnableCounter(int counter, bool on)
        => WriteCounterInhibit(on ? _mcountinhibit & ~(1UL << counter) : _mcountinhibit | 1UL << counter);

    bool ISbiHart.IsCounterEnabled(int counter) => (_mcountinhibit >> counter & 1) == 0;

    bool ISbiHart.TryReadVirtual(ulong address, out ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        bool ok = ReadMemory(address, bytes);
        value = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        return ok;
    }
}

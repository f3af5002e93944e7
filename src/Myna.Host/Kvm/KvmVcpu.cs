using System.Runtime.CompilerServices;

namespace Myna.Host.Kvm;

/// <summary>How <see cref="KvmVcpu.Enter"/> ended.</summary>
public enum KvmEntry
{
    /// <summary><see cref="KvmVcpu.Run"/> says why.</summary>
    Exited,
    /// <summary>A signal, or <see cref="KvmRun.ImmediateExit"/>.</summary>
    Interrupted,
    /// <summary>The CPU in the kernel waits for INIT or a start-up message.</summary>
    NotRunnable,
}

/// <summary>
/// A virtual CPU of the kernel's. One thread at a time enters it and asks for its state; <see cref="Kick"/> is for any thread.
/// Members throw <see cref="IOException"/> when the kernel refuses.
/// </summary>
public sealed unsafe class KvmVcpu : KvmDescriptor
{
    private const int XsaveSize = 4096;

    private readonly int _runSize;
    private readonly NativeBlock _xsave = new(4 * XsaveSize);
    private byte* _run;
    private int _thread;

    private readonly KvmWithheld? _withheld;

    internal KvmVcpu(int descriptor, int runSize, KvmWithheld? withheld) : base(descriptor)
    {
        _withheld = withheld;
        _runSize = runSize;
        // SAFETY: a fresh mapping of the size that the kernel asks for.
        void* p = runSize < sizeof(KvmRun) ? Libc.MAP_FAILED : Libc.mmap(null, (nuint)runSize, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, descriptor, 0);
        if (p == Libc.MAP_FAILED)
            throw Libc.Error("KVM: cannot map a CPU's communication page");
        _run = (byte*)p;
        KvmKick.Initialize();
    }

    /// <summary>The page shared with the kernel; valid until <see cref="Dispose"/>.</summary>
    public ref KvmRun Run
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        // SAFETY: the constructor made sure that the mapping is as large as the structure.
        get => ref *(KvmRun*)_run;
    }

    /// <summary>Bytes of the mapping: data of port accesses.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They do not lie inside.</exception>
    public Span<byte> Data(ulong offset, int length)
    {
        if (length < 0 || offset > (ulong)_runSize || (ulong)length > (ulong)_runSize - offset)
            throw new ArgumentOutOfRangeException(nameof(offset));
        // SAFETY: bounds checked above.
        return new Span<byte>(_run + offset, length);
    }

    /// <summary>The machine's ring of gathered writes, which any of its CPUs shows; valid until <see cref="Dispose"/>.</summary>
    /// <param name="page">What KVM_CAP_COALESCED_MMIO says.</param>
    /// <returns>Null: this kernel has none.</returns>
    public KvmCoalescedRing? CoalescedRing(int page)
    {
        const int PageSize = 4096;
        // SAFETY: the page lies in the mapping.
        return page <= 0 || (page + 1) * PageSize > _runSize ? null : new KvmCoalescedRing(_run + page * PageSize);
    }

    /// <summary>
    /// Executes guest code until the guest needs this process. <paramref name="interrupted"/> is looked at after the CPU has become
    /// one that <see cref="Kick"/> reaches: a request made before it is seen there, a later one ends the stay in the guest.
    /// </summary>
    public KvmEntry Enter(ref int interrupted)
    {
        if (_thread == 0)
            _thread = KvmKick.CurrentThread;
        Volatile.Write(ref Run.ImmediateExit, 0);
        Interlocked.Exchange(ref _inside, _thread);
        int result;
        if (Volatile.Read(ref interrupted) != 0)
            result = -EINTR;
        else
            result = Call(KvmIoctl.RUN);
        Volatile.Write(ref _inside, 0);
        _sharedAreThere = result >= 0 && Run.ValidRegs != 0;
        return result switch
        {
            >= 0 => KvmEntry.Exited,
            -EINTR => KvmEntry.Interrupted,
            -EAGAIN => KvmEntry.NotRunnable,
            _ => Run.ExitReason == KvmExitReason.MEMORY_FAULT ? KvmEntry.Exited : (KvmEntry)Check(result, "cannot run the guest"),
        };
    }

    private int _inside;

    /// <summary>The thread that calls <see cref="Enter"/> is another from now on.</summary>
    public void ForgetThread() => _thread = 0;

    /// <summary>Makes <see cref="Enter"/> return soon. Whoever calls it has made <c>interrupted</c> true first.</summary>
    public void Kick()
    {
        // A timer may still be on its way to a CPU that is being disposed.
        if (_run is null)
            return;
        Volatile.Write(ref Run.ImmediateExit, 1);
        Interlocked.MemoryBarrier();
        int thread = Volatile.Read(ref _inside);
        if (thread != 0)
            KvmKick.Send(thread);
    }

    /// <summary>Completes what the last exit left half done (results of port and memory accesses) without executing anything.</summary>
    /// <returns>True: that needed another exit, which <see cref="Run"/> holds.</returns>
    public bool Complete()
    {
        ulong wanted = Run.ValidRegs;
        Run.ValidRegs = SharesRegisters ? (ulong)AllShared : 0;
        Volatile.Write(ref Run.ImmediateExit, 1);
        int result = Call(KvmIoctl.RUN);
        Volatile.Write(ref Run.ImmediateExit, 0);
        Run.ValidRegs = wanted;
        _sharedAreThere = SharesRegisters;
        return result >= 0;
    }

    // KVM_CAP_SYNC_REGS: registers lie in the shared page, and travel with KVM_RUN.

    private const ulong SharedRegs = 1, SharedSregs = 2, SharedEvents = 4;

    /// <summary>What the capability has to say for <see cref="SharesRegisters"/>.</summary>
    public const int AllShared = (int)(SharedRegs | SharedSregs | SharedEvents);

    private bool _sharedAreThere;

    /// <summary>Registers, system registers and events may travel with <see cref="Enter"/>.</summary>
    public bool SharesRegisters { get; set; }

    /// <summary>Whether every exit brings the registers along: worth it where they are wanted soon.</summary>
    public bool BringsRegisters { set => Run.ValidRegs = value && SharesRegisters ? (ulong)AllShared : 0; }

    /// <summary>Registers for the next entry.</summary>
    public void Share(in KvmRegs value)
    {
        Run.SyncRegs = value;
        Run.DirtyRegs |= SharedRegs;
        _sharedAreThere = false;
    }

    /// <inheritdoc cref="Share(in KvmRegs)"/>
    public void Share(in KvmVcpuEvents value)
    {
        Run.SyncEvents = value;
        Run.DirtyRegs |= SharedEvents;
        _sharedAreThere = false;
    }

    /// <summary>Registers as the last exit left them, which is complete. System registers come without PDPTEs.</summary>
    /// <returns>False: the kernel has to be asked otherwise.</returns>
    public bool TryGetShared(out KvmRegs regs, out KvmSregs sregs, out KvmVcpuEvents events)
    {
        if (SharesRegisters && !_sharedAreThere)
            _ = Complete();
        ref KvmRun run = ref Run;
        bool there = SharesRegisters && run.DirtyRegs == 0;
        regs = run.SyncRegs;
        sregs = run.SyncSregs;
        sregs.Flags = 0;
        events = run.SyncEvents;
        return there;
    }

    public void Get(out KvmRegs value)
    {
        value = default;
        _ = Check(Call(KvmIoctl.GET_REGS, ref value), "cannot read registers");
    }

    public void Set(ref KvmRegs value) => _ = Check(Call(KvmIoctl.SET_REGS, ref value), "cannot write registers");

    /// <param name="second">Use KVM_GET_SREGS2: with PDPTEs.</param>
    public void Get(out KvmSregs value, bool second)
    {
        value = default;
        _ = Check(Call(second ? KvmIoctl.GET_SREGS2 : KvmIoctl.GET_SREGS, ref value), "cannot read system registers");
    }

    public void Set(ref KvmSregs value, bool second) => _ = Check(TrySet(ref value, second), "cannot write system registers");

    /// <returns>0, or -errno: this kernel does not run a CPU in such a state.</returns>
    public int TrySet(ref KvmSregs value, bool second) => Call(second ? KvmIoctl.SET_SREGS2 : KvmIoctl.SET_SREGS, ref value);

    public void Get(out KvmVcpuEvents value)
    {
        value = default;
        _ = Check(Call(KvmIoctl.GET_VCPU_EVENTS, ref value), "cannot read pending events");
    }

    public void Set(ref KvmVcpuEvents value) => _ = Check(Call(KvmIoctl.SET_VCPU_EVENTS, ref value), "cannot write pending events");

    public void Get(out KvmDebugRegs value)
    {
        value = default;
        _ = Check(Call(KvmIoctl.GET_DEBUGREGS, ref value), "cannot read debug registers");
    }

    public void Set(ref KvmDebugRegs value) => _ = Check(Call(KvmIoctl.SET_DEBUGREGS, ref value), "cannot write debug registers");

    /// <summary>XCR0.</summary>
    public ulong Xcr0
    {
        get
        {
            KvmXcrs value = default;
            _ = Check(Call(KvmIoctl.GET_XCRS, ref value), "cannot read XCR0");
            return value.Count != 0 ? value.Value : 1;
        }
        set
        {
            var xcrs = new KvmXcrs { Count = 1, Value = value };
            _ = Check(Call(KvmIoctl.SET_XCRS, ref xcrs), "cannot write XCR0");
        }
    }

    /// <summary>The XSAVE area in the standard format: of the kernel's after <see cref="ReadXsave"/>, for it in <see cref="WriteXsave"/>.</summary>
    public Span<byte> Xsave => _xsave.Span<byte>(0, XsaveSize);

    /// <param name="second">Use KVM_GET_XSAVE2, which also knows areas of more than 4096 bytes.</param>
    public void ReadXsave(bool second) => _ = Check(Call(second ? KvmIoctl.GET_XSAVE2 : KvmIoctl.GET_XSAVE, _xsave.Address), "cannot read floating-point state");

    public void WriteXsave() => _ = Check(Call(KvmIoctl.SET_XSAVE, _xsave.Address), "cannot write floating-point state");

    public void SetCpuid(ReadOnlySpan<KvmCpuidEntry> entries)
    {
        using var block = new NativeBlock(8 + entries.Length * sizeof(KvmCpuidEntry));
        block.At<int>() = entries.Length;
        entries.CopyTo(block.Span<KvmCpuidEntry>(8, entries.Length));
        _ = Check(Call(KvmIoctl.SET_CPUID2, block.Address), "cannot set CPUID");
    }

    /// <summary>What CPUID says in the guest now: what was set, and what the kernel made of it.</summary>
    public KvmCpuidEntry[] GetCpuid()
    {
        const int Maximum = 256;
        using var block = new NativeBlock(8 + Maximum * sizeof(KvmCpuidEntry));
        block.At<int>() = Maximum;
        _ = Check(Call(KvmIoctl.GET_CPUID2, block.Address), "cannot read CPUID");
        return block.Span<KvmCpuidEntry>(8, Math.Clamp(block.At<int>(), 0, Maximum)).ToArray();
    }

    /// <summary>Reads MSRs in order until one fails.</summary>
    /// <returns>How many were read.</returns>
    public int ReadMsrs(Span<KvmMsr> msrs) => Msrs(KvmIoctl.GET_MSRS, msrs);

    /// <summary>Writes MSRs in order until one fails.</summary>
    /// <returns>How many were written.</returns>
    public int WriteMsrs(Span<KvmMsr> msrs) => Msrs(KvmIoctl.SET_MSRS, msrs);

    private int Msrs(uint request, Span<KvmMsr> msrs)
    {
        const int Maximum = 64;
        if (_withheld is not null)
            msrs = msrs[.._withheld.CountGood(msrs)];
        if (msrs.Length > Maximum)
            throw new ArgumentException("too many MSRs", nameof(msrs));
        byte* buffer = stackalloc byte[8 + Maximum * sizeof(KvmMsr)];
        *(ulong*)buffer = (ulong)msrs.Length;
        // SAFETY: the buffer has room for as many as were admitted above.
        var list = new Span<KvmMsr>(buffer + 8, msrs.Length);
        msrs.CopyTo(list);
        int result = Call(request, (nint)buffer);
        list.CopyTo(msrs);
        return Math.Max(0, result);
    }

    /// <summary>Queues an external interrupt, as INTR and its acknowledge cycle do. Without interrupt controllers in the kernel, or with an 8259 outside.</summary>
    public void Interrupt(byte vector)
    {
        uint number = vector;
        _ = Check(Call(KvmIoctl.INTERRUPT, ref number), "cannot inject an interrupt");
    }

    public void Nmi() => _ = Check(Call(KvmIoctl.NMI), "cannot inject an NMI");

    /// <summary>KVM_MP_STATE_*.</summary>
    public uint MpState
    {
        get
        {
            uint state = 0;
            _ = Check(Call(KvmIoctl.GET_MP_STATE, ref state), "cannot read the CPU's state");
            return state;
        }
        set => _ = Check(Call(KvmIoctl.SET_MP_STATE, ref value), "cannot set the CPU's state");
    }

    public void Get(out KvmLapicState value)
    {
        value = default;
        _ = Check(Call(KvmIoctl.GET_LAPIC, ref value), "cannot read the local APIC");
    }

    public void Set(ref KvmLapicState value) => _ = Check(Call(KvmIoctl.SET_LAPIC, ref value), "cannot write the local APIC");

    // The ring of written pages: kvm_dirty_gfn entries, each of which the kernel marks as dirty and we mark as taken.
    private const int DirtyRingPage = 64, DirtyEntrySize = 16;
    private const uint Dirty = 1, Taken = 2;
    private byte* _ring;
    private uint _ringEntries, _ringNext;

    /// <summary>Maps the CPU's ring of written pages, which the VM was told to have.</summary>
    /// <param name="entries">As the VM was told, a power of two.</param>
    public void MapDirtyRing(uint entries)
    {
        // SAFETY: a fresh mapping of the size that the VM was told.
        void* p = Libc.mmap(null, entries * DirtyEntrySize, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, Descriptor, DirtyRingPage * 4096);
        if (p == Libc.MAP_FAILED)
            throw Libc.Error("KVM: cannot map a CPU's ring of written pages");
        _ring = (byte*)p;
        _ringEntries = entries;
    }

    /// <summary>Takes what the ring holds; <see cref="KvmVm.ResetDirtyRings"/> then makes room. One thread at a time.</summary>
    /// <param name="note">Called with the slot and the number of the page in it.</param>
    /// <returns>
    /// False: it was full to the last entry. The kernel should have left the guest long before (KVM_EXIT_DIRTY_RING_FULL); those whose instruction emulator
    /// goes on all the same lose what is written from then on.
    /// </returns>
    public bool TakeDirty(Action<int, ulong> note)
    {
        if (_ring is null)
            return true;
        for (uint taken = 0; ; taken++)
        {
            // SAFETY: the index stays below the number of entries, which the mapping holds.
            byte* entry = _ring + _ringNext % _ringEntries * DirtyEntrySize;
            if (taken == _ringEntries || (Volatile.Read(ref *(uint*)entry) & Dirty) == 0)
                return taken < _ringEntries;
            note((int)(*(uint*)(entry + 4) & 0xffff), *(ulong*)(entry + 8));
            Volatile.Write(ref *(uint*)entry, Taken);
            _ringNext++;
        }
    }

    /// <summary>Breakpoints and single steps for a debugger outside the guest.</summary>
    /// <returns>False: the kernel cannot do that.</returns>
    public bool TrySetGuestDebug(ref KvmGuestDebug value) => Call(KvmIoctl.SET_GUEST_DEBUG, ref value) >= 0;

    /// <summary>Frequency of the guest's time stamp counter; 0 when unknown.</summary>
    public uint TscKilohertz => (uint)Math.Max(0, Call(KvmIoctl.GET_TSC_KHZ));

    /// <returns>False: the processor cannot scale it so.</returns>
    public bool TrySetTscKilohertz(uint value) => Call(KvmIoctl.SET_TSC_KHZ, (nint)value) >= 0;

    /// <summary>What the kernel adds to the host's counter, scaled, to make the guest's (KVM_VCPU_TSC_OFFSET).</summary>
    /// <returns>False: the kernel does not tell.</returns>
    public bool TryGetTscOffset(out ulong value)
    {
        value = 0;
        return TscOffset(KvmIoctl.GET_DEVICE_ATTR, ref value);
    }

    /// <returns>False: the kernel cannot do that, or says that it can and keeps no such offset (the software back end).</returns>
    public bool TrySetTscOffset(ulong value)
    {
        ulong copy = value;
        return TscOffset(KvmIoctl.SET_DEVICE_ATTR, ref copy) && TryGetTscOffset(out ulong kept) && kept == value;
    }

    private bool TscOffset(uint request, ref ulong value)
    {
        fixed (ulong* p = &value)
        {
            // Group KVM_VCPU_TSC_CTRL, attribute KVM_VCPU_TSC_OFFSET. SAFETY: the kernel reads or writes eight bytes there.
            var attribute = new KvmDeviceAttr { Address = (ulong)p };
            return Call(request, ref attribute) >= 0;
        }
    }

    /// <summary>Tells a guest's kvmclock that it was paused, so that its watchdogs stay calm.</summary>
    public void NotePause() => _ = Call(KvmIoctl.KVMCLOCK_CTRL);

    public override void Dispose()
    {
        if (_run is not null)
            _ = Libc.munmap(_run, (nuint)_runSize);
        _run = null;
        if (_ring is not null)
            _ = Libc.munmap(_ring, _ringEntries * DirtyEntrySize);
        _ring = null;
        _xsave.Dispose();
        base.Dispose();
    }
}
